"""The daily mail: made once, handed to a real SMTP server, never sent twice, nothing of it lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from mail_server import SmtpServer
from mailing_hub import DAY, HUB, NOW, Hub, server_of
from sqlalchemy import update

from migrations.run import upgrade
from registry.database import engine_of
from registry.mail.models import MailAddress
from registry.mail.outbox import GIVE_UP, HANDING, KEEP
from registry.mail.postman import Postman
from registry.mail.server import MailServer, MailSettingsError, read_server
from registry.transaction import unit_of_work
from studies import notices
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Participation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    file = tmp_path_factory.mktemp("mail") / "hub.sqlite"
    upgrade(f"sqlite:///{file}")
    made = Hub(file)
    made.fill()
    engine_of(made.factory).dispose()
    return file, made.person


@pytest.fixture
def hub(filled: tuple[Path, str], tmp_path: Path) -> Iterator[Hub]:
    file, person = filled
    made = Hub(Path(shutil.copy(file, tmp_path / "hub.sqlite")))
    made.person = person
    yield made
    engine_of(made.factory).dispose()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as made:
        yield made


def test_a_day_has_one_mail_that_says_what_is_new(hub: Hub, smtp: SmtpServer) -> None:
    server = server_of(smtp)
    hub.remind("catharina")
    with unit_of_work(hub.factory, SYSTEM) as session:
        notices.write_notice(
            session,
            network="oncozon",
            title=("Nieuwe vragenlijst", "New questionnaire"),
            text=("Vanaf maandag.", "From Monday on."),
            actor=SYSTEM,
            now=NOW,
        )
    assert hub.compose() == 1
    assert hub.compose() == 0  # also when it is made again, and by another program
    assert hub.send(server) == 1
    assert hub.send(server) == 0
    (mail,) = smtp.taken
    body = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert mail["To"] == "karel@example.org"
    assert "Catharina Ziekenhuis had de uitnodiging uiterlijk" in body
    assert "Nieuwe vragenlijst" in body
    assert f"{HUB}/inbox" in body
    assert mail["Auto-Submitted"] == "auto-generated"

    # The next morning nothing is new, so there is no mail; before six there never is.
    hub.now += DAY
    assert hub.compose() == 0
    hub.remind("zuyderland")
    hub.now = hub.now.replace(hour=4)
    assert hub.compose() == 0
    hub.now = hub.now.replace(hour=6)
    assert (hub.compose(), hub.send(server)) == (1, 1)
    body = smtp.taken[1].get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "Zuyderland" in body
    assert "Catharina" not in body

    # What is answered and comes back is told again. Who turned it off gets nothing.
    hub.now += DAY
    with unit_of_work(hub.factory, SYSTEM) as session:
        session.execute(update(Participation).values(interest=True))
        announce(session, actor=SYSTEM, action="participation.answered", about="study:x")
    hub.compose()
    hub.now += DAY
    hub.remind("catharina")
    assert hub.compose() == 1
    with unit_of_work(hub.factory, SYSTEM) as session:
        session.delete(session.get_one(MailAddress, hub.person))
        announce(session, actor=SYSTEM, action="account.mail_set", about="account:x")
    hub.now += DAY
    hub.remind("zuyderland")
    assert hub.compose() == 0


@pytest.mark.parametrize(
    ("answers", "after", "why"),
    [
        ({"RCPT": "550 no such person"}, "failed", "550"),
        ({"RCPT": "451 later"}, "waiting", "451"),
        ({"MAIL": "554 not you"}, "failed", "554"),
        ({"DATA": "452 full"}, "waiting", "452"),
        ({"END": "550 spam"}, "failed", "550"),
        ({"END": "451 later"}, "waiting", "451"),
    ],
)
def test_a_no_is_final_or_tried_again(
    hub: Hub, smtp: SmtpServer, answers: dict[str, str], after: str, why: str
) -> None:
    hub.remind("catharina")
    hub.compose()
    smtp.answers = answers
    assert hub.send(server_of(smtp)) == 0
    assert hub.mails() == [(after, why)]
    assert hub.told() == 0
    smtp.answers = {}
    assert hub.send(server_of(smtp)) == 0  # not within the minute
    hub.now += timedelta(minutes=2)
    smtp.taken.clear()
    again = hub.send(server_of(smtp))
    assert (again, len(smtp.taken)) == ((1, 1) if after == "waiting" else (0, 0))
    if after == "failed":  # nothing of it was told, so tomorrow's mail says it
        hub.now += DAY
        assert (hub.compose(), hub.send(server_of(smtp))) == (1, 1)


def test_a_server_that_is_away_is_tried_for_a_day(hub: Hub) -> None:
    hub.remind("catharina")
    hub.compose()
    server = MailServer("127.0.0.1", 1, tls=False, sender="oncokring@hub.example")
    for _ in range(12):
        assert hub.send(server) == 0
        hub.now += timedelta(hours=1)
    assert hub.mails() == [("waiting", "UNREACHABLE")]
    hub.now = NOW + GIVE_UP + timedelta(minutes=1)
    hub.send(server)
    assert hub.mails() == [("failed", "UNREACHABLE")]


SENDER = """
import sys
from datetime import datetime
from registry.database import open_database
from registry.mail.outbox import send
from registry.mail.server import read_server
url, smtp, now = sys.argv[1:]
moment = datetime.fromisoformat(now)
send(open_database(url), read_server(smtp, "oncokring@hub.example"), lambda: moment)
"""


@pytest.mark.parametrize("stop_at", ["MAIL", "END"])
def test_killed_in_the_middle_it_sends_nothing_twice_and_loses_nothing(
    hub: Hub, smtp: SmtpServer, stop_at: str
) -> None:
    """MAIL: before anything was given. END: the server has it, and could not say so any more."""
    hub.remind("catharina")
    hub.compose()
    reached = threading.Event()

    def stop(command: str) -> None:
        if command == stop_at and not reached.is_set():
            reached.set()
            process.wait(60)  # the server answers nothing while the other is killed

    smtp.at = stop
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, hub.url, smtp.url, hub.now.isoformat()], cwd=ROOT
    )
    try:
        assert reached.wait(60)
    finally:
        process.kill()
        process.wait()

    hub.now += HANDING + timedelta(minutes=1)
    sent = hub.send(server_of(smtp))
    if stop_at == "MAIL":
        assert (sent, len(smtp.taken)) == (1, 1)
        return
    # Offered no second time; what it said is in the next day's mail.
    assert (sent, len(smtp.taken), hub.told()) == (0, 1, 0)
    assert hub.mails() == [("unsure", "ENDED")]
    hub.now += DAY
    assert (hub.compose(), hub.send(server_of(smtp))) == (1, 1)
    first, second = smtp.taken
    assert first["Message-ID"] != second["Message-ID"]


def test_a_line_that_breaks_while_it_is_taken_is_unsure(hub: Hub, smtp: SmtpServer) -> None:
    hub.remind("catharina")
    hub.compose()

    def cut(command: str) -> None:
        if command == "END":
            raise OSError

    smtp.at = cut
    assert hub.send(server_of(smtp)) == 0
    assert hub.mails() == [("unsure", "CUT")]
    hub.now += HANDING * 2
    assert hub.send(server_of(smtp)) == 0
    assert len(smtp.taken) == 1


def test_two_programs_send_one_mail(hub: Hub, smtp: SmtpServer) -> None:
    hub.remind("catharina")
    hub.compose()
    together = threading.Barrier(2)

    def wait(command: str) -> None:
        if command == "RCPT":
            together.wait(20)

    smtp.at = wait
    sent: list[int] = []
    threads = [
        threading.Thread(target=lambda: sent.append(hub.send(server_of(smtp)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (sorted(sent), len(smtp.taken)) == ([0, 1], 1)
    assert hub.mails() == [("sent", None)]


def test_the_postman_goes_round_and_forgets_what_is_old(hub: Hub, smtp: SmtpServer) -> None:
    hub.remind("catharina")
    postman = Postman(hub.factory, server_of(smtp), HUB, clock=hub.clock)
    assert postman.round() == 1
    hub.now += KEEP + DAY
    with unit_of_work(hub.factory, SYSTEM) as session:
        session.delete(session.get_one(MailAddress, hub.person))
        announce(session, actor=SYSTEM, action="account.mail_set", about="account:x")
    postman.start()
    postman.round()
    postman.close()
    assert hub.mails() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("mail.example.nl", "a@b.nl"), "ONCOKRING_SMTP must be"),
        (("smtp://mail.example.nl:x", "a@b.nl"), "ONCOKRING_SMTP must be"),
        (("smtp://me:secret@mail.example.nl", "a@b.nl"), "ONCOKRING_SMTP holds a name"),
        (("smtp://mail.example.nl", ""), "ONCOKRING_MAIL_FROM"),
        (("smtp://mail.example.nl", "a@b.nl\r\nBcc: c@d.nl"), "ONCOKRING_MAIL_FROM"),
        (("smtp://mail.example.nl", "a@b.nl", "me"), "belong together"),
    ],
)
def test_a_wrong_setting_is_a_sentence(given: tuple[str, ...], words: str) -> None:
    with pytest.raises(MailSettingsError, match=words) as caught:
        read_server(*given)
    assert "secret" not in str(caught.value)


def test_no_server_no_mail_and_tls_everywhere_else() -> None:
    assert read_server("", "") is None
    far = read_server("smtps://mail.example.nl", "a@b.nl")
    assert far is not None
    assert (far.port, far.tls, far.local) == (465, True, False)
