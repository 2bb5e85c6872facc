"""Networks, studies and taking part, on each real database built by the migrations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import product
from typing import Any

import pytest
from sqlalchemy.orm import Session

from federation.query.codebook import Codebook, load_codebook
from registry.database import SessionFactory
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.events import announced
from studies.hospitals.pathway import pathway
from studies.models import Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON
from studies.states import PARTICIPATION_STATES

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)
STUDY = HORMONE_THERAPY.slug
CODEBOOK = {"codebook": "mine/1", "variables": {"age": {"type": "integer"}}}


@pytest.fixture
def session(factory: SessionFactory) -> Any:
    with factory() as session:
        studies.load_network(session, ONCOZON, SYSTEM, now=NOW)
        session.commit()
        yield session


def new_study(session: Session, **changes: Any) -> Study:
    given: dict[str, Any] = {
        "slug": "mine",
        "network": "oncozon",
        "title_nl": "Mijn studie",
        "title_en": "My study",
        "question_nl": "Helpt het?",
        "question_en": "Does it help?",
        "purpose_nl": "Weten.",
        "purpose_en": "To know.",
        "codebook": CODEBOOK,
        "requires": ["use.record"],
        "actor": SYSTEM,
        "now": NOW,
    }
    return studies.create_study(session, **{**given, **changes})


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


def test_the_whole_network_is_there(session: Session) -> None:
    [network] = studies.list_networks(session)
    assert network.name == "OncoZON"
    members = studies.list_institutions(session, "oncozon", NOW)
    assert {member.name for member in members} == {each.name for each in ONCOZON.institutions}
    assert studies.list_institutions(session, "oncozon", datetime(2015, 1, 1, tzinfo=UTC)) == []
    groups = studies.list_groups(session, "oncozon")
    assert len(groups) == 16
    assert all(group.members[0].role == "chair" for group in groups)
    [study] = studies.list_studies(session)
    assert study.title("nl") == HORMONE_THERAPY.title_nl
    assert study.title("en") == HORMONE_THERAPY.title_en
    assert study.question("nl") == HORMONE_THERAPY.question_nl
    assert study.question("en") == HORMONE_THERAPY.question_en
    assert study.group is not None
    assert study.group.slug == "breast"
    assert studies.open_sites(session, STUDY) == sorted(HORMONE_THERAPY.sites)
    part = studies.get_participation(session, STUDY, "maastro")
    assert [step.state for step in part.steps] == ["invited", "feasibility", "approved", "open"]
    assert part.of_institution.name == "MAASTRO clinic"


def test_loading_again_changes_nothing(session: Session) -> None:
    studies.load_network(session, ONCOZON, SYSTEM)
    assert announced(session) == ()


def test_an_institution_may_be_in_two_networks(session: Session) -> None:
    shared = next(each for each in ONCOZON.institutions if each.slug == "maastro")
    other = replace(ONCOZON, slug="other", name="Other", institutions=(shared,), groups=())
    studies.load_network(session, replace(other, studies=()), SYSTEM, now=NOW)
    assert [each.slug for each in studies.list_institutions(session, "other", NOW)] == ["maastro"]
    assert len(studies.list_institutions(session, "oncozon", NOW)) == 10


def test_the_codebook_comes_back_in_its_order(session: Session) -> None:
    session.expire_all()
    stored = Codebook.from_dict(studies.get_study(session, STUDY).codebook)
    shipped = load_codebook(files("studies").joinpath("seeds/gbsg.yaml").read_bytes())
    assert stored == shipped
    assert list(stored.variables) == list(shipped.variables)
    assert stored.variables["menopause"].group_labels == ("pre", "post")


def test_a_level_that_yaml_reads_as_a_truth_value_stays_a_word(session: Session) -> None:
    levels = {
        "a": {"type": "category", "levels": {False: "nee", 2: "twee"}},
        "b": {"type": "category", "levels": ["a", "b"]},
    }
    study = new_study(session, codebook={"codebook": "m/1", "variables": levels})
    assert study.codebook["variables"]["a"]["levels"] == [
        {"code": "false", "label": "nee"},
        {"code": "2", "label": "twee"},
    ]
    assert study.codebook["variables"]["b"]["levels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"slug": "Bad Name"}, "bad_name"),
        ({"slug": STUDY}, "name_taken"),
        ({"network": "nowhere"}, "not_found"),
        ({"group": "nothing"}, "not_found"),
        ({"requires": []}, "requirement_set_empty"),
        ({"codebook": {}}, "bad_codebook"),
        ({"codebook": {"codebook": "m/1", "variables": {}}}, "bad_codebook"),
        ({"codebook": {"codebook": "m/1", "variables": ["age"]}}, "bad_codebook"),
        ({"codebook": {"codebook": "m/1", "variables": {"age": "integer"}}}, "bad_codebook"),
    ],
)
def test_a_study_that_is_not_whole_is_refused(
    session: Session, changes: dict[str, Any], code: str
) -> None:
    with refused(code):
        new_study(session, **changes)


def test_a_study_opens_and_closes_for_good(session: Session) -> None:
    study = new_study(session)
    assert studies.list_studies(session, states=["draft"]) == [study]
    assert study not in studies.list_studies(session)
    assert studies.open_sites(session, "mine") == []
    studies.move_study(session, study, "open", actor=SYSTEM, now=NOW)
    studies.move_study(session, study, "closed", actor=SYSTEM, now=NOW)
    with refused("step_not_allowed"):
        studies.move_study(session, study, "open", actor=SYSTEM, now=NOW)


def test_inviting(session: Session) -> None:
    study = new_study(session)
    part = studies.invite(
        session,
        study,
        "viecuri",
        actor=SYSTEM,
        now=NOW,
        at=NOW - DAY,
        contact="Ward 3",
        reason="recorded_late",
    )
    assert (part.state, part.since, part.contact) == ("invited", NOW - DAY, "Ward 3")
    for institution, at, code in (
        ("viecuri", NOW, "name_taken"),
        ("nowhere", NOW, "not_a_member"),
        ("maastro", NOW + DAY, "in_the_future"),
    ):
        with refused(code):
            studies.invite(session, study, institution, actor=SYSTEM, now=NOW, at=at)


def test_only_the_steps_of_the_table(session: Session) -> None:
    part = studies.get_participation(session, STUDY, "catharina")
    given: dict[str, Any] = {"actor": SYSTEM, "now": NOW, "reason": "no_capacity"}
    for state, to in product(PARTICIPATION_STATES, PARTICIPATION_STATES):
        part.state = state
        if pathway("data").allows(state, to):
            studies.move(session, part, to, **given)
            assert part.state == to
        else:
            with refused("step_not_allowed"):
                studies.move(session, part, to, **given)


def test_a_step_keeps_when_who_and_why(session: Session) -> None:
    part = studies.get_participation(session, STUDY, "catharina")
    who = Actor("user", "coordinator-1")
    studies.move(session, part, "on_hold", actor=who, now=NOW + DAY, at=NOW, reason="no_capacity")
    last = part.steps[-1]
    assert (last.number, last.at, last.recorded_at) == (5, NOW, NOW + DAY)
    assert (last.by, last.note_code) == ("coordinator-1", "no_capacity")
    assert "catharina" not in studies.open_sites(session, STUDY)
    assert dict(announced(session)[-1].facts) == {
        "institution": "catharina",
        "number": 5,
        "note": "no_capacity",
    }
    for changes, code in (
        ({"reason": "because"}, "unknown_note"),
        ({"at": NOW + 3 * DAY}, "in_the_future"),
        ({"at": NOW - DAY, "reason": "recorded_late"}, "before_last_step"),
    ):
        given: dict[str, Any] = {"actor": who, "now": NOW + DAY, **changes}
        with refused(code):
            studies.move(session, part, "open", **given)


def test_nodes(session: Session) -> None:
    given: dict[str, Any] = {"engine": "embedded", "actor": SYSTEM, "now": NOW}
    with refused("not_found"):
        studies.enrol_node(session, institution="nowhere", sign_pub="s", box_pub="b", **given)
    node = studies.enrol_node(session, institution="viecuri", sign_pub="s", box_pub="b", **given)
    again = studies.enrol_node(session, institution="viecuri", sign_pub="t", box_pub="c", **given)
    assert again is node
    assert studies.list_nodes(session) == {"viecuri": node}
    told: dict[str, Any] = {
        "terms": {"t_cell": 10},
        "policy_sha256": "0" * 64,
        "software": "1",
        "actor": Actor("site", "viecuri"),
    }
    studies.note_node(session, node, now=NOW, **told)
    assert announced(session)[-1].action == "site.policy_changed"
    studies.note_node(session, node, now=NOW + DAY, **told)
    assert announced(session)[-1].action == "site.seen"
    assert node.last_seen == NOW + DAY


def test_what_is_not_there(session: Session) -> None:
    with refused("not_found"):
        studies.get_study(session, "nothing")
    with refused("not_found"):
        studies.get_participation(session, STUDY, "nowhere")
