"""docs/reference/site-steps.md and its picture are made from the table of steps, and equal it.

After a change of the table: ONCOKRING_WRITE_GOLDEN=1 .venv/bin/python -m pytest THIS FILE
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from studies.hospitals.committee import BODIES, OUTCOMES
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.documents import KINDS, MAX_BYTES
from studies.hospitals.guards import GUARDS
from studies.hospitals.pathway import ALWAYS, MILESTONES, STEPS, Step, pathway
from studies.identifiers import REGISTERS
from studies.states import NOTE_CODES, STUDY_KINDS
from studies.study_state import STANDINGS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE, PICTURE = REFERENCE / "site-steps.md", REFERENCE / "site-steps.svg"
HEAD = """# A hospital's road through a study

Made from `studies/hospitals/pathway.py` and `studies/hospitals/guards.py`, and compared with them
in each test run. The same table decides which step may follow which, what it asks for, the name of
the act in the audit log (`participation.<step>`), the buttons on the card of a hospital and what is
written beside a button that cannot be pressed yet, when somebody is reminded, and the words of an
export.

![The thirteen steps and which may follow which, for research under the WMO](site-steps.svg)

The picture shows research under the WMO; the tables say the same and more.

"""
TAIL = """
## Moving

- A step is taken when it is on the road, may follow the present state, and all it needs is met.
  Otherwise the answer is `step_not_allowed`, or `not_ready` with the codes of what is missing.
- A day that lies back needs a reason, and never lies before the step before it. What the step needs
  is judged by that day.
- No row of the history is changed; the database refuses it. A correction is a row too: a step
  happened on another day, if what it needs was there on that day, or the last step was a mistake.
  The state on a day is what the rows add up to, by what is known now or by what was known then.
- What happened before the hub knew of it is *taken over* (seeds, import): the order is checked,
  what the steps need is not, and each of them says so for good. Only the agreement for queries is
  looked at, because data could be asked at once. A spreadsheet says that a hospital was let in only
  of a day before the study was made here, never where data could be asked, and never for whoever
  proposed the study (`decided_in_person`).
- A department's no, and a day on which a condition was met, are replaced with a reason only; what
  stood there before is in the audit log.
- Each card has a version. A change that was made on an older one is refused (`changed_meanwhile`)
  with both versions, on two databases and also when both arrive at once.
- A network leaves steps out per kind of study (`oncokring network road`), but never {always}.
  What the step needed goes with it; a hospital that stands in it goes on from there.

## Who decides

A group proposes a study; after a count of patients was released to it, somebody else makes it a
joint study. Data access decides here: somebody of its committee with a fresh sign-in, and never
about what they proposed. METC, CCMO, CTIS and the reviewer of other research decide elsewhere: a
yes of theirs is written down with its number and its letter, by somebody of the study who did not
propose it (`letter_needed`, `own_proposal`); a no or a withdrawal by anybody of the study, at once.

Of each body its last word counts, and none speaks for another. While any last word is negative or
withdrawn, the study stands still. A study that asks hospitals for data is open only while data
access itself is positive; one under the WMO needs METC, CCMO or CTIS besides. The conditions of all
of them hold for every hospital.

The board signs. A signature needs a fresh sign-in, the role for that hospital, and the SHA-256 of
what was read; who put the document there does not sign it. It is kept with name, role, moment and
that SHA-256, and never changed.

## Versions and amendments

A version of protocol, consent form or information is in force from a day. From then no hospital
opens on an older one. Hospitals that are open take it into use by its last day; after that they
enrol nobody new until somebody signed for it. Who takes part already is not touched.

## Documents

PDF only, at most {megabytes} MB, kept in the database with their SHA-256, which is compared each
time one is read. A version is never written over. Nothing in a document is opened or carried out by
the hub; a page gives it as a download.
"""


def page() -> str:
    parts = [
        HEAD,
        table(
            ("", "step", "Dutch", "may follow", "who", "reminded after", "FHIR", "CT.gov"),
            [
                (
                    step.number,
                    f"`{step.code}` {step.name_en}",
                    step.name_nl,
                    codes(in_order(step.follows)) + (" (or first)" if step.number == 1 else ""),
                    step.owner,
                    "–" if step.remind_days is None else f"{step.remind_days} days",
                    f"`{step.fhir}`",
                    f"`{step.ctgov}`",
                )
                for step in STEPS
            ],
        ),
        "\n## What each step needs\n\n",
        table(
            ("step", "needs", "a reason after", "its dates", "its documents"),
            [
                (
                    f"`{step.code}`",
                    codes(step.guards),
                    codes(in_order(step.reason_from)),
                    codes(step.dates),
                    codes(step.documents),
                )
                for step in STEPS
            ],
        ),
        "\n",
        table(
            ("what it needs", "in words when it is missing", "in Dutch", "who sees to it"),
            [(f"`{g.code}`", g.words_en, g.words_nl, g.owner) for g in GUARDS.values()],
        ),
        "\n## The roads\n\n",
        table(
            ("kind", "what", "its steps, and what each may follow"),
            [(f"`{kind}`", names[0], road(kind)) for kind, names in STUDY_KINDS.items()],
        ),
        "\n",
        table(
            ("kind", "needs of the table that it does not have"),
            [(f"`{kind}`", codes(without(kind))) for kind in STUDY_KINDS],
        ),
        TAIL.format(always=codes(in_order(ALWAYS)), megabytes=MAX_BYTES // 1_000_000),
        "\n",
        table(
            ("document", "English", "Dutch", "of"),
            [
                (f"`{code}`", en, nl, "a hospital" if of_site else "the study")
                for code, (en, nl, of_site) in KINDS.items()
            ],
        ),
        "\n## The study itself\n\n"
        "Nobody types the state of a study. It follows from what was decided and from its\n"
        "hospitals; a study under the WMO is never open without a positive decision.\n\n",
        table(
            ("standing", "English", "Dutch", "short form"),
            [(f"`{c}`", en, nl, f"`{short}`") for c, (short, en, nl) in STANDINGS.items()],
        ),
        "\n",
        table(
            ("who decides", "name", "about"),
            [(f"`{c}`", name, codes(sorted(kinds))) for c, (name, kinds) in BODIES.items()],
        ),
        "\n",
        words("outcome", OUTCOMES),
        "\n",
        table(
            ("register", "name", "written as"),
            [(f"`{c}`", n, f"`{how}`".replace("|", "\\|")) for c, (n, how, _) in REGISTERS.items()],
        ),
        "\n## Lists\n\n",
        words("reason", NOTE_CODES),
        "\n",
        words("date within a step", MILESTONES),
        "\n",
        words("department", DEPARTMENTS),
    ]
    return "".join(parts)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def words(name: str, both: Mapping[str, tuple[str, str]]) -> str:
    return table((name, "English", "Dutch"), [(f"`{c}`", en, nl) for c, (en, nl) in both.items()])


def codes(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "–"


def in_order(states: Iterable[str]) -> list[str]:
    there = set(states)
    return [step.code for step in STEPS if step.code in there]


def road(kind: str) -> str:
    steps = pathway(kind).steps
    return "; ".join(f"`{s.code}` after {codes(in_order(s.follows))}" for s in steps)


def without(kind: str) -> list[str]:
    there = {step.code: step for step in pathway(kind).steps}
    return [
        guard
        for step in STEPS
        if step.code in there
        for guard in step.guards
        if guard not in there[step.code].guards
    ]


# The picture: boxes by hand, arrows from the table.
WIDE, HIGH, COLUMN = 136, 46, 172
BOXES = {
    "invited": (0, 150, 1),
    "feasibility": (1, 150, 1),
    "local_review": (2, 150, 1),
    "vgo_signed": (2.86, 85, 1),
    "contract_signed": (3.14, 215, 1),
    "approved": (4, 150, 1),
    "initiated": (5, 150, 1),
    "open": (6, 150, 1),
    "closed_to_accrual": (7, 150, 1),
    "follow_up_done": (8, 150, 1),
    "on_hold": (6, 20, 2),
    "declined": (0, 330, 6),
    "closed": (6, 330, 3),
}
ROWS_APART = {"declined", "closed", "on_hold"}


def box(code: str) -> tuple[float, float, float]:
    column, top, columns = BOXES[code]
    return 12 + column * COLUMN, top, WIDE + (columns - 1) * COLUMN


def arrow(start: str, end: str) -> tuple[float, float, float, float]:
    """From the edge of one box to the edge of the other."""
    left, top, width = box(start)
    to_left, to_top, to_width = box(end)
    if {start, end} & ROWS_APART:
        # Straight up or down, beside the middle, so that the way back has its own line.
        narrow = start if width <= to_width else end
        at, _, size = box(narrow)
        beside = {"vgo_signed": -0.38, "contract_signed": 0.3}.get(start, 0.0)
        if "on_hold" in (start, end):
            beside = -0.2 if end == "on_hold" else 0.2
        x = at + size * (0.5 + beside)
        if start == "on_hold" and end == "closed":
            x = left + width / 2
        down = to_top > top
        return x, top + HIGH if down else top, x, to_top if down else to_top + HIGH
    if abs(to_left - left) < COLUMN * 0.5:
        shift = -12 if to_top > top else 12
        x = (left + to_left + WIDE) / 2 + shift
        down = to_top > top
        return x, top + HIGH if down else top, x, to_top if down else to_top + HIGH
    return left + width, top + HIGH / 2, to_left, to_top + HIGH / 2


def picture() -> str:
    width, height = 12 + 9 * COLUMN, 390
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="14" role="img" '
        'aria-label="Which step of a hospital may follow which">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#44546a"/></marker>',
    ]
    for step in STEPS:
        for start in in_order(step.follows):
            x, y, to_x, to_y = arrow(start, step.code)
            parts.append(
                f'<line data-from="{start}" data-to="{step.code}" x1="{x:.0f}" y1="{y:.0f}" '
                f'x2="{to_x:.0f}" y2="{to_y:.0f}" stroke="#44546a" stroke-width="1.5" '
                'marker-end="url(#a)"/>'
            )
    parts += [drawn(step) for step in STEPS]
    return "\n".join([*parts, "</svg>", ""])


def drawn(step: Step) -> str:
    left, top, width = box(step.code)
    fill = {"open": "#d7efe0", "on_hold": "#fbeecb", "declined": "#eeeeee", "closed": "#eeeeee"}
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{HIGH}" rx="5" '
        f'fill="{fill.get(step.code, "#eaf1fb")}" stroke="#22314a"/>'
        f'<text x="{left + width / 2:.0f}" y="{top + 19:.0f}" text-anchor="middle" '
        f'fill="#101828" font-weight="bold">{step.number}</text>'
        f'<text x="{left + width / 2:.0f}" y="{top + 37:.0f}" text-anchor="middle" '
        f'fill="#101828">{step.code}</text>'
    )


def test_the_page_and_the_picture_are_the_table() -> None:
    if os.environ.get("ONCOKRING_WRITE_GOLDEN") == "1":
        PAGE.write_text(page(), "utf-8")
        PICTURE.write_text(picture(), "utf-8")
    assert PAGE.read_text("utf-8") == page()
    assert PICTURE.read_text("utf-8") == picture()


def test_the_picture_has_every_transition_and_no_other() -> None:
    drawing = ET.fromstring(PICTURE.read_text("utf-8"))  # noqa: S314 - our own file
    arrows = {
        (line.get("data-from"), line.get("data-to"))
        for line in drawing.iter()
        if line.get("data-from")
    }
    assert arrows == {(start, step.code) for step in STEPS for start in step.follows}
    texts = {text.text for text in drawing.iter() if text.tag.endswith("text")}
    assert texts >= {step.code for step in STEPS}
