"""Erasing what was said about an ended study never opens anything: held against the rule itself."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.retention import may_go
from consent.rule import Choice, Scope, decide

START = datetime(2020, 1, 1, tzinfo=UTC)
ENDED = "ended"
SAID = st.tuples(
    st.sampled_from(["granted", "refused", "deferred", "withdrawn", "objected"]),
    st.sampled_from([ENDED, "other", "*"]),
    st.sampled_from(["use.record", "*"]),
    st.integers(0, 5),
)


def choice(kind: str, study: str, item: str, day: int) -> Choice:
    at = START + timedelta(days=day)
    return Choice(
        kind="grant" if kind == "granted" else "denial",
        scope=Scope("n", "s", item, study, "*" if item == "*" else "record"),
        effective_at=at,
        recorded_at=at,
        until=None,
        complete=True,
    )


@settings(max_examples=2000)
@given(st.lists(SAID, max_size=5))
def test_what_goes_never_opens(said: list[tuple[str, str, str, int]]) -> None:
    broad = any(kind == "granted" and study == "*" for kind, study, _, _ in said)
    kept = [each for each in said if each[1] != ENDED or not may_go(each[0], broad)]
    for study in (ENDED, "other"):
        request = Scope("n", "s", "use.record", study, "record")
        now = START + timedelta(days=9)
        before = decide(request, [choice(*each) for each in said], now)
        after = decide(request, [choice(*each) for each in kept], now)
        assert before.permit or not after.permit
        if study != ENDED:
            assert before.permit == after.permit, "other studies notice nothing"
