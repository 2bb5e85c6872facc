"""An engine that doubles, reorders, swaps or alters messages changes nothing but the time taken."""

from dataclasses import replace
from typing import Any

import pytest

from federation.engines.interface import Reply


@pytest.fixture
def expected(bench: Any) -> int:
    """Patients in all sites together."""
    return 180


def refusals(bench: Any) -> list[str]:
    """Codes of the security events that were audited."""
    found = bench.rows("SELECT facts FROM audit_line WHERE action = 'run.reply_refused'")
    return [str(facts) for (facts,) in found]


def test_doubled_messages_and_replies(bench: Any, expected: int) -> None:
    bench.carrier.send_twice = True
    bench.carrier.bend = lambda replies: [*replies, *replies]

    run = bench.finish(bench.hub.approved())

    assert run.outcome["result"]["n"] == expected
    assert bench.rows("SELECT count(*) FROM run_reply")[0][0] == 9  # the look first
    assert bench.rows("SELECT count(*) FROM audit_line WHERE action = 'run.complete'") == [(1,)]


def test_replies_in_reverse_order(bench: Any, expected: int) -> None:
    held: list[Reply] = []

    def hold(replies: list[Reply]) -> list[Reply]:
        held.extend(replies)
        if len(held) < 3:
            return []
        released = held[::-1]
        held.clear()
        return released

    bench.carrier.bend = hold
    assert bench.finish(bench.hub.approved()).outcome["result"]["n"] == expected


def test_one_sites_reply_under_another_sites_name(bench: Any, expected: int) -> None:
    renamed = []

    def rename(replies: list[Reply]) -> list[Reply]:
        if renamed:
            return replies
        renamed.append(replies[0].site)
        other = next(site for site in bench.hub.sites if site != replies[0].site)
        return [replace(replies[0], site=other), *replies[1:]]

    bench.carrier.bend = rename
    run = bench.finish(bench.hub.approved())

    assert renamed
    assert run.outcome["result"]["n"] == expected
    assert any("WRONG_SITE" in facts for facts in refusals(bench))


def test_the_bodies_of_two_sites_exchanged(bench: Any, expected: int) -> None:
    held: list[Reply] = []
    exchanged = []

    def exchange(replies: list[Reply]) -> list[Reply]:
        if exchanged:
            return replies
        held.extend(replies)
        if len(held) < 3:
            return []
        exchanged.append(True)
        # Each reply now holds what the next site signed for the very same step.
        turned = [*held[1:], held[0]]
        return [replace(a, body=b.body) for a, b in zip(held, turned, strict=True)]

    bench.carrier.bend = exchange
    run = bench.finish(bench.hub.approved())

    assert exchanged
    assert run.outcome["result"]["n"] == expected
    assert any("UNKNOWN_KEY" in facts for facts in refusals(bench))


def test_a_reply_of_an_earlier_step_under_a_new_handle(bench: Any, expected: int) -> None:
    first: dict[str, bytes] = {}
    replaced = []

    def repeat(replies: list[Reply]) -> list[Reply]:
        given = []
        for reply in replies:
            if reply.site in first and not replaced:
                replaced.append(reply.site)
                reply = replace(reply, body=first[reply.site])
            elif reply.body is not None:
                first.setdefault(reply.site, reply.body)
            given.append(reply)
        return given

    bench.carrier.bend = repeat
    run = bench.finish(bench.hub.approved())

    assert replaced
    assert run.outcome["result"]["n"] == expected
    assert any("WRONG_STEP" in facts for facts in refusals(bench))


def test_altered_bytes(bench: Any, expected: int) -> None:
    altered = []

    def alter(replies: list[Reply]) -> list[Reply]:
        if len(altered) >= 3:
            return replies
        given = []
        for reply in replies:
            body = reply.body or b""
            middle = len(body) // 2
            flipped = b"A" if body[middle : middle + 1] != b"A" else b"B"
            altered.append(reply.site)
            given.append(replace(reply, body=body[:middle] + flipped + body[middle + 1 :]))
        return given

    bench.carrier.bend = alter
    run = bench.finish(bench.hub.approved())

    assert altered
    assert run.outcome["result"]["n"] == expected
    assert any("BAD_SIGNATURE" in facts for facts in refusals(bench))
