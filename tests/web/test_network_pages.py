"""The pages of network, hospital, group and board: who sees what, and what a form does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.documents import add_document
from studies.models import Membership, Study
from studies.network.agreement_paper import keep_paper
from studies.network.agreements import add_agreement
from studies.network.decisions import decisions
from studies.network.groups import find_group
from studies.network.joining import take_office
from studies.network.models import Agreement, GroupMeeting, Professional
from studies.seeds.zuidwest import ZUIDWEST

STUDY, SITE = "hormone-therapy", "catharina"
GROUP = "/group/oncozon/breast"
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SignedIn = Callable[..., FlaskClient]


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.get_data(as_text=True)


def test_the_network_is_shown_on_a_day(
    signed_in: SignedIn, factory: SessionFactory, clock: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        studies.load_network(session, ZUIDWEST, SYSTEM, now=clock.now)
    reader = signed_in("coordinator")
    reader.set_cookie("language", "en")
    assert "OncoZON" in page(reader, "/network")
    whole = page(reader, "/network/zuidwest")
    assert "Erasmus MC is in more than one subnetwork and is counted once." in whole
    assert '<dd class="num">17</dd>' in whole
    assert "queries of the network" in whole  # Spijkenisse has not signed
    assert '<dd class="num">9</dd>' in page(reader, "/network/zuidwest?sub=embraze")
    assert '<dd class="num">8</dd>' in page(
        reader, "/network/zuidwest?sub=embraze&without=erasmus-mc"
    )
    past = page(reader, "/network/zuidwest?on=2016-08-01")
    assert "This is how it was on 1 August 2016." in past
    assert "CONCORD</a>" not in past
    assert "CONCORD</a>" in whole
    for wrong in ("2016-13-01", "x", "2999-01-01", "0001-01-01"):
        assert 'aria-invalid="true"' in page(reader, f"/network/zuidwest?on={wrong}", 422)
    page(reader, "/network/nowhere", 404)
    page(reader, "/network/zuidwest?sub=nothing", 404)
    page(reader, "/network/zuidwest/expertise")
    hospital = page(reader, "/hospital/erasmus-mc")
    assert "EMBRAZE, lead representative" in hospital
    assert "CONCORD, lead representative" in hospital
    page(reader, "/hospital/nowhere", 404)


def test_the_api_means_the_same_day_as_the_page(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        member = select(Membership).where(Membership.institution == SITE)
        # Half past midnight on the eleventh here.
        session.scalars(member).one().since = datetime(2026, 1, 10, 23, 30, tzinfo=UTC)
        announce(session, actor=SYSTEM, action="network.changed", about="network:oncozon")
    reader = signed_in("researcher")
    for day, shown in (("2026-01-10", False), ("2026-01-11", True)):
        told = reader.get(f"/api/v1/networks/oncozon?on={day}").get_json()["members"]
        assert (SITE in str(told)) is shown
        assert (f"/hospital/{SITE}" in page(reader, f"/network/oncozon?on={day}")) is shown
    assert reader.get("/api/v1/networks/oncozon?on=9999-12-31").status_code == 200


def test_a_representative_and_an_observer_see_their_part_only(signed_in: SignedIn) -> None:
    member, lay = (page(signed_in(who), GROUP) for who in ("group", "representative"))
    assert "Leden per ziekenhuis en vakgebied" in member
    assert "Leden per ziekenhuis" not in lay
    assert "/hospital/" not in lay
    assert "Komt borstkanker minder vaak terug" in lay  # the question in lay words
    assert "How many" in lay  # the list of questions
    assert "Schrijf een besluit op" not in member + lay
    observer = signed_in("observer")
    assert "Wat openbaar is" in page(observer, "/network/oncozon/published")
    for path in ("/network", "/network/oncozon", f"/hospital/{SITE}", GROUP, "/group", "/board"):
        page(observer, path, 403)
    page(signed_in("representative"), f"/hospital/{SITE}", 403)
    page(signed_in("group"), "/group/oncozon/lung", 404)


def test_the_chair_keeps_the_log(
    signed_in: SignedIn, factory: SessionFactory, clock: Any, post: Any
) -> None:
    chair = signed_in("chair")
    for form, field in (
        ({"text": " "}, "text"),
        ({"text": "a", "at": "2999-01-01"}, "at"),
        ({"text": "a", "at": "31-02-2026"}, "at"),
        ({"text": "a", "replaces": "7"}, "replaces"),
        ({"text": "a", "replaces": "²"}, "replaces"),
    ):
        answer = post(f"{GROUP}/decision", chair, **form)
        assert answer.status_code == 422
        assert f'href="#{field}"' in answer.get_data(as_text=True)
    assert post(f"{GROUP}/decision", chair, text="a", study="other").status_code == 422
    assert post(f"{GROUP}/decision", signed_in("group"), text="a").status_code == 403
    answer = post(f"{GROUP}/decision", chair, text="Wij doen het.", study=STUDY, at="2-1-2026")
    assert answer.status_code == 303
    assert "Wij doen het." in page(signed_in("representative"), GROUP)
    assert post(f"{GROUP}/meeting", chair, held_on="soon").status_code == 422
    form = {"held_on": "2026-02-01", "agenda": "Eerst\nDan"}
    assert post(f"{GROUP}/meeting", chair, **form).status_code == 303
    with factory() as session:
        meeting = session.scalars(select(GroupMeeting)).one()
        group = find_group(session, "oncozon.breast")
        assert group is not None
        assert [each.text for each in decisions(session, group)] == ["Wij doen het."]
    path = f"{GROUP}/meeting/{meeting.id}"
    assert "nog niets bewaard" in page(chair, path)
    assert post(path, chair).status_code == 303
    assert post(path, chair).status_code == 409  # once, for good
    kept = page(chair, path)
    assert "sindsdien niet veranderd" in kept
    assert "Wij doen het." in kept
    assert "Marieke" not in page(signed_in("representative"), path)
    page(chair, f"/group/oncozon/lung/meeting/{meeting.id}", 404)
    # Half past midnight here, the day before by UTC: today can be typed, tomorrow cannot.
    clock.now = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    for day, status in (("2026-03-04", 422), ("2026-03-03", 303)):
        late = post(f"{GROUP}/decision", signed_in("chair"), text="Laat.", at=day)
        assert late.status_code == status


def test_the_network_office_renames_a_group_and_ends_an_office(
    signed_in: SignedIn, factory: SessionFactory, clock: Any, post: Any
) -> None:
    keep = "/network/oncozon/keep"
    with unit_of_work(factory, SYSTEM) as session:
        person = session.scalars(select(Professional)).first()
        assert person is not None
        office = take_office(
            session,
            kind="board",
            person=person,
            institution=SITE,
            since=clock.now - timedelta(days=30),
            actor=SYSTEM,
        )
        number, name = office.id, person.name
    boss, chair = signed_in("administrator"), signed_in("chair")
    assert keep in page(boss, "/network/oncozon")
    assert keep not in page(chair, "/network/oncozon")
    page(chair, keep, 403)
    assert "langer dan tien minuten" in page(signed_in("administrator", fresh=False), keep)
    page(boss, "/network/nowhere/keep", 404)
    assert name in page(boss, keep)
    whole = page(boss, f"{keep}?group=breast")
    version = whole.partition('name="version" value="')[2].partition('"')[0]
    new = {"group": "breast", "version": version, "name_nl": "Borst", "name_en": "Bosom"}
    new["since"] = "1-3-2026"
    for change, field, status in (
        ({"group": "nothing"}, "group", 422),
        ({"name_en": " "}, "name_en", 422),
        ({"since": "31-02-2026"}, "since", 422),
        ({"since": "2027-01-01"}, "since", 409),
        ({"name_nl": "Patiënt 12345678"}, "name_nl", 409),
    ):
        answer = post(f"{keep}/group", boss, **{**new, **change})
        assert answer.status_code == status, change
        assert f'href="#{field}"' in answer.text, change
    assert post(f"{keep}/group", boss, **new).status_code == 303
    late = post(f"{keep}/group", boss, **new)
    assert (late.status_code, "Begin opnieuw met wat er nu staat" in late.text) == (409, True)
    assert "<h1>Borst</h1>" in page(chair, GROUP)
    assert "<h1>Borst</h1>" not in page(chair, f"{GROUP}?on=2026-02-28")

    path = f"{keep}/office/{number}"
    for until, status in (("soon", 422), ("2020-01-01", 409), ("2026-03-02", 303)):
        done = post(path, boss, **{f"until-{number}": until})
        assert done.status_code == status, until
    assert name not in page(boss, keep)
    assert post(path, boss, **{f"until-{number}": "2026-03-02"}).status_code == 404


def test_a_board_signs_and_withdraws(
    signed_in: SignedIn, factory: SessionFactory, clock: Any, post: Any
) -> None:
    with factory() as session:
        wanted = select(Agreement).where(Agreement.kind == "queries")
        agreement = session.scalars(wanted.where(Agreement.network == "oncozon")).one().id
    board, path = signed_in("board"), f"/board/{SITE}/agreement"
    assert f"/board/{SITE}" in board.get("/board").location
    stale = post(path, signed_in("board", fresh=False), agreement=agreement, act="sign")
    assert "/sign-in/confirm" in stale.location
    assert post(path, board, agreement=agreement, act="sign").status_code == 409
    assert post(path, board, agreement=agreement, act="withdraw").status_code == 422
    assert post(path, board, agreement="nothing", act="sign").status_code == 422
    assert post("/board/zuyderland/agreement", board, agreement=agreement).status_code == 404
    done = post(path, board, agreement=agreement, act="withdraw", sure="yes")
    assert done.status_code == 303
    with factory() as session:
        assert SITE not in studies.open_sites(session, STUDY, clock.now)
        assert len(studies.open_sites(session, STUDY, clock.now)) == 9
    assert "ontbreekt een overeenkomst" in page(board, f"/hospital/{SITE}")
    clock.now += timedelta(minutes=1)
    assert post(path, board, agreement=agreement, act="sign").status_code == 303
    with factory() as session:
        assert SITE in studies.open_sites(session, STUDY, clock.now)


def test_a_board_reads_the_paper_of_an_agreement_and_signs_those_bytes(
    signed_in: SignedIn, factory: SessionFactory, clock: Any, post: Any
) -> None:
    def version(name: str) -> Agreement:
        return add_agreement(
            session,
            network="oncozon",
            kind="cooperation",
            version=name,
            title_nl=f"Samenwerking {name}",
            title_en=f"Cooperation {name}",
            since=clock.now,
            actor=SYSTEM,
        )

    with unit_of_work(factory, SYSTEM) as session:
        plain, papered = version("9"), version("10/a")
        with pytest.raises(StudiesError, match=r"^not_pdf:"):
            keep_paper(session, papered, b"hello", actor=SYSTEM)
        sha256 = keep_paper(session, papered, PDF, actor=SYSTEM)
        assert keep_paper(session, papered, PDF, actor=SYSTEM) == sha256
        with pytest.raises(StudiesError, match=r"^document_exists:"):
            keep_paper(session, papered, PDF + PDF, actor=SYSTEM)
        numbers = plain.id, papered.id
    board, path = signed_in("board"), f"/board/{SITE}/agreement"
    paper = f"/network/oncozon/agreement/{numbers[1]}"
    for shown in (f"/board/{SITE}", f"/hospital/{SITE}", "/network/oncozon"):
        assert paper in page(board, shown), shown
    answer = board.get(paper)
    assert (answer.data, answer.mimetype) == (PDF, "application/pdf")
    assert "oncozon-cooperation-10_a.pdf" in answer.headers["Content-Disposition"]
    for absent in (paper.replace("oncozon", "west"), paper.replace(numbers[1], numbers[0])):
        assert board.get(absent).status_code == 404
    for given in ({}, {"sha256": "0" * 64}):
        done = post(path, board, agreement=numbers[1], act="sign", **given)
        assert done.status_code == 409
    assert post(path, board, agreement=numbers[1], act="sign", sha256=sha256).status_code == 303
    assert "getekend door 1 van 10 instellingen" in page(board, "/network/oncozon")
    # Who signed without a paper is not given one afterwards.
    assert post(path, board, agreement=numbers[0], act="sign", sha256=sha256).status_code == 409
    assert post(path, board, agreement=numbers[0], act="sign").status_code == 303
    with factory() as session, pytest.raises(StudiesError, match=r"^paper_too_late:"):
        keep_paper(session, session.get_one(Agreement, numbers[0]), PDF, actor=SYSTEM)


def test_a_board_signs_the_document_it_was_shown(
    signed_in: SignedIn, factory: SessionFactory, clock: Any, post: Any
) -> None:
    desk = Actor("user", "desk", frozenset({f"coordinator@study:{STUDY}"}), "Desk")
    with unit_of_work(factory, desk) as session:
        found = add_document(
            session,
            session.get_one(Study, STUDY),
            kind="contract",
            name="Contract",
            version="1",
            body=PDF,
            valid_from=clock.now.date(),
            institution=SITE,
            actor=desk,
            now=clock.now,
        )
        number, sha256 = found.id, found.sha256
    board, path = signed_in("board"), f"/board/{SITE}/document/{number}"
    assert path in page(board, f"/board/{SITE}")
    answer = board.get(path)
    assert (answer.data, answer.mimetype) == (PDF, "application/pdf")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert post(path, board, sha256="0" * 64).status_code == 409
    assert post(path, board, sha256=sha256).status_code == 303
    assert path not in page(board, f"/board/{SITE}")
    assert post(path, board, sha256=sha256).status_code == 409
    other = signed_in("board2")
    assert other.get(path.replace(SITE, "zuyderland")).status_code == 404
    assert post(path.replace(SITE, "zuyderland"), other, sha256=sha256).status_code == 404


def test_the_log_and_the_agenda_of_a_group_hold_no_patient(
    signed_in: Callable[..., FlaskClient], form_token: Callable[[FlaskClient], str]
) -> None:
    chair = signed_in("chair")
    token = {"csrf_token": form_token(chair)}
    page = "/group/oncozon/breast"
    wrong = "Mevrouw van 3-4-1951 besproken"
    for path, typed in (
        ("decision", {"text": wrong}),
        ("meeting", {"agenda": wrong, "held_on": "2026-04-01"}),
    ):
        refused = chair.post(f"{page}/{path}", data={**token, **typed})
        told = refused.get_data(True)
        assert (refused.status_code >= 400, "kan naar een patiënt wijzen" in told) == (True, True)
        assert wrong in told  # what was typed is not lost
    assert wrong not in chair.get(page).get_data(True)
