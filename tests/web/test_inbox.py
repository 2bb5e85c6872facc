"""The inbox of a coordinator and the announcements, as browsers see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from consent import service as consent
from consent.models import Subject
from registry.accounts.models import Account
from registry.database import SessionFactory
from registry.mail.outbox import waiting_for
from registry.transaction import unit_of_work
from studies import notices
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Network, Participation, Study
from studies.models_inbox import Notice, NoticeMark, ReminderDone

from .conftest import FOREIGN, NOW, OTHER_SITE, OWN, SITE, World

SignIn = Callable[..., FlaskClient]
Token = Callable[[FlaskClient], str]


def change(factory: SessionFactory, study: str, institution: str, **values: object) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        session.execute(
            update(Participation)
            .where(Participation.study == study, Participation.institution == institution)
            .values(**values)
        )
        announce(session, actor=SYSTEM, action="participation.moved", about=f"study:{study}")


@pytest.fixture
def late(factory: SessionFactory) -> None:
    """A hospital of each study did not answer in time."""
    before = {"state": "invited", "since": NOW - timedelta(days=30), "interest": None}
    change(factory, OWN, SITE, **before)
    change(factory, FOREIGN, OTHER_SITE, **before)


@pytest.mark.usefixtures("late")
def test_a_coordinator_sees_what_waits_in_their_own_studies(signed_in: SignIn) -> None:
    client = signed_in("coordinator")
    page = client.get("/inbox").get_data(True)
    assert "Uitnodiging niet beantwoord" in page
    assert f'href="/c/study/{OWN}/site/{SITE}"' in page or f"/{OWN}/" in page
    assert FOREIGN not in page
    assert "Er past niets bij uw keuze." in client.get("/inbox?kind=gcp").get_data(True)
    for odd in ("kind=x&study=%00", "page=99999999999999999999", "page=-1", f"study={FOREIGN}"):
        assert client.get(f"/inbox?{odd}").status_code == 200
    assert "Postvak" in page


def test_a_notice_to_ctis_is_settled_once(
    signed_in: SignIn, form_token: Token, factory: SessionFactory
) -> None:
    change(factory, OWN, SITE, state="open", since=NOW - timedelta(days=5))
    with unit_of_work(factory, SYSTEM) as session:
        for study in (OWN, FOREIGN):
            row = session.get_one(Study, study)
            row.kind, row.identifiers = "wmo", {"eu_ct": "2025-501234-12-00"}
        announce(session, actor=SYSTEM, action="study.described", about=f"study:{OWN}")
    client = signed_in("coordinator")
    page = client.get("/inbox?kind=ctr_start").get_data(True)
    assert "Ik heb het bij CTIS gemeld" in page
    key = page.partition('name="key" value="')[2].partition('"')[0]
    assert key.startswith(f"ctr_start:{OWN}:")
    token = {"csrf_token": form_token(client)}
    for wrong in ("", "x", f"unanswered:{OWN}:{SITE}:x", key.replace(OWN, FOREIGN)):
        assert client.post("/inbox/done", data={**token, "key": wrong}).status_code == 404
    assert client.post("/inbox/done", data={**token, "key": key}).status_code == 303
    assert key not in client.get("/inbox").get_data(True)
    assert client.post("/inbox/done", data={**token, "key": key}).status_code == 404
    with factory() as session:
        assert session.scalars(select(ReminderDone.key)).all() == [key]


def test_an_announcement_is_read_and_marked_with_interest(
    signed_in: SignIn, form_token: Token, factory: SessionFactory
) -> None:
    writer = signed_in("coordinator")
    token = {"csrf_token": form_token(writer)}
    typed = {
        **token,
        "network": "oncozon",
        "title_nl": "Nieuwe vragenlijst",
        "title_en": "New questionnaire",
        "text_nl": "Vanaf maandag.",
        "text_en": "From Monday on.",
    }
    wrong = writer.post("/announcements", data={**typed, "text_en": " "})
    assert wrong.status_code == 422
    assert "Vanaf maandag." in wrong.get_data(True)
    assert writer.post("/announcements", data={**typed, "network": "x"}).status_code in (404, 422)
    assert writer.post("/announcements", data=typed).status_code == 303
    with factory() as session:
        notice = session.scalars(select(Notice)).one()

    reader = signed_in("researcher")
    page = reader.get("/announcements").get_data(True)
    assert "Nieuwe vragenlijst" in page
    assert "gelezen door 0 mensen" in page
    assert "Iets aankondigen" not in page
    mark = f"/announcements/{notice.id}/mark"
    own = {"csrf_token": form_token(reader)}
    for data, interest in (({}, False), ({"interest": "yes"}, True), ({"interest": "x"}, True)):
        assert reader.post(mark, data={**own, **data}).status_code == 303
        with factory() as session:
            assert session.scalars(select(NoticeMark)).one().interest is interest
    assert "willen meer horen" in writer.get("/announcements").get_data(True)
    assert reader.post(mark, data={**own, "interest": "no"}).status_code == 303
    assert "willen meer horen" not in writer.get("/announcements").get_data(True)

    gone = f"/announcements/{notice.id}/withdraw"
    assert reader.post(gone, data=own).status_code == 403
    assert writer.post(gone, data=token).status_code == 303
    assert "Nieuwe vragenlijst" not in reader.get("/announcements").get_data(True)
    assert reader.post(mark, data=own).status_code == 404


def test_an_announcement_goes_no_further_than_its_writer(
    signed_in: SignIn, form_token: Token, factory: SessionFactory, world: World
) -> None:
    """Its writer's networks, its reader's networks, and only the writer takes it back."""
    typed = {
        "network": "oncozon",
        "title_nl": "Nieuwe\r\nvragenlijst",
        "title_en": "New questionnaire",
        "text_nl": "Vanaf maandag.\r\nGraag invullen.",
        "text_en": "From Monday on.",
    }
    with unit_of_work(factory, SYSTEM) as session:
        session.add(Network(slug="west", name="West"))
        session.flush()
        announce(session, actor=SYSTEM, action="network.created", about="network:west")
        elsewhere = notices.write_notice(
            session,
            network="west",
            title=("Alleen in West", "In West only"),
            text=("Vanaf maandag.", "From Monday on."),
            actor=SYSTEM,
            now=NOW,
        ).id
    writer, other, boss = (
        signed_in(who) for who in ("coordinator", "coordinator2", "administrator")
    )
    posts = {client: {"csrf_token": form_token(client)} for client in (writer, other, boss)}
    for network in ("west", "nowhere"):
        done = writer.post("/announcements", data={**typed, **posts[writer], "network": network})
        assert (done.status_code, "een studie van u open is" in done.get_data(True)) == (422, True)
    assert writer.post("/announcements", data={**typed, **posts[writer]}).status_code == 303
    with factory() as session:
        mine = session.scalars(select(Notice).where(Notice.network == "oncozon")).one()
        assert mine.title_nl == "Nieuwe vragenlijst"
        assert mine.text_nl == "Vanaf maandag.\nGraag invullen."
    assert "Alleen in West" in boss.get("/announcements").get_data(True)  # works for all
    for reader in ("coordinator", "committee", "steward", "board", "chair", "group"):
        page = signed_in(reader).get("/announcements").get_data(True)
        assert ("Nieuwe vragenlijst" in page, "Alleen in West" in page) == (True, False), reader
    assert writer.post(f"/announcements/{elsewhere}/mark", data=posts[writer]).status_code == 404

    gone = f"/announcements/{mine.id}/withdraw"
    assert gone in writer.get("/announcements").get_data(True)
    assert gone not in other.get("/announcements").get_data(True)
    refused = other.post(gone, data=posts[other])
    assert (refused.status_code, "Alleen wie dit schreef" in refused.get_data(True)) == (403, True)
    assert (
        writer.post(f"/announcements/{elsewhere}/withdraw", data=posts[writer]).status_code == 404
    )
    assert boss.post(gone, data=posts[boss]).status_code == 303

    # Whoever coordinates no more than a draft, such as one they proposed, tells nobody anything.
    with unit_of_work(factory, SYSTEM) as session:
        session.get_one(Study, FOREIGN).state = "draft"
        announce(session, actor=SYSTEM, action="study.described", about=f"study:{FOREIGN}")
    assert other.post("/announcements", data={**typed, **posts[other]}).status_code == 422
    assert "Iets aankondigen" not in other.get("/announcements").get_data(True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Patiënt 12345678 kwam niet", "Een getal van acht of meer cijfers"),
        ("Mevrouw, geboren 3-4-1951, belde", "Een getal van acht of meer cijfers"),
        ("Zij is van 1951-04-03", "Een getal van acht of meer cijfers"),
        ("Rood \x1b[31m en terug", "een teken dat u niet kunt zien"),
    ],
)
def test_an_announcement_holds_no_patient_and_no_hidden_sign(
    signed_in: SignIn, form_token: Token, factory: SessionFactory, words: str, sentence: str
) -> None:
    client = signed_in("coordinator")
    fine = "Op 12-03-2026 over NCT01234567, 2025-501234-12-00; bel 040 239 91 11, of 1234567."
    typed = dict.fromkeys(("title_nl", "title_en", "text_nl", "text_en"), fine)
    typed |= {"network": "oncozon", "csrf_token": form_token(client)}
    for place in ("title_nl", "text_en"):
        done = client.post("/announcements", data={**typed, place: words})
        assert (done.status_code, sentence in done.get_data(True)) == (422, True)
        # Said once, at its own field; what was typed in the others stays.
        assert done.text.count('id="error-summary"') == 1
        assert f'href="#{place}"' in done.text
        assert done.text.count("040 239 91 11") == 3
        too_long = client.post("/announcements", data={**typed, place: "a" * 4001})
        assert (too_long.status_code, f'href="#{place}"' in too_long.text) == (422, True)
    with factory() as session:
        assert session.scalars(select(Notice)).all() == []
    assert client.post("/announcements", data=typed).status_code == 303


def test_an_announcement_needs_both_languages(factory: SessionFactory) -> None:
    with factory() as session:
        for network, title, text, code in (
            ("oncozon", ("a", ""), ("a", "b"), "empty_text"),
            ("oncozon", ("a", "b"), ("a" * 4001, "b"), "empty_text"),
            ("nowhere", ("a", "b"), ("a", "b"), "not_found"),
        ):
            with pytest.raises(StudiesError, match=code):
                notices.write_notice(
                    session, network=network, title=title, text=text, actor=SYSTEM, now=NOW
                )


def test_participants_whose_yes_is_gone_or_whose_stop_reached_nobody_wait(
    signed_in: SignIn, form_token: Token, factory: SessionFactory, world: World
) -> None:
    client = signed_in("coordinator")
    token = {"csrf_token": form_token(client)}
    people = f"/c/study/{OWN}/participants"
    joined = {
        "HT-0001": {"hospital": SITE, "how": "letter", "letter": world.codes["mine"][:6]},
        "HT-0002": {"hospital": OTHER_SITE, "how": "form", "signed_on": f"{NOW:%Y-%m-%d}"},
    }
    assert client.post(f"{people}/numbering", data={**token, "letters": "HT"}).status_code == 303
    for number, shown in joined.items():
        form = {**token, **shown, "text": "1", "pseudonym": number, "state": "on-study"}
        assert client.post(people, data=form).status_code == 303
    for kind in ("no_consent", "stop_unreached"):
        assert people not in client.get(f"/inbox?kind={kind}").get_data(True)

    with unit_of_work(factory, SYSTEM) as session:
        mine = session.get_one(Subject, world.patients["mine"])
        consent.withdraw(
            session,
            subject=mine,
            study=OWN,
            language="nl",
            form_key="stop-form-0001",
            actor=consent.patient(mine),
            now=NOW,
        )
    form = {**token, "way": "data_all", "expected": "2"}
    assert client.post(f"{people}/HT-0002/leave", data=form).status_code == 303

    for kind, words in (("no_consent", "niet meer geldt"), ("stop_unreached", "geen brief")):
        page = client.get(f"/inbox?kind={kind}").get_data(True)
        assert words in page
        assert f'href="{people}"' in page
        # Nothing of the patient is in a list that a mail is made of, nor in its key.
        assert "HT-000" not in page
    with factory() as session:
        account = session.get_one(Account, world.accounts["coordinator"])
        found = {each.code: each for each in waiting_for(session, account, NOW)}
        assert (found["no_consent"].institution, found["no_consent"].late) == (SITE, True)
        assert found["stop_unreached"].day == NOW.date()
        other = session.get_one(Account, world.accounts["coordinator2"])
        codes = {each.code for each in waiting_for(session, other, NOW)}
        assert codes.isdisjoint({"no_consent", "stop_unreached"})
    # Once it is written down how they left, nothing waits.
    form = {**token, "way": "data_all", "expected": "2"}
    assert client.post(f"{people}/HT-0001/leave", data=form).status_code == 303
    assert "niet meer geldt" not in client.get("/inbox").get_data(True)
