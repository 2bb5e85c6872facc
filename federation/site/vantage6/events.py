"""What a site listens to at a vantage6 server, and how it shows itself as online there.

Each event makes the site look at its list of tasks, which it also does by itself. While the line
cannot be had, the list is polled.
"""

from collections.abc import Callable
from typing import Any

from federation.carriage.line import Line, Talk
from federation.carriage.pause import Pause
from federation.site.vantage6.node import SiteClient

#: The server takes a node for offline after 65 seconds; it also does so, wrongly, when an old line
#: dies later than its successor was made. A ping puts both right.
PING_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


def open_line(
    client: SiteClient,
    wake: Callable[[], None],
    say: Callable[[str], None],
    about: dict[str, Any],
) -> Line:
    """A line, to be started. `wake` and `say` are called from threads of the line; `about` is what
    the server shows of this site."""

    def there(online: bool) -> None:
        say("ONLINE" if online else "OFFLINE")
        if online:
            wake()

    talk = Talk(
        hears={"new_task": lambda _: wake()},
        greeting="sync",  # sent to a node that the server recognised
        hello=("node_info_update", about),
        ping_seconds=PING_SECONDS,
        pause=Pause(FIRST_PAUSE, LONGEST_PAUSE),
    )
    return Line(
        client.origin,
        client.bearer,
        talk,
        there=there,
        stale=client.forget_token,
        odd=lambda: say("SOCKET"),
        ca_file=client.settings.ca_file,
    )
