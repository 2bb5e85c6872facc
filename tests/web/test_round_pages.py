"""Pages of evaluation rounds: the same to everybody before the release, then each their own view;
forms that lose nothing; a plan from draft to approval."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from shown_round import stored, whole
from sqlalchemy import select

from federation.query.builtin import builtin_codebook
from federation.rounds.models import EvaluationRound, RoundAction, RoundNote
from registry.database import SessionFactory
from registry.receipts import pdf
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Participation, Study
from studies.network.groups import find_group

from .conftest import NOW, OWN

SignedIn = Callable[..., FlaskClient]
ROUND = f"/rounds/{whole().round.id}"
READERS = ("board", "steward", "chair", "group", "coordinator", "researcher", "committee")


@pytest.fixture
def keep(factory: SessionFactory) -> Callable[..., None]:
    """`keep(state="running")`: the round of tests/support/shown_round.py, in that state."""

    def make(state: str = "released", *, names: bool = False) -> None:
        with unit_of_work(factory, SYSTEM) as session:
            group = find_group(session, "oncozon.breast")
            assert group is not None
            found = whole(names=names)
            session.add_all(stored(found, group_id=group.id, now=NOW, state=state))
            announce(session, actor=SYSTEM, action="round.planned", about="round:test")

    return make


def main(page: str) -> str:
    """What stands between the heading and the foot, without form tokens."""
    body = page.split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r'name="csrf_token" value="[^"]+"', "", body)


def test_before_the_release_the_page_shows_nothing_and_is_the_same_to_everybody(
    keep: Callable[..., None], signed_in: SignedIn
) -> None:
    keep("running")
    seen = {}
    for who in (*READERS, "representative"):
        client = signed_in(who)
        page = client.get(ROUND)
        assert page.status_code == 200, who
        # The crumb to the group's own page, and a chair's button to cancel, are not about results.
        text = re.sub(r"<details>.*?</details>", "", main(page.text), flags=re.S)
        seen[who] = re.sub(r"</?a\b[^>]*>", "", text.split("</nav>", 1)[1])
        assert "is nog niet" in text or "zijn er nog niet" in text
        for ending in ("access_time", "round.pdf", "round.csv"):
            assert client.get(f"{ROUND}/{ending}").status_code in (403, 404), (who, ending)
        assert "VieCuri" not in text
    assert len({re.sub(r"\s+", " ", text) for text in seen.values()}) == 1
    assert signed_in("observer").get(ROUND).status_code == 404
    for stranger in ("chair2", "researcher2", "group2", "representative2"):
        assert signed_in(stranger).get(ROUND).status_code == 404, stranger


def test_ready_looks_like_running(keep: Callable[..., None], signed_in: SignedIn) -> None:
    keep("ready")
    assert "zijn aan het rekenen" in signed_in("board").get(ROUND).text


def test_a_hospital_sees_itself_by_name_and_the_others_by_letter(
    keep: Callable[..., None], signed_in: SignedIn
) -> None:
    keep()
    board = signed_in("board")
    page = board.get(ROUND).text
    assert "C. Catharina Ziekenhuis" in page
    assert "Ziekenhuis H: mediaan 29 dagen" in page
    for other in ("VieCuri", "viecuri", "Máxima", "MAASTRO", "Zuyderland"):
        assert other not in main(page), other
    assert "geen oordeel" in page
    assert "staan niet op volgorde" in page
    assert "doet niet meer mee" in page
    one = board.get(f"{ROUND}/access_time").text
    assert "Verloop per kwartaal" in one
    assert "verborgen: te weinig pati" in one
    assert "niet nagekeken in de bron" in one
    assert "binnen de verwachte" in board.get(f"{ROUND}/severe_complications").text
    wider = "gelden voor elk ruimere grenzen"
    assert wider in board.get(f"{ROUND}/mortality_ratio").text
    assert wider not in board.get(f"{ROUND}/severe_complications").text
    mix = main(board.get(f"{ROUND}/treatment_mix").text)
    assert re.search(r"52,0 ?%, [^<]+20,0 ?%, [^<]+ \(250\)", mix)  # of one group of patients
    apart = main(board.get(f"{ROUND}/prehabilitation").text)
    assert "Verschil, op 100 pati" in apart
    assert "−12,6" in apart
    assert "0,57" in apart or "0,58" in apart
    assert board.get(f"{ROUND}/nothing").status_code == 404
    sheet = board.get(f"{ROUND}/round.csv").text
    assert "viecuri" not in sheet
    assert "catharina,13.0," in sheet
    # Another hospital of the same round: its own name, not ours.
    theirs = main(signed_in("board2").get(ROUND).text)
    assert "G. Zuyderland" in theirs
    assert "Catharina" not in theirs
    chair = main(signed_in("chair").get(ROUND).text)
    assert "Catharina" not in chair
    assert "Ziekenhuis C" in chair


def test_representatives_and_observers_see_all_together_in_plain_words(
    keep: Callable[..., None], signed_in: SignedIn
) -> None:
    keep()
    for who in ("representative", "observer"):
        client = signed_in(who)
        page = main(client.get(ROUND).text)
        assert "Zoveel dagen wachten mensen op hun eerste afspraak." in page
        assert not re.search(r"[Zz]iekenhuis [A-J]\b|Catharina|VieCuri", page)
        assert "mediaan" not in page.lower()
        for ending in ("access_time", "round.csv"):
            assert client.get(f"{ROUND}/{ending}").status_code in (403, 404)


def test_names_only_where_the_round_agreed_to_them(
    keep: Callable[..., None], signed_in: SignedIn
) -> None:
    keep(names=True)
    page = signed_in("board").get(ROUND).text
    assert "H. VieCuri Medisch Centrum" in page
    assert "spraken af hun namen te tonen" in page


@pytest.mark.skipif(not pdf.available(), reason="WeasyPrint is not installed")
def test_the_paper_is_tagged_with_a_text_beside_each_picture(
    keep: Callable[..., None], signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep()
    made: list[str] = []
    monkeypatch.setattr(pdf, "make", lambda html: made.append(html) or b"%PDF-")
    assert signed_in("board").get(f"{ROUND}/round.pdf").data == b"%PDF-"
    assert whole().sha256 in made[0]
    assert "VieCuri" not in made[0]
    monkeypatch.undo()
    lay = signed_in("representative").get(f"{ROUND}/round.pdf").data
    inside = lay + b"".join(
        zlib.decompress(part.partition(b"\nendstream")[0])
        for part in lay.split(b"/FlateDecode")[1:]
        for part in [part.partition(b"stream\n")[2]]
    )
    for mark in (b"/StructTreeRoot", b"/Lang (nl)", b"/H1", b"pdfuaid"):
        assert mark in inside, mark


def test_what_is_written_is_kept_and_a_mistake_loses_nothing(
    keep: Callable[..., None],
    signed_in: SignedIn,
    post: Callable[..., Any],
    factory: SessionFactory,
) -> None:
    keep()
    chair, board = signed_in("chair"), signed_in("board")
    empty = post(f"{ROUND}/note", chair, kind="cause", text=" ", indicator="access_time")
    assert empty.status_code == 422
    assert "Schrijf op wat er is gezegd" in empty.text
    assert post(f"{ROUND}/note", board, kind="note", text="x").status_code == 403
    said = "Eén van de twee artsen was ziek."
    done = post(f"{ROUND}/note", chair, kind="cause", text=said, indicator="access_time")
    assert done.status_code == 303
    # A board offers help for its own hospital and for no other.
    stolen = post(f"{ROUND}/help", board, from_site="H", to_site="A", help="Kom", indicator="")
    assert stolen.status_code == 422
    assert "Kom" in stolen.text
    help_ = {"to_site": "H", "help": "Kom kijken", "indicator": "access_time"}
    assert post(f"{ROUND}/help", board, from_site="C", **help_).status_code == 303
    page = main(chair.get(f"{ROUND}/access_time").text)
    assert said in page
    assert "ziekenhuis C biedt hulp aan ziekenhuis H" in page
    assert "Catharina" not in page
    with factory() as session:
        kept = session.scalars(select(RoundNote).where(RoundNote.kind == "help")).one()
        assert (kept.from_site, kept.to_site) == ("catharina", "viecuri")


def test_an_action_is_agreed_changed_and_closed(
    keep: Callable[..., None],
    signed_in: SignedIn,
    post: Callable[..., Any],
    factory: SessionFactory,
) -> None:
    keep()
    chair = signed_in("chair")
    action = {"indicator": "access_time", "hospital": "H", "text": "Extra spreekuur",
              "owner": "Manager", "due": "01-06-2026"}  # fmt: skip
    bad = post(f"{ROUND}/action/new", chair, **{**action, "due": "morgen", "owner": ""})
    assert bad.status_code == 422
    assert "Extra spreekuur" in bad.text
    assert "Zeg wie ervoor zorgt" in bad.text
    half = post(f"{ROUND}/action/new", chair, **action, first="2026-04")
    assert half.status_code == 422
    assert "2026-04" in half.text
    assert post(f"{ROUND}/action/new", chair, **action).status_code == 303
    with factory() as session:
        kept = session.scalars(select(RoundAction)).one()
        assert kept.site == "viecuri"
        assert (kept.before or {})["value"] == 29.0
        at = f"{ROUND}/action/{kept.id}"
    assert "Extra spreekuur" in chair.get(at).text
    assert "Ziekenhuis H" in main(chair.get(f"{ROUND}/access_time").text).replace("z", "Z")
    changed = {**action, "text": "Twee extra spreekuren", "act": "save"}
    assert post(at, chair, **changed, version="1").status_code == 303
    late = post(at, chair, **{**changed, "text": "Iets anders"}, version="1")
    assert late.status_code == 409
    assert "Iets anders" in late.text
    assert "Twee extra spreekuren" in late.text
    assert signed_in("board").get(at).status_code == 403
    assert post(at, chair, act="close", version="2").status_code == 303
    with factory() as session:
        assert session.scalars(select(RoundAction)).one().state == "closed"


def test_by_program_too_a_hospital_is_its_letter_and_a_short_name_gives_none(
    keep: Callable[..., None],
    signed_in: SignedIn,
    form_token: Callable[[FlaskClient], str],
    factory: SessionFactory,
) -> None:
    """Who knows the short names may not learn whose letter is whose, nor the other way round."""
    keep()
    chair, here = signed_in("chair"), f"/api/v1{ROUND}/actions"
    headers = {"X-CSRFToken": form_token(chair)}
    given = {"indicator": "access_time", "text": "Extra", "owner": "Manager", "due": "2026-06-01"}
    for site in ("viecuri", "nowhere", "Z"):
        refused = chair.post(here, json={**given, "site": site}, headers=headers)
        assert (refused.status_code, refused.get_json()["code"]) == (422, "NOT_OF_THIS_ROUND"), site
    for moment in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"):  # no day here
        again = {"first": "2026-01", "last": "2026-03", "measure_at": moment}
        refused = chair.post(here, json={**given, "site": "H", **again}, headers=headers)
        assert (refused.status_code, refused.get_json()["code"]) == (422, "BAD_ACTION"), moment
    assert chair.get(here).get_json() == []
    made = chair.post(here, json={**given, "site": "H"}, headers=headers)
    assert (made.status_code, made.get_json()["site"]) == (201, "H")
    with factory() as session:
        assert session.scalars(select(RoundAction)).one().site == "viecuri"
    at = f"{here}/{made.get_json()['id']}/close"
    closed = chair.post(at, headers={**headers, "If-Match": '"v1"'})
    assert (closed.status_code, closed.get_json()["site"]) == (200, "H")
    assert [each["site"] for each in chair.get(here).get_json()] == ["H"]


@pytest.fixture
def quality(factory: SessionFactory) -> None:
    """The study of the chair's group with the data that the shipped indicators are about."""
    book = builtin_codebook("oncomin/1")
    assert book is not None
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, OWN)
        study.codebook, study.output_by_site, study.delivery = book.to_dict(), True, "hub"
        announce(session, actor=SYSTEM, action="study.changed", about=f"study:{OWN}")
        open_ = session.scalars(select(Participation).where(Participation.study == OWN))
        assert sum(part.state == "open" for part in open_) >= 3


def test_a_plan_from_draft_to_approval(
    quality: None,
    signed_in: SignedIn,
    post: Callable[..., Any],
    factory: SessionFactory,
) -> None:
    chair = signed_in("chair")
    assert f"/rounds/new?study={OWN}" in chair.get("/rounds/new").text
    form = chair.get(f"/rounds/new?study={OWN}").text
    assert 'value="access_time"' in form
    sites = re.findall(r'name="sites" value="([^"]+)" checked', form)
    assert len(sites) >= 3
    plan: dict[str, Any] = {
        "study": OWN, "title_nl": "Kwartaal een", "title_en": "Quarter one", "purpose": "Leren",
        "first": "2025-01", "last": "2025-03", "freeze": "10-03-2026", "release": "17-03-2026",
        "release_time": "08:00", "names": "letters", "every": "no", "sites": sites,
        "indicators": ["access_time"],
    }  # fmt: skip
    wrong = post("/rounds/new", chair, **{**plan, "first": "januari", "indicators": []})
    assert wrong.status_code == 422
    assert "Schrijf de eerste maand als 2025-01" in wrong.text
    assert "Kies minstens één indicator" in wrong.text
    assert 'value="Kwartaal een"' in wrong.text
    early = post("/rounds/new", chair, **{**plan, "release": "09-03-2026"})
    assert early.status_code == 422
    assert "De peildatum ligt na de periode" in early.text
    made = post("/rounds/new", chair, **plan)
    assert made.status_code == 303
    at = made.location.split("?")[0]
    assert "kunnen antwoorden" in chair.get(at).text
    assert signed_in("board").get(at).status_code == 404, "a plan is its makers' until approved"

    changed = post(f"{at}/plan", chair, **{**plan, "title_nl": "Eerste kwartaal"}, version="1")
    assert changed.status_code == 303
    late = post(f"{at}/plan", chair, **{**plan, "title_nl": "Iets anders"}, version="1")
    assert late.status_code == 409
    assert "Iets anders" in late.text
    assert "Eerste kwartaal" in late.text

    committee = signed_in("committee")
    assert post(f"{at}/offer", chair, version="2").status_code == 303
    assert post(f"{at}/approve", chair, version="3").status_code == 403
    assert post(f"{at}/refuse", committee, version="3", why=" ").status_code == 422
    stale = signed_in("committee", fresh=False)
    assert post(f"{at}/approve", stale, version="3").status_code in (303, 401)
    assert "Keur het plan goed" in committee.get(at).text
    assert post(f"{at}/approve", committee, version="3").status_code == 303
    with factory() as session:
        assert session.scalars(select(EvaluationRound)).one().state == "approved"
    waiting = signed_in("board").get(at)
    assert waiting.status_code == 200
    assert "wacht op de peildatum" in waiting.text
    assert post(f"{at}/cancel", chair, version="4").status_code == 303


def test_the_list_and_the_pages_that_lead_to_it(
    keep: Callable[..., None], signed_in: SignedIn
) -> None:
    keep()
    for who in (*READERS, "representative", "observer"):
        assert ROUND in signed_in(who).get("/rounds").text, who
    assert ROUND not in signed_in("chair2").get("/rounds").text
    assert ROUND in signed_in("board").get("/board/catharina").text
    assert ROUND in signed_in("chair").get("/group/oncozon/breast").text
