"""The table of steps: every allowed and every forbidden transition, on every road."""

from itertools import chain, combinations, product

import pytest

from studies.errors import StudiesError
from studies.hospitals import committee
from studies.hospitals import work as site_work
from studies.hospitals.committee import BODIES
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.documents import KINDS
from studies.hospitals.guards import GUARDS
from studies.hospitals.models import (
    CommitteeDecision,
    SiteAnnex,
    SiteMilestone,
    SitePlan,
    StudyDocument,
    StudyEvent,
    StudyVersion,
)
from studies.hospitals.pathway import ALWAYS, BY_CODE, MILESTONES, STEPS, Pathway, pathway
from studies.hospitals.versions import VERSION_KINDS
from studies.models import Participation, ParticipationStep, Study
from studies.states import (
    NOTE_CODES,
    PARTICIPATION_ENDED,
    PARTICIPATION_STATES,
    STUDY_DESIGNS,
    STUDY_KINDS,
    STUDY_PHASES,
)
from studies.study_state import EVENTS

# Written out by hand from domain.md 2.2, not taken from the table: what may follow what.
WMO = {
    "invited": {"declined", "feasibility"},
    "declined": {"invited"},
    "feasibility": {"declined", "local_review"},
    "local_review": {"declined", "vgo_signed", "contract_signed"},
    "vgo_signed": {"declined", "contract_signed", "approved"},
    "contract_signed": {"declined", "vgo_signed", "approved"},
    "approved": {"declined", "initiated"},
    "initiated": {"declined", "open"},
    "open": {"on_hold", "closed_to_accrual", "closed"},
    "on_hold": {"open", "closed_to_accrual", "closed"},
    "closed_to_accrual": {"on_hold", "follow_up_done", "closed"},
    "follow_up_done": {"closed"},
    "closed": set(),
}
NWMO = {
    **{state: after - {"vgo_signed"} for state, after in WMO.items() if state != "vgo_signed"},
    "local_review": {"declined", "contract_signed"},
}
DATA = {
    "invited": {"declined", "feasibility", "closed"},
    "declined": {"invited"},
    "feasibility": {"declined", "approved", "closed"},
    "approved": {"declined", "open", "closed"},
    "open": {"on_hold", "closed"},
    "on_hold": {"open", "closed"},
    "closed": set(),
}
ROADS = {"wmo": WMO, "nwmo": NWMO, "data": DATA}
OPTIONAL = sorted(set(BY_CODE) - ALWAYS)
EVERY_CHOICE = list(
    chain.from_iterable(combinations(OPTIONAL, size) for size in range(len(OPTIONAL) + 1))
)


def test_the_thirteen_steps_in_their_order() -> None:
    assert [step.code for step in STEPS] == list(PARTICIPATION_STATES)
    assert [step.number for step in STEPS] == list(range(1, 14))
    assert set(ROADS) == set(STUDY_KINDS)


@pytest.mark.parametrize("kind", STUDY_KINDS)
def test_every_allowed_and_every_forbidden_transition(kind: str) -> None:
    road, meant = pathway(kind), ROADS[kind]
    assert {step.code for step in road.steps} == set(meant)
    for state, to in product(meant, PARTICIPATION_STATES):
        assert road.allows(state, to) == (to in meant[state]), (state, to)


def test_what_the_table_names_exists() -> None:
    for step in STEPS:
        assert set(step.guards) <= set(GUARDS)
        assert set(step.dates) <= set(MILESTONES)
        assert step.follows <= set(BY_CODE)
        assert step.reason_from <= step.follows
        assert step.owner in {"coordinator", "board", "committee"}
        assert step.name("nl") != "" != step.name("en")
        assert step.action == f"participation.{step.code}"
    used = {guard for step in STEPS for guard in step.guards}
    assert used == set(GUARDS)
    for guard in GUARDS.values():
        assert guard.words("nl").endswith(".")
        assert guard.words("en") != guard.words("nl")


@pytest.mark.parametrize("kind", STUDY_KINDS)
def test_whatever_a_network_leaves_out_a_hospital_can_open_and_close(kind: str) -> None:
    for left_out in EVERY_CHOICE:
        road = pathway(kind, left_out)
        codes = {step.code for step in road.steps}
        assert codes >= ALWAYS
        assert not codes & set(left_out)
        assert all(step.follows <= codes for step in road.steps), left_out
        assert all(step.code not in step.follows for step in road.steps)
        for step in road.steps:
            assert step.code == "invited" or road.leads("invited", step.code), left_out
            assert step.code == "closed" or road.leads(step.code, "closed"), left_out
        assert "open" in forward(road), left_out
        assert forward(road)[-1] == "closed"
        # Nobody is closed without having been open but by the table's own word.
        assert kind == "data" or not road.allows("approved", "closed")
        assert "vgo" not in guards(road) or "vgo_signed" in codes
        assert "contract" not in guards(road) or "contract_signed" in codes


@pytest.mark.parametrize("kind", STUDY_KINDS)
def test_a_hospital_in_a_step_that_is_left_out_later_goes_on(kind: str) -> None:
    whole = pathway(kind)
    for left_out in EVERY_CHOICE:
        road = pathway(kind, left_out)
        for state in set(left_out) & {step.code for step in whole.steps}:
            assert road.leads(state, "open") or state in ("closed_to_accrual", "follow_up_done")
            assert road.leads(state, "closed")
            assert not road.allows(state, state)
            assert road.step(state) is BY_CODE[state]


def test_the_vgo_and_the_contract_come_in_either_order_and_neither_is_gone_around() -> None:
    road = pathway("wmo")
    assert road.allows("local_review", "contract_signed")
    assert road.allows("contract_signed", "vgo_signed")
    assert not road.allows("local_review", "approved")
    assert pathway("nwmo").step("approved").follows == {"contract_signed"}
    assert pathway("wmo", ["local_review"]).allows("feasibility", "contract_signed")
    assert pathway("wmo", ["vgo_signed", "contract_signed"]).allows("local_review", "approved")


@pytest.mark.parametrize(
    ("kind", "left_out", "code"),
    [
        ("trial", (), "unknown_kind"),
        ("wmo", ("signed",), "unknown_step"),
        *[("wmo", (step,), "step_needed") for step in sorted(ALWAYS)],
    ],
)
def test_what_is_no_road(kind: str, left_out: tuple[str, ...], code: str) -> None:
    with pytest.raises(StudiesError, match=f"^{code}:"):
        pathway(kind, left_out)


def test_the_states_of_before_are_on_the_short_road() -> None:
    before = ("invited", "feasibility", "approved", "open", "on_hold", "closed")
    assert set(before) | {"declined"} == {step.code for step in pathway("data").steps}
    assert {code for code, after in DATA.items() if not after or code == "declined"} == (
        PARTICIPATION_ENDED
    )


def test_every_code_fits_into_its_column() -> None:
    # SQLite would keep a longer one; PostgreSQL refuses it, and the user gets an error.
    for column, codes in (
        (Participation.state, PARTICIPATION_STATES),
        (ParticipationStep.state, PARTICIPATION_STATES),
        (ParticipationStep.note_code, NOTE_CODES),
        (SitePlan.step, PARTICIPATION_STATES),
        (SiteMilestone.kind, MILESTONES),
        (SiteAnnex.department, DEPARTMENTS),
        (SiteAnnex.outcome, site_work.OUTCOMES),
        (StudyDocument.kind, KINDS),
        (StudyVersion.kind, VERSION_KINDS),
        (CommitteeDecision.body, BODIES),
        (CommitteeDecision.outcome, committee.OUTCOMES),
        (StudyEvent.kind, EVENTS),
        (Study.kind, STUDY_KINDS),
        (Study.phase, STUDY_PHASES),
        (Study.design, STUDY_DESIGNS),
    ):
        width = column.property.columns[0].type.length
        assert max(map(len, codes)) <= width, column


def forward(road: Pathway) -> list[str]:
    line = ["invited"]
    while (step := road.forward(line[-1])) is not None:
        assert step.code not in line
        line.append(step.code)
    assert road.forward("declined") is None
    after_hold = road.forward("on_hold")
    assert after_hold is not None
    assert after_hold.code == "open"
    return line


def guards(road: Pathway) -> set[str]:
    return {guard for step in road.steps for guard in step.guards}
