"""What is remembered of patients from list to list says the same as judging everybody anew."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from consent import service as consent
from consent.errors import ConsentError
from consent.grounds import State, state_of
from consent.items import ITEMS, with_parents
from consent.kept import Kept
from consent.models import (
    ConsentEvent,
    ConsentMark,
    LogHead,
    Receipt,
    Subject,
    TextEnd,
    TextVersion,
)
from consent.models_people import Fact, FactCorrection, Party
from consent.models_trust import Erasure
from consent.periods import Periods
from consent.plain import judge_plain
from consent.rule import ANY
from consent.subjects import handle_text
from registry.database import SessionFactory
from studies.base import new_id
from studies.looking import read_only
from studies.models import Network
from studies.seeds.oncozon import ONCOZON

from .conftest import NOW, STUDY, Hub, text_in_force

SITE, NETWORK = "zuyderland", ONCOZON.slug
STUDIES = ("x", "y")
ASKED = ("study.join", "use.record", "use.network", "use.past")
# One study asks about older data, the other does not.
COLUMNS = tuple(
    (study, item) for study in STUDIES for item in with_parents(ASKED[: 4 - (study == "y")])
)
PATIENTS = 240
DAY = timedelta(days=1)


class Histories:
    """Patients of one hospital who go on choosing, mostly plainly, and what else becomes known."""

    def __init__(self, session: Session, seed: int) -> None:
        self.session = session
        self.chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
        good = text_in_force(session)
        self.text = session.get_one(TextVersion, good)
        self.texts: list[str | None] = [good] * 12 + [self._text(2, "wider"), None]
        self.now = NOW
        self.leaf = 0
        self.subjects = [new_id() for _ in range(PATIENTS)]
        session.add(LogHead(network=NETWORK, size=0, root="0" * 64, frontier=[], at=NOW))
        session.execute(
            insert(Subject),
            [
                {
                    "id": subject,
                    "site": SITE if number % 10 else "viecuri",
                    "handle": handle_text(number.to_bytes(20, "big")),
                    "network": NETWORK,
                    "created_at": NOW,
                }
                for number, subject in enumerate(self.subjects)
            ],
        )

    def _text(self, number: int, kind: str) -> str:
        made = TextVersion(
            id=f"{number:064x}",
            study=STUDY,
            number=number,
            content=dict(self.text.content),
            change_class=kind,
            approved_by=[],
            valid_from=NOW,
            created_at=NOW,
        )
        self.session.add(made)
        self.session.flush()
        return made.id

    def pass_time(self) -> None:
        self.now += timedelta(hours=self.chance.randrange(1, 30))

    def speak(self, subjects: Sequence[str]) -> None:
        """Each of these says something, in one act with one receipt."""
        for subject in subjects:
            self._act(subject, self._said())
        self.session.flush()

    def _said(self) -> list[tuple[str, str, str]]:
        """Kind, study and item of each thing said in one act."""
        chance = self.chance
        way = chance.random()
        study = chance.choice((*STUDIES, "x", "other"))
        if way < 0.15:
            return [("withdrawn", chance.choice((study, ANY)), ANY)]
        if way < 0.2:
            kind = chance.choice(("granted", "withdrawn"))
            return [(kind, chance.choice((study, ANY)), "collect.new")]
        if way < 0.25:
            return [("granted", ANY, "use.record")]
        kinds = ("granted", "granted", "granted", "granted", "granted", "refused", "deferred")
        return [(chance.choice(kinds), study, item) for item in ASKED]

    def _act(self, subject: str, said: list[tuple[str, str, str]]) -> None:
        chance, receipt = self.chance, new_id()
        odd = chance.random()
        recorded = self.now + timedelta(milliseconds=chance.randrange(4))
        effective = recorded
        if 0.8 < odd < 0.86:
            effective = recorded + chance.choice((-DAY, DAY))
        proof = {
            "kind": "letter",
            "by": "ABC123",
            "mac": "00" * 16,
            "act": receipt.replace("-", ""),
            "yes": sorted(item for kind, _, item in said if kind == "granted"),
        }
        common = {
            "subject_id": subject,
            "receipt_id": receipt,
            "network": NETWORK,
            "site": SITE,
            "effective_at": effective,
            "recorded_at": recorded,
            "until": recorded + 2 * DAY if 0.9 < odd < 0.93 else None,
            "complete": not 0.86 < odd < 0.88,
            "text_version": chance.choice(self.texts),
            "language": "nl",
            "actor_kind": "patient",
            "actor_id": subject,
            "actor_role": "self",
            "login_level": "letter",
            "channel": "paper" if 0.93 < odd < 0.95 else "portal",
            "evidence": {},
            "party": "p-1" if 0.95 < odd < 0.97 else "self",
            "salt": b"\0" * 16,
        }
        self.session.execute(
            insert(Receipt),
            [
                {
                    "id": receipt,
                    "subject_id": subject,
                    "network": NETWORK,
                    "act": "record",
                    "study": "x",
                    "form_key": receipt,
                    "form_sha256": "0" * 64,
                    "language": "nl",
                    "recorded_at": recorded,
                    "first_leaf": self.leaf,
                    "leaves": len(said),
                    "tree_size": 0,
                    "tree_root": "0" * 64,
                }
            ],
        )
        rows = [
            {
                **common,
                "id": new_id(),
                "kind": kind,
                "study": study,
                "item": item,
                "category": ITEMS[item].category if item in ITEMS else ANY,
                "proof": proof if kind == "granted" and not 0.88 < odd < 0.9 else None,
                "leaf": self.leaf + place,
            }
            for place, (kind, study, item) in enumerate(said)
        ]
        self.session.execute(insert(ConsentEvent), rows)
        self._grow(len(rows))

    def _grow(self, leaves: int) -> None:
        self.leaf += leaves
        self.session.get_one(LogHead, NETWORK).size = self.leaf
        self.session.flush()

    def some(self, count: int) -> list[str]:
        return self.chance.sample(self.subjects, count)

    def become_known(self) -> None:
        """Marks on what was said, others who must agree, an end of a patient's record."""
        events = self.session.scalars(
            select(ConsentEvent.id)
            .where(ConsentEvent.kind == "granted", ConsentEvent.subject_id.in_(self.some(6)))
            .order_by(ConsentEvent.leaf)
        ).all()
        for event in events[:6]:
            mark = {
                "id": new_id(),
                "event_id": event,
                "network": NETWORK,
                "kind": self.chance.choice(("confirmed", "suspended", "resumed", "invalidated")),
                "reason": "test",
                "actor_kind": "site",
                "actor_id": SITE,
                "recorded_at": self.now,
                "salt": b"\0" * 16,
                "leaf": self.leaf,
            }
            self.session.execute(insert(ConsentMark), [mark])
            self._grow(1)
        for subject in self.some(3):
            self.session.add(
                Party(
                    subject_id=subject,
                    party=self.chance.choice(("self", "p-1")),
                    role="parent",
                    valid_from=self.now + self.chance.choice((-DAY, DAY)),
                    valid_until=self.chance.choice((None, self.now + 2 * DAY)),
                    recorded_at=self.now,
                )
            )
        for subject in self.some(2):
            self.session.add(
                Fact(
                    subject_id=subject,
                    kind=self.chance.choice(("closed", "contact_stop")),
                    value={},
                    effective_at=self.now - self.chance.choice((DAY, 0 * DAY)),
                    recorded_at=self.now,
                    number=1,
                )
            )
        self.session.flush()
        told = self.session.scalars(
            select(Fact.id).where(Fact.kind == "closed").order_by(Fact.subject_id)
        ).all()
        if told and self.session.get(FactCorrection, told[0]) is None:
            self.session.add(FactCorrection(fact_id=told[0], recorded_at=self.now, number=2))
            self.session.flush()

    def end_of_a_text(self) -> None:
        """An item of a text ends a while from now; it counts until then."""
        item = self.chance.choice((*ASKED, ANY))
        ended = TextEnd(
            text_version=self.texts[-2], item=item, at=self.now + self.chance.choice((-DAY, DAY))
        )
        if self.session.get(TextEnd, (ended.text_version, item)) is None:
            ended.why = "wider"
            self.session.add(ended)
            self.session.flush()

    def erase(self) -> None:
        """The content of a few leaves is erased, as when their time of keeping has ended."""
        leaves = self.session.scalars(
            select(ConsentEvent.leaf).where(
                ConsentEvent.subject_id.in_(self.some(3)),
                ~select(ConsentMark.id).where(ConsentMark.event_id == ConsentEvent.id).exists(),
            )
        ).all()
        for leaf in leaves:
            self.session.add(Erasure(network=NETWORK, leaf=leaf, ground="test", by=[], at=self.now))
        self.session.flush()
        gone = (ConsentEvent.network == NETWORK, ConsentEvent.leaf.in_(leaves))
        self.session.execute(delete(ConsentEvent).where(*gone))


def normal(state: State) -> dict[str, Any]:
    """A state without the order in which patients stand."""
    names = state.handles
    return {
        "columns": state.columns,
        "granted": {
            handle: [bool(mask[place]) for mask in state.granted]
            for place, handle in enumerate(names)
        },
        "within": {
            handle: [bool(mask[place]) for mask in state.within]
            for place, handle in enumerate(names)
        },
        "own": sorted(tuple(vars(no).values()) for no in state.evidence.own),
        "texts": state.evidence.texts,
        "acts": sorted(
            (names[act.handle], act.act, act.study, act.text, act.party, act.kind, act.yes, act.at)
            for act in state.evidence.acts
        ),
        "denied": sorted(tuple(vars(no).values()) for no in state.evidence.denied),
    }


@pytest.fixture
def histories(factory: SessionFactory) -> Iterator[Histories]:
    with factory() as session:
        yield Histories(session, 20_261_123)
        session.rollback()


def same(histories: Histories, kept: Kept, moment: datetime, lasts: timedelta) -> State:
    histories.session.expire_all()
    asked = (histories.session, SITE, NETWORK, COLUMNS, moment, moment + lasts)
    anew = state_of(*asked)
    assert normal(kept.state_of(*asked, histories.leaf)) == normal(anew)
    return anew


def test_what_is_kept_says_the_same_as_judging_anew(histories: Histories) -> None:
    kept, hour = Kept(), timedelta(hours=1)
    # The last steps take months, and a yes is asked again after a year.
    histories.session.get_one(Network, NETWORK).consent = {"renewal_years": 1}
    histories.session.flush()
    same(histories, kept, histories.now, hour)
    seen, within = [], []
    for step in range(9):
        histories.speak(histories.subjects if step == 0 else histories.some(5))
        if step % 3 == 1:
            histories.become_known()
        if step == 4:
            histories.end_of_a_text()
        if step == 6:
            histories.erase()
        histories.pass_time()
        histories.now += 150 * DAY if step > 4 else 0 * DAY
        anew = same(histories, kept, histories.now, hour)
        seen.append(len(anew.handles))
        within.append(int(sum(mask.sum() for mask in anew.within)))
        # Asked again with nothing new, for a longer and a shorter time, and as a fresh worker.
        same(histories, kept, histories.now, 3 * DAY)
        same(histories, kept, histories.now, hour)
        same(histories, Kept(), histories.now, hour)
    assert min(seen) > PATIENTS / 10
    assert max(within[7:]) > 2 * max(within[:5])
    # A clock that is set back is judged by the time it says.
    same(histories, kept, histories.now - DAY, hour)


def test_most_patients_are_read_the_short_way(histories: Histories) -> None:
    histories.speak(histories.subjects)
    histories.pass_time()
    now, hour = histories.now, timedelta(hours=1)
    asked = (histories.session, SITE, NETWORK, COLUMNS, now)
    plain, others = judge_plain(*asked, now + hour, Periods().renewal)
    assert len(plain) > len(others) > PATIENTS / 20
    assert not plain.keys() & set(others)


def test_a_failure_half_way_is_not_believed_later(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, hour = Kept(), timedelta(hours=1)
    histories.speak(histories.subjects)
    histories.pass_time()
    same(histories, kept, histories.now, hour)
    histories.speak(histories.some(3))
    with monkeypatch.context() as broken:
        broken.setattr("consent.kept.acts_of", _fail)
        with pytest.raises(ConsentError):
            same(histories, kept, histories.now, hour)
    same(histories, kept, histories.now, hour)


def _fail(*_: object) -> None:
    raise ConsentError("unknown_site")


def test_patients_choose_while_a_list_is_worked_out(hub: Hub, factory: SessionFactory) -> None:
    subject = hub.subject()
    hub.answer(subject)
    hub.session.commit()
    with factory() as looking:
        read_only(looking)
        prepared = consent.prepare_snapshot(looking, SITE, now=NOW)
        assert prepared is not None
        # The list is not signed and stored yet; this would wait if anything were locked.
        hub.stop(subject, NOW + timedelta(seconds=1))
        hub.session.commit()
    with factory() as writing:
        record = consent.store_snapshot(writing, prepared, b"signed")
        assert record is not None
        writing.commit()
        # The no is not in this list, so the next one is demanded.
        assert consent.required_seq(writing, SITE) == record.seq + 1
        # Another worker that prepared the same number comes too late.
        assert consent.store_snapshot(writing, prepared, b"signed again") is None
