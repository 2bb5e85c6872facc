"""From a patient's answers to the days of which data count at the hospital: one and the same."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from changed_texts import with_item
from sqlalchemy import select

from consent import service as consent
from consent import withdrawing
from consent.acts import Circumstances
from consent.encoding import from_ms
from consent.grounds import Judging, state_of
from consent.kept import Kept
from consent.list_due import Shared, columns_of
from consent.models import ConsentEvent, Subject
from consent.periods import YEAR, Periods
from consent.proof import Prove, letter_prover, proof_key
from consent.renewing import periods_of
from consent.rule import COLLECT_NEW, OLDER_DATA
from consent.snapshot import NO_END, NO_START, Snapshot, build_claims, parse_claims
from consent.standing import asking_older
from consent.subjects import handle_bytes
from consent.window_sql import windows
from federation.site.choices.proving import Proving
from federation.site.store import open_store, transaction
from studies.actor import SYSTEM
from studies.models import Network
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, YES, Hub

SITE = "zuyderland"
REQUIRES = HORMONE_THERAPY.requires
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
Ends = tuple[datetime | None, datetime | None]


class Lab:
    """A hub whose text asks about older data, and the books of one hospital."""

    def __init__(self, hub: Hub, path: Path) -> None:
        self.hub = hub
        self.books = open_store(path / "site.sqlite")
        self.proving = Proving(self.books, network=ONCOZON.slug, slug=SITE)
        self.provers: dict[str, Prove] = {}
        self.kept = Kept()
        self.seq = 0
        self.renewal_years: object = ...
        self.text = hub.text

    def ask_about_older_data(self) -> None:
        text = consent.publish_text(
            self.hub.session,
            study=STUDY,
            content=with_item(OLDER_DATA),
            approved_by=["one", "two"],
            actor=SYSTEM,
            now=NOW + MINUTE,
            change_class="wider",
            changes={"nl": "Nieuwe vraag.", "en": "New question."},
        )
        self.text = text.id

    def patient(self) -> Subject:
        subject = self.hub.subject(SITE)
        code, secret = f"T{len(self.provers):05d}", "0" * 16
        key = proof_key(code, secret)
        self.provers[subject.id] = letter_prover(code, key)
        with transaction(self.books):
            self.books.execute(
                "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
                " VALUES (?, ?, 'self', 'self', ?, 0)",
                (code, handle_bytes(subject.handle), key),
            )
        return subject

    def how(self, subject: Subject) -> Circumstances:
        return Circumstances(prove=self.provers[subject.id])

    def answer(self, subject: Subject, older: str | None, at: datetime) -> None:
        asked = {} if older is None else {OLDER_DATA: older}
        consent.record(
            self.hub.session,
            subject=subject,
            study=STUDY,
            answers={**YES, **asked},
            text_version=self.text,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=at,
            circumstances=self.how(subject),
        )

    def nothing_new(self, subject: Subject, at: datetime, study: str | None = STUDY) -> None:
        self.hub.stop_level(subject, "W2", at, study)

    def new_again(self, subject: Subject, at: datetime, prove: bool = True) -> None:
        withdrawing.allow_new(
            self.hub.session,
            subject=subject,
            study=STUDY,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=at,
            circumstances=self.how(subject) if prove else Circumstances(),
        )

    def forever(self, subject: Subject) -> None:
        """Somebody at the hub writes every yes again, without an end; the proof goes along."""
        session = self.hub.session
        for like in session.scalars(
            select(ConsentEvent).where(
                ConsentEvent.subject_id == subject.id, ConsentEvent.kind == "granted"
            )
        ).all():
            made = {
                column.key: getattr(like, column.key)
                for column in ConsentEvent.__table__.columns
                if column.key not in ("id", "leaf", "until")
            }
            session.add(ConsentEvent(**made, leaf=9000 + like.leaf, until=None))
        session.flush()

    def publish(self, at: datetime) -> Snapshot:
        """What the hospital makes of the list of this moment."""
        columns = columns_of(self.hub.session, SITE, Shared.read(self.hub.session, ONCOZON.slug))
        given = (self.hub.session, SITE, ONCOZON.slug, columns, at, at)
        state, sooner = state_of(*given), self.kept.state_of(*given, self.seq)
        self.seq += 1
        for one, other in zip(state.within, sooner.within, strict=True):
            assert sorted(one.tolist()) == sorted(other.tolist())
        assert state.evidence.texts == sooner.evidence.texts
        claims = build_claims(
            network=ONCOZON.slug,
            seq=self.seq,
            issued=at,
            valid_until=at + timedelta(hours=1),
            columns=state.columns,
            handles=state.handles,
            granted=state.granted,
            within=state.within,
            evidence=state.evidence,
            further={} if self.renewal_years is ... else {"renewal_years": self.renewal_years},
        )
        self.claims = claims
        told = parse_claims({**claims, "aud": SITE}, audience=SITE)
        with transaction(self.books):
            self.proving.remember(told, at)
        return self.proving.proven(told, at)

    def at_the_hospital(self, subject: Subject, at: datetime) -> Ends | None:
        proven, handle = self.publish(at), handle_bytes(subject.handle)
        if not proven.permits([handle], STUDY, REQUIRES)[0]:
            return None
        since, until = (int(each[0]) for each in proven.limits([handle], STUDY, REQUIRES))
        return (
            None if since == NO_START else from_ms(since),
            None if until == NO_END else from_ms(until),
        )

    def at_the_hub(self, subject: Subject, at: datetime) -> Ends | None:
        """By the page, the database, and the rule: they must agree."""
        session = self.hub.session
        [study] = consent.choices(session, subject, at)
        judging = Judging(ONCOZON.slug, SITE, ((STUDY, "use.record"),), at, at, Periods().renewal)
        request = judging._requests[STUDY, "use.record"]
        renewal = periods_of(session, ONCOZON.slug).renewal
        found = {
            who: (since, until)
            for who, since, until in session.execute(
                windows(request, at, asking=asking_older(session), renewal=renewal)
            )
        }
        if not study.counts:
            return None
        again = study.ask_again if study.ask_again is not None and study.ask_again <= at else None
        ends = (
            study.data_since,
            min((each for each in (study.nothing_new, again) if each), default=None),
        )
        assert found[subject.id] == ends
        return ends


@pytest.fixture
def lab(hub: Hub, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(hub, tmp_path)
    with closing(lab.books):
        yield lab


def test_hub_and_hospital_count_the_same_data(lab: Lab) -> None:
    lab.ask_about_older_data()
    whole, anna, bea = lab.patient(), lab.patient(), lab.patient()
    start = NOW + 2 * MINUTE
    lab.answer(whole, "yes", start)
    second, third = start + SECOND, start + 2 * SECOND
    lab.answer(anna, "no", second)
    lab.answer(bea, "later", third)
    expected: dict[str, Ends | None] = {
        whole.id: (None, None),
        anna.id: (second, None),
        bea.id: (third, None),
    }
    subjects = {each.id: each for each in (whole, anna, bea)}

    def check(at: datetime) -> None:
        for who, ends in expected.items():
            assert lab.at_the_hub(subjects[who], at) == ends
            assert lab.at_the_hospital(subjects[who], at) == ends

    check(start + MINUTE)
    # Only who counts with all data stands where a program of before would look.
    place = lab.claims["columns"].index({"study": STUDY, "item": "use.record"})
    old = parse_claims(
        {key: value for key, value in {**lab.claims, "aud": SITE}.items() if key != "within"},
        audience=SITE,
    )
    assert int(old.granted[place].sum()) == 1

    stop = start + 5 * MINUTE
    lab.nothing_new(whole, stop)
    lab.nothing_new(anna, stop + SECOND, study=None)
    expected |= {whole.id: (None, stop), anna.id: (second, stop + SECOND)}
    check(stop + MINUTE)
    lab.nothing_new(whole, stop + 2 * MINUTE)  # once more: the first one is the end
    check(stop + 3 * MINUTE)
    lab.new_again(whole, stop + 4 * MINUTE, prove=False)  # counts nowhere without the letter
    check(stop + 5 * MINUTE)

    again = stop + 6 * MINUTE
    lab.new_again(whole, again)
    lab.new_again(anna, again + SECOND)
    lab.answer(bea, "yes", again + 2 * SECOND)
    expected |= {whole.id: (None, None), anna.id: (again + SECOND, None), bea.id: (None, None)}
    check(again + MINUTE)
    lab.hub.stop(anna, again + 2 * MINUTE)
    expected |= {anna.id: None}
    check(again + 3 * MINUTE)


def test_a_yes_is_asked_again_and_ends(lab: Lab) -> None:
    """Renewal and the end of use: page, rule, database, list and hospital say the same, and a list
    changes by itself when the time has come."""
    periods = Periods()
    lab.ask_about_older_data()
    anna, bea, start = lab.patient(), lab.patient(), NOW + 2 * MINUTE
    lab.answer(anna, "yes", start)
    lab.answer(bea, "no", start + SECOND)
    due, due_bea = start + periods.renewal, start + SECOND + periods.renewal

    def check(at: datetime, of_anna: Ends | None, of_bea: Ends | None) -> None:
        for who, ends in ((anna, of_anna), (bea, of_bea)):
            assert lab.at_the_hub(who, at) == ends
            assert lab.at_the_hospital(who, at) == ends

    check(start + MINUTE, (None, None), (start + SECOND, None))
    [line] = consent.choices(lab.hub.session, anna, start + MINUTE)
    assert (line.ask_again, line.ends) == (due, start + periods.use)
    check(due - timedelta(milliseconds=1), (None, None), (start + SECOND, None))
    check(due, (None, due), (start + SECOND, None))
    check(due_bea + MINUTE, (None, due), (start + SECOND, due_bea))
    # To say that it is still right is no yes: nothing opens.
    again = due + timedelta(days=400)
    lab.answer(anna, "yes", again)
    lab.answer(bea, "no", again + SECOND)
    check(again + MINUTE, (None, None), (again + SECOND, None))
    # The end of use: of the yes itself, not of the data of some time.
    end = start + periods.use
    assert lab.at_the_hub(anna, end) == (None, again + periods.renewal)
    assert lab.at_the_hospital(anna, again + periods.use - SECOND) is not None
    assert lab.at_the_hub(anna, again + periods.use) is None
    assert lab.at_the_hospital(anna, again + periods.use) is None


def test_a_hub_that_keeps_a_yes_alive_is_not_believed(lab: Lab) -> None:
    """The hub tells a longer time, says the yes has no end, or hides that years went by."""
    periods = Periods()
    anna, start = lab.patient(), NOW + 2 * MINUTE
    lab.answer(anna, None, start)
    session = lab.hub.session
    session.get_one(Network, ONCOZON.slug).consent = {"renewal_years": 100, "use_years": 100}
    session.flush()
    due = start + periods.renewal
    assert lab.at_the_hub(anna, due + MINUTE) == (None, None)
    for told in (100, 6, 0, -1, True, "5", None, 5.0, [5]):
        lab.renewal_years = told
        assert lab.at_the_hospital(anna, due + MINUTE) == (None, due)
    lab.renewal_years = 3
    assert lab.at_the_hospital(anna, due + MINUTE) == (None, start + 3 * YEAR)
    # The event says that it lasts for ever, and the list says yes: not here.
    lab.forever(anna)
    assert lab.at_the_hub(anna, start + periods.use + MINUTE) is not None
    assert lab.at_the_hospital(anna, start + periods.use - MINUTE) is not None
    assert lab.at_the_hospital(anna, start + periods.use) is None


def test_a_row_in_the_hubs_database_widens_nothing(lab: Lab) -> None:
    """T17, of the window: somebody at the hub writes that new and older data are allowed."""
    lab.ask_about_older_data()
    anna = lab.patient()
    lab.answer(anna, "no", NOW + MINUTE)
    lab.nothing_new(anna, NOW + 2 * MINUTE)
    ends = (NOW + MINUTE, NOW + 2 * MINUTE)
    assert lab.at_the_hospital(anna, NOW + 3 * MINUTE) == ends
    session = lab.hub.session
    like = session.scalars(
        select(ConsentEvent).where(
            ConsentEvent.subject_id == anna.id, ConsentEvent.item == "use.record"
        )
    ).one()
    for number, item in enumerate((OLDER_DATA, COLLECT_NEW)):
        made = {
            column.key: getattr(like, column.key)
            for column in ConsentEvent.__table__.columns
            if column.key not in ("id", "leaf", "item", "effective_at", "recorded_at")
        }
        later = NOW + 4 * MINUTE
        session.add(
            ConsentEvent(
                **made, item=item, leaf=9000 + number, effective_at=later, recorded_at=later
            )
        )
    session.flush()
    # The proof of another yes stands beside it: the hub believes its database, the hospital not.
    assert lab.at_the_hub(anna, NOW + 5 * MINUTE) == (None, None)
    assert lab.at_the_hospital(anna, NOW + 5 * MINUTE) == ends


def test_a_text_of_before_that_did_not_ask_keeps_its_meaning(lab: Lab) -> None:
    """Who agreed before the question was there agreed to all data, until they answer it."""
    anna = lab.patient()
    lab.answer(anna, None, NOW + MINUTE)
    lab.ask_about_older_data()
    for at in (NOW + 2 * MINUTE, NOW + 9 * MINUTE):
        assert lab.at_the_hub(anna, at) == (None, None)
        assert lab.at_the_hospital(anna, at) == (None, None)
    lab.answer(anna, "no", NOW + 10 * MINUTE)
    ends = (NOW + MINUTE, None)
    assert lab.at_the_hub(anna, NOW + 11 * MINUTE) == ends
    assert lab.at_the_hospital(anna, NOW + 11 * MINUTE) == ends
