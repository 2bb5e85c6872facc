"""The page about participants holds the tables that the code holds, row for row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from studies.exchange import fhir_words
from studies.participants.states import ENTRY, LEAVINGS, MILESTONES, REASONS, STATES, State
from studies.recruitment import consort, screening
from studies.states import PARTICIPATION_STATES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "participants.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose header line begins with these cells."""
    lines = PAGE.read_text("utf-8").split(f"\n| {heading}")[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append([first.strip("`"), *rest])
    return rows


def told(words: Mapping[str, tuple[str, str]]) -> list[list[str]]:
    return [[code, english, dutch] for code, (english, dutch) in words.items()]


def comes_from(state: State) -> str:
    if not state.stored:
        return "never stored: before consent"
    names = [name for name in (ENTRY, *STATES) if name in state.follows]
    return ", ".join("first" if name == ENTRY else name for name in names)


def test_the_page_says_what_the_tables_say() -> None:
    assert table("state |") == [
        [code, state.name_en, state.name_nl, comes_from(state)] for code, state in STATES.items()
    ]
    assert table("milestone |") == told(MILESTONES)
    assert table("way |") == [
        [code, way.name_en, way.name_nl, way.level or ""] for code, way in LEAVINGS.items()
    ]
    assert table("reason | English") == told(REASONS)
    assert table("code |") == told(screening.FAULTS)
    assert table("reason | stage") == [
        [code, stage, english, dutch]
        for stage, reasons in screening.REASONS.items()
        for code, (english, dutch) in reasons.items()
    ]
    arms = PAGE.read_text("utf-8").split("Arms have five numbers")[1]
    assert all(
        f"| `{code}` | {english} | {dutch} |" in arms
        for code, (english, dutch) in consort.ARM_FAULTS.items()
    )
    assert table("our state of a hospital |") == [
        [state, fhir_words.R5_OF_STEP[state], fhir_words.R4_OF_STEP[state]]
        for state in PARTICIPATION_STATES
    ]
