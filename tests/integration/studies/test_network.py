"""Networks, subnetworks, agreements, groups: on each real database built by the migrations."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.query.errors import QueryError
from federation.runs.errors import RunError
from federation.runs.service import asked_sites
from registry.database import SessionFactory, engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.events import announced
from studies.hospitals.steps import state_on
from studies.models import Network, Participation, Study
from studies.network import agreements, decisions, joining
from studies.network.directory import network_at, states_at
from studies.network.expertise import declare_expertise, end_expertise, expertise_map
from studies.network.groups import (
    add_group,
    add_professional,
    chair,
    find_group,
    gaps,
    leave_seat,
    seats,
    take_seat,
)
from studies.network.models import Agreement, Expertise, Subnetwork
from studies.network.places import find_place
from studies.register.finding import Wish, find_studies
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON
from studies.seeds.oncozon_whole import ONCOZON_WHOLE
from studies.seeds.zuidwest import ZUIDWEST

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)
STUDY = HORMONE_THERAPY.slug
BOARD = Actor("user", "bea", frozenset({"board@site:spijkenisse-mc"}), "Bea Bestuur")
SOME = replace(ZUIDWEST, trials=ZUIDWEST.trials[:6])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seeded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SessionFactory]:
    """Both networks, written once per kind of database; each test takes back what it did."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("network") / "hub.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_server")
        made = server.create(request.getfixturevalue("postgres_template"))
        url = made.render_as_string(hide_password=False)
    factory = open_database(url)
    seed = replace(ONCOZON, expertise=ONCOZON_WHOLE.expertise, meetings=ONCOZON_WHOLE.meetings[:1])
    with factory() as session:
        studies.load_network(session, seed, SYSTEM, now=NOW)
        studies.load_network(session, SOME, SYSTEM, now=NOW)
        session.commit()
    yield factory
    engine_of(factory).dispose()
    if request.param == "postgresql":
        server.drop(made)


@pytest.fixture
def session(seeded: SessionFactory) -> Iterator[Session]:
    with seeded() as session:
        yield session
        session.rollback()


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


class _All:
    """A question to every hospital, or to those named."""

    def __init__(self, sites: Any = "all") -> None:
        self.study, self.sites = STUDY, sites


def asked(session: Session, sites: Any = "all") -> list[str]:
    return asked_sites(session, _All(sites))  # type: ignore[arg-type]


def test_an_institution_in_two_subnetworks_is_counted_once(session: Session) -> None:
    whole = network_at(session, "zuidwest", NOW)
    assert len(whole.members) == 17
    assert [each.slug for each in whole.shared] == ["erasmus-mc"]
    parts = [network_at(session, "zuidwest", NOW, subnetwork=s) for s in ("embraze", "concord")]
    assert [len(part.members) for part in parts] == [9, 9]
    without = network_at(session, "zuidwest", NOW, without=["erasmus-mc"])
    assert [each.slug for each in without.left_out] == ["erasmus-mc"]
    erasmus = next(m for m in whole.members if m.institution.slug == "erasmus-mc")
    assert [(sub.slug, role) for sub, role in erasmus.parts] == [
        ("concord", "lead"),
        ("embraze", "lead"),
    ]
    # The totals of the parts count Erasmus MC twice, that of the network does not.
    assert erasmus.taking_part > 0
    assert whole.open_places == sum(part.open_places for part in parts) - erasmus.open
    assert whole.open_places == without.open_places + erasmus.open
    taking = [sum(m.taking_part for m in view.members) for view in (whole, *parts, without)]
    assert (
        taking[0] == taking[1] + taking[2] - erasmus.taking_part == taking[3] + erasmus.taking_part
    )
    states = states_at(session, "zuidwest", NOW)
    assert whole.studies == len(
        {s for (s, _), at in states.items() if at not in ("declined", "closed")}
    )
    with refused("not_found"):
        network_at(session, "zuidwest", datetime(2016, 7, 1, tzinfo=UTC), subnetwork="concord")


def test_states_on_a_date_are_the_fold_of_the_steps(session: Session) -> None:
    parts = session.scalars(
        select(Participation).join(Study).where(Study.network == "zuidwest")
    ).all()
    assert len(parts) > 20
    for days in (0, 200, 600, 1500, 4000):
        at = NOW - days * DAY
        expected = {
            (part.study, part.institution): state
            for part in parts
            if (state := state_on(part.steps, at)) is not None
        }
        assert states_at(session, "zuidwest", at) == expected
    assert states_at(session, "zuidwest", NOW) == {(p.study, p.institution): p.state for p in parts}


def test_without_a_valid_agreement_a_hospital_is_not_asked(session: Session) -> None:
    everybody = sorted(HORMONE_THERAPY.sites)
    assert asked(session) == everybody
    agreement = session.scalars(
        select(Agreement).where(Agreement.network == "oncozon", Agreement.kind == "queries")
    ).one()
    agreements.withdraw_signature(session, agreement, "viecuri", actor=BOARD, now=NOW)
    left = [slug for slug in everybody if slug != "viecuri"]
    session.info["clock"] = lambda: NOW
    assert studies.open_sites(session, STUDY) == asked(session) == left
    assert studies.open_sites(session, STUDY, NOW - DAY) == everybody
    with pytest.raises(QueryError, match="viecuri"):
        asked(session, ("viecuri",))
    assert not agreements.valid_for(session, "oncozon", "viecuri", NOW)
    with refused("not_signed"):
        agreements.withdraw_signature(session, agreement, "viecuri", actor=BOARD, now=NOW)
    agreements.sign_agreement(
        session, agreement, "viecuri", signatory="Bea", actor=BOARD, now=NOW, at=NOW
    )
    assert studies.open_sites(session, STUDY, NOW) == everybody
    # An agreement of another kind, or a version that has ended, opens nothing.
    agreement.until = NOW
    assert studies.open_sites(session, STUDY, NOW) == []
    with pytest.raises(RunError, match="NO_SITES"):
        asked(session)
    joining.need_agreements(session, "oncozon", [], actor=SYSTEM)
    assert studies.open_sites(session, STUDY, NOW) == everybody
    with refused("unknown_code"):
        joining.need_agreements(session, "oncozon", ["handshake"], actor=SYSTEM)
    # A network that nobody described, and one that there is not, ask nobody.
    session.add(Network(slug="new", name="New"))
    session.flush()
    for network in ("new", "nowhere"):
        assert agreements.may_be_asked(session, network, ["catharina"], NOW) == []
    actions = [each.action for each in announced(session)]
    assert {"agreement.withdrawn", "agreement.signed", "network.needs"} <= set(actions)


def test_signing_and_its_refusals(session: Session) -> None:
    found = session.scalars(select(Agreement).where(Agreement.network == "zuidwest")).one()
    lacking = network_at(session, "zuidwest", NOW).members
    assert [m.institution.slug for m in lacking if m.lacking] == ["spijkenisse-mc"]

    def sign(site: str = "spijkenisse-mc", **when: Any) -> Any:
        return agreements.sign_agreement(
            session, found, site, signatory=BOARD.name, actor=BOARD, now=NOW, **when
        )

    for site, when, code in (
        ("catharina", {}, "not_a_member"),
        ("amphia", {}, "already_signed"),
        ("spijkenisse-mc", {"at": NOW + DAY}, "in_the_future"),
        ("spijkenisse-mc", {"at": datetime(2020, 1, 1, tzinfo=UTC)}, "bad_period"),
    ):
        with refused(code):
            sign(site, **when)
    assert sign().signatory == "Bea Bestuur"
    assert agreements.valid_for(session, "zuidwest", "spijkenisse-mc", NOW)
    assert not agreements.valid_for(session, "zuidwest", "spijkenisse-mc", NOW - DAY)
    given = {"network": "zuidwest", "title_nl": "t", "title_en": "t", "since": NOW, "actor": BOARD}
    for changes, code in (
        ({"kind": "queries", "version": "2023-1"}, "name_taken"),
        ({"kind": "handshake", "version": "1"}, "unknown_code"),
        ({"kind": "queries", "version": "2", "until": NOW - DAY}, "bad_period"),
        ({"kind": "queries", "version": "2", "network": "nowhere"}, "not_found"),
    ):
        with refused(code):
            agreements.add_agreement(session, **{**given, **changes})


def test_members_come_and_go(session: Session) -> None:
    embraze = session.scalars(select(Subnetwork).where(Subnetwork.slug == "embraze")).one()
    with refused("not_a_member"):
        joining.join_subnetwork(session, embraze, "catharina", since=NOW, actor=SYSTEM)
    with refused("name_taken"):
        joining.join_network(session, "zuidwest", "amphia", since=NOW, actor=SYSTEM)
    joining.join_network(session, "zuidwest", "catharina", since=NOW - 9 * DAY, actor=SYSTEM)
    joining.join_subnetwork(session, embraze, "catharina", since=NOW - 8 * DAY, actor=SYSTEM)
    with refused("name_taken"):
        joining.join_subnetwork(session, embraze, "catharina", since=NOW, actor=SYSTEM)
    joining.leave_network(session, "zuidwest", "catharina", at=NOW - 2 * DAY, actor=SYSTEM)
    sizes = [
        (
            len(network_at(session, "zuidwest", NOW - days * DAY).members),
            len(network_at(session, "zuidwest", NOW - days * DAY, subnetwork="embraze").members),
        )
        for days in (10, 9, 8, 3, 2, 0)
    ]
    assert sizes == [(17, 9), (18, 9), (18, 10), (18, 10), (17, 9), (17, 9)]
    with refused("not_a_member"):
        joining.leave_subnetwork(session, embraze, "catharina", at=NOW, actor=SYSTEM)
    with refused("name_taken"):
        joining.add_subnetwork(
            session, network="zuidwest", slug="embraze", name="E", since=NOW, actor=SYSTEM
        )


def test_gaps_are_shown_and_filled(session: Session) -> None:
    members = studies.list_institutions(session, "oncozon", NOW)
    group = add_group(
        session,
        network="oncozon",
        slug="rare",
        name_nl="Zeldzaam",
        name_en="Rare",
        tumours=["C37", "c46.1"],
        expected=["pathology", "radiotherapy", "surgical_oncology"],
        since=NOW - 30 * DAY,
        actor=SYSTEM,
    )
    assert group.tumours == ["C37", "C46.1"]
    assert len(gaps(group, members, NOW).institutions) == 10
    person = add_professional(session, "Iemand  Verzonnen", actor=SYSTEM, invented=True)
    assert person.name == "Iemand Verzonnen"

    def sit(discipline: str, site: str | None, days: int, role: str = "member") -> Any:
        return take_seat(
            session,
            group,
            person,
            discipline=discipline,
            institution=site,
            since=NOW - days * DAY,
            actor=SYSTEM,
            role=role,
        )

    first = sit("pathology", "catharina", 20, "chair")
    sit("client_council", "viecuri", 20, "observer")  # fills no gap
    sit("patient", None, 20, "patient")
    found = gaps(group, members, NOW)
    assert "catharina" not in {each.slug for each in found.institutions}
    assert "viecuri" in {each.slug for each in found.institutions}
    assert found.disciplines == ("radiotherapy", "surgical_oncology")
    assert gaps(group, members, NOW - 25 * DAY).disciplines[0] == "pathology"
    second = sit("surgical_oncology", "zuyderland", 5, "chair")
    assert chair(group, NOW - 6 * DAY) is first
    assert chair(group, NOW) is second
    leave_seat(session, group, second, at=NOW - DAY, actor=SYSTEM)
    assert [seat.role for seat in seats(group, NOW)] == ["observer", "patient"]
    # An institute for radiotherapy is not missed where its discipline is not wanted.
    breast, hereditary = (
        find_group(session, f"oncozon.{slug}") for slug in ("breast", "hereditary")
    )
    assert breast is not None
    assert hereditary is not None
    assert "maastro" not in {each.slug for each in gaps(hereditary, members, NOW).institutions}
    assert not gaps(breast, members, NOW).institutions
    for changes, code in (
        ({"discipline": "magic"}, "unknown_code"),
        ({"institution": "amphia"}, "not_a_member"),
        ({"until": NOW - 30 * DAY}, "bad_period"),
    ):
        given = {"discipline": "pathology", "institution": None, "since": NOW, "actor": SYSTEM}
        with refused(code):
            take_seat(session, group, person, **{**given, **changes})


def test_the_expertise_map_keeps_its_dates(session: Session) -> None:
    def places(at: datetime) -> list[str]:
        lines = expertise_map(session, "oncozon", at)
        found = next(
            line for line in lines if (line.tumour, line.treatment) == ("C15-C16", "surgery")
        )
        return [place.slug for place, _ in found.places]

    assert places(NOW) == ["catharina"]
    assert places(datetime(2019, 1, 1, tzinfo=UTC)) == ["catharina", "zuyderland"]
    given = {"network": "oncozon", "institution": "viecuri", "tumour": "c15-c16"}
    line = declare_expertise(session, **given, treatment="surgery", since=NOW - DAY, actor=SYSTEM)
    assert places(NOW) == ["catharina", "viecuri"]
    with refused("name_taken"):
        declare_expertise(session, **given, treatment="surgery", since=NOW, actor=SYSTEM)
    with refused("unknown_code"):
        declare_expertise(session, **given, treatment="magic", since=NOW, actor=SYSTEM)
    end_expertise(session, line, at=NOW, actor=SYSTEM)
    assert places(NOW) == ["catharina"]
    assert session.get(Expertise, line.id) is line


def test_studies_open_nearest_to_a_place(session: Session) -> None:
    wish = Wish(place=find_place("Weert"), group="oncozon.breast")
    [near] = find_studies(session, wish, NOW)
    assert (near.study.slug, near.places[0][0].slug, near.nearest) == (STUDY, "sjg-weert", 0)
    distances = [km for _, km in near.places if km is not None]
    assert (len(distances), distances) == (10, sorted(distances))

    def about(tumour: str) -> set[str]:
        return {each.study.slug for each in find_studies(session, Wish(tumour=tumour), NOW)}

    assert STUDY in about("C50.4")
    assert STUDY not in about("C34")
    with refused("bad_tumour"):
        about("lung")
    # Whoever left the network is no place to take part, whatever its part in the study says.
    joining.leave_network(session, "oncozon", "sjg-weert", at=NOW, actor=SYSTEM)
    assert near.places[0] in find_studies(session, wish, NOW - DAY)[0].places
    assert near.places[0] not in find_studies(session, wish, NOW)[0].places


def test_the_log_only_grows_and_a_meeting_freezes(session: Session) -> None:
    group = find_group(session, "oncozon.breast")
    assert group is not None
    assert [d.links for d in decisions.decisions(session, group)] == [
        [{"kind": "study", "id": STUDY}]
    ]
    made = decisions.record_decision(
        session,
        group,
        text=" Anders. ",
        at=NOW - DAY,
        actor=BOARD,
        now=NOW,
        links=[("query", "1234")],
        replaces=1,
    )
    assert (made.number, made.text, made.replaces) == (2, "Anders.", 1)
    assert [d.number for d in decisions.decisions(session, group, NOW - 2 * DAY)] == [1]
    for changes, code in (
        ({"text": " "}, "empty_text"),
        ({"at": NOW + DAY}, "in_the_future"),
        ({"links": [("patient", "x")]}, "unknown_code"),
        ({"replaces": 3}, "not_found"),
    ):
        given = {"text": "Zo.", "at": NOW, "actor": BOARD, "now": NOW}
        with refused(code):
            decisions.record_decision(session, group, **{**given, **changes})
    meeting = decisions.plan_meeting(
        session, group, held_on=NOW, agenda=["Een", "", "Een", "Twee"], actor=BOARD
    )
    assert meeting.agenda == [*decisions.STANDING, "Een", "Twee"]
    kept = decisions.freeze_meeting(session, group, meeting, {"a": 1}, actor=BOARD, now=NOW)
    session.flush()
    session.expire_all()
    assert kept.frozen == {"a": 1}
    assert kept.sha256 == decisions.digest({"a": 1})
    for act in (
        lambda: decisions.freeze_meeting(session, group, kept, {}, actor=BOARD, now=NOW),
        lambda: decisions.plan_meeting(session, group, held_on=NOW, agenda=[], actor=BOARD),
    ):
        with refused("meeting_frozen"):
            act()


def test_a_seed_is_written_once_and_says_how_much(session: Session) -> None:
    before = len(session.scalars(select(Participation.id)).all())
    studies.load_network(session, SOME, SYSTEM, now=NOW + DAY)
    assert len(session.scalars(select(Participation.id)).all()) == before
    written = session.scalars(select(Study).where(Study.network == "zuidwest")).all()
    assert len(written) == 6
    assert not any(study.asks_data for study in written)
    trials = {trial.slug: trial for trial in SOME.trials}
    for study in written:
        trial = trials[study.slug]
        assert {p.institution: p.state for p in study.participations} == {
            part.institution: part.state for part in trial.parts
        }
        assert studies.open_sites(session, study.slug, NOW) == []  # it asks no data
