"""What the vantage6 engine knows, without a network: who waits for what, and for how long."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import pytest

from federation.engines import vantage6_book
from federation.engines.interface import SITE_UNREACHABLE
from federation.engines.vantage6_book import ANSWER_SECONDS, SITE_TIMEOUT, Book, Task

SITES = {"a": 11, "b": 12}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until it is moved (`now`)."""
    fake = SimpleNamespace(now=1000.0)
    fake.monotonic = lambda: fake.now
    monkeypatch.setattr(vantage6_book, "time", fake)
    return fake


def opened(book: Book, site: str = "a", message: bytes = b"m") -> tuple[str, Task]:
    handle, task = book.open(site, message)
    assert task is not None
    return handle, task


def test_the_same_bytes_join_and_each_handle_is_answered_once() -> None:
    book = Book(SITES, 60)
    first, task = opened(book)
    second, none = book.open("a", b"m")
    other, another = opened(book, "b", b"m")
    assert none is None
    assert len({first, second, other}) == 3
    assert book.posted(task, 1)
    assert book.finish(task, b"reply", None)
    assert not book.finish(task, b"again", None)
    assert {(reply.handle, reply.body) for reply in book.replies(0)} == {
        (first, b"reply"),
        (second, b"reply"),
    }
    assert book.replies(0) == []
    assert not another.over
    fresh, made = book.open("a", b"m")  # answered, so asked anew
    assert made is not None
    assert fresh != first


def test_a_cancelled_handle_is_not_answered_and_the_last_one_frees_the_task() -> None:
    book = Book(SITES, 60)
    first, task = opened(book)
    second, _ = book.open("a", b"m")
    assert book.cancel(first) is None
    assert book.cancel(second) is task
    assert book.cancel(second) is None
    assert book.cancel("unknown") is None
    assert not book.posted(task, 1)  # it reached the server in the meantime: take it away
    assert book.open_tasks() == {}
    third, task = opened(book)
    book.finish(task, b"reply", None)
    book.cancel(third)  # after the answer, before it was read
    assert book.replies(0) == []


def test_times_are_our_own(clock: SimpleNamespace) -> None:
    book = Book(SITES, 3600)
    for number, site in enumerate(SITES):
        _, task = opened(book, site)
        book.posted(task, number)
    clock.now += 3599
    assert book.late() == []
    clock.now += 2
    assert {(task.site, code) for task, code in book.late()} == {
        ("a", SITE_UNREACHABLE),
        ("b", SITE_UNREACHABLE),
    }
    _, task = opened(book, "a", b"other")
    book.posted(task, 7)
    task.started = clock.now
    clock.now += ANSWER_SECONDS + 1
    assert (task, SITE_TIMEOUT) in book.late()


def test_the_longer_it_takes_the_less_often_it_is_asked_after(clock: SimpleNamespace) -> None:
    book = Book(SITES, 3600)
    _, task = opened(book)
    book.posted(task, 1)
    looks = []
    start = clock.now
    while clock.now < start + 60:
        clock.now = book.next_look()
        assert book.due() == {1: task}
        looks.append(clock.now - start)
    assert looks[0] == pytest.approx(0.2)
    assert max(b - a for a, b in itertools.pairwise(looks)) == pytest.approx(5.0)
    assert len(looks) < 40
    book.line = True  # events tell; a look is for those that got lost
    book.look_soon(1)
    book.due()
    assert book.next_look() - clock.now >= 2
    book.look_soon(2)  # not ours
    assert book.next_look() > clock.now
    assert Book(SITES, 1).next_look() == float("inf")


def test_presence_is_what_the_server_said_or_a_reply_showed(clock: SimpleNamespace) -> None:
    book = Book(SITES, 3600)
    assert book.status("a").state == book.status("elsewhere").state == "unknown"
    book.saw({11: True, 12: False, 99: True}, all_of_them=True)
    assert (book.status("a").state, book.status("b").state) == ("up", "down")
    since = book.status("b").since
    book.saw({12: False})
    assert book.status("b").since == since
    _, task = opened(book, "b")
    book.finish(task, b"reply", None)  # a node that only polls is never online on the server
    book.saw({12: False}, all_of_them=True)
    assert book.status("b").state == "up"
    clock.now += 200
    assert book.status("a").state == "unknown"  # nothing was heard of the server for long
    book.saw({11: True, 12: False}, all_of_them=True)
    assert book.status("b").state == "down"


def test_a_run_is_somebody_elses_only_when_all_ours_have_numbers() -> None:
    book = Book(SITES, 3600)
    _, task = opened(book)
    assert not book.disown(5)
    assert not book.is_foreign(5)  # it may be the one that is on its way
    book.posted(task, 1)
    assert book.disown(5)
    assert book.is_foreign(5)
    assert book.task(1) is task
    for run in range(20_000):
        book.disown(run)
    assert not book.is_foreign(6)  # only so many are kept


def test_replies_wait_no_longer_than_they_are_told() -> None:
    start = time.monotonic()
    assert Book(SITES, 1).replies(0.05) == []
    assert time.monotonic() - start < 2
