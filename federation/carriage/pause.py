"""Waiting longer each time."""

import random


class Pause:
    """Seconds to wait before trying again: doubled each time, with a spread, so that all sites of
    a network do not come back in the same second after the server's restart."""

    def __init__(self, first: float = 0.5, longest: float = 60.0) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def again(self) -> float:
        """The next pause."""
        seconds, self._next = self._next, min(self._longest, self._next * 2)
        return seconds * (0.5 + random.random())  # noqa: S311  a spread, no secret

    def reset(self) -> None:
        """It went well: the next pause is the first one again."""
        self._next = self._first
