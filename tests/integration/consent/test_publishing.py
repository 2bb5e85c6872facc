"""Snapshots per site: who is in, when a new one is due, and that no no is ever missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from consent import service as consent
from consent.errors import ConsentError
from consent.list_due import AFTER_REFUSALS, MANY_USES, REFRESH
from consent.models import SnapshotRecord, Subject, TextVersion
from consent.models_people import SiteMessage
from consent.publishing import VALID_FOR
from consent.snapshot import Snapshot, parse_claims
from consent.subjects import handle_bytes
from federation.protocol import messages
from federation.protocol.keys import SigningKey
from studies import service as studies
from studies.actor import SYSTEM
from studies.events import announced
from studies.models import Membership, Network
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, Hub

SITE = "zuyderland"
REQUIRES = HORMONE_THERAPY.requires
SECOND = timedelta(seconds=1)


@dataclass
class Post:
    """Signs and keeps what would be sent."""

    hub: Hub
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def sign(self, site: str, claims: dict[str, Any]) -> bytes:
        self.sent.append((site, claims))
        return f"{site} {claims['seq']}".encode()

    def publish(self, at: datetime, sites: Iterable[str] = (SITE,)) -> list[SnapshotRecord]:
        return consent.publish_snapshots(self.hub.session, self.sign, sites, now=at)

    @property
    def last(self) -> Snapshot:
        site, claims = self.sent[-1]
        return parse_claims({**claims, "aud": site}, audience=site)

    def counts(self, *subjects: Subject) -> list[bool]:
        handles = [handle_bytes(subject.handle) for subject in subjects]
        return [bool(each) for each in self.last.permits(handles, STUDY, REQUIRES)]


@pytest.fixture
def post(hub: Hub) -> Post:
    return Post(hub)


def test_only_who_said_yes_to_all_is_counted(hub: Hub, post: Post) -> None:
    yes, no, stopped, elsewhere = (
        hub.subject(),
        hub.subject(),
        hub.subject(),
        hub.subject("catharina"),
    )
    hub.answer(yes)
    hub.answer(no, use_network="no")
    hub.answer(stopped)
    hub.stop(stopped, NOW + SECOND)
    hub.answer(elsewhere)
    [record] = post.publish(NOW + 2 * SECOND)
    assert post.counts(yes, no, stopped, elsewhere) == [True, False, False, False]
    assert (record.seq, record.log_size) == (1, 13)
    # Who is granted nothing is not named; who is granted a part is, without the rest.
    assert len(post.last.handles) == 2
    assert post.last.columns == tuple((STUDY, item) for item in REQUIRES)


def test_a_parent_closes_its_child_in_the_snapshot(hub: Hub, post: Post) -> None:
    subject = hub.subject()
    hub.answer(subject, use_record="no")
    post.publish(NOW + SECOND)
    handle = [handle_bytes(subject.handle)]
    assert not post.last.permits(handle, STUDY, ["use.network"]).any()
    assert post.last.permits(handle, STUDY, ["study.join"]).all()


def test_a_snapshot_of_nobody_is_made_too(post: Post) -> None:
    [record] = post.publish(NOW)
    assert (record.seq, record.log_size, len(post.last.handles)) == (1, 0, 0)


def test_nothing_new_makes_nothing_until_it_is_time(hub: Hub, post: Post) -> None:
    hub.answer(hub.subject())
    assert [record.seq for record in post.publish(NOW)] == [1]
    assert post.publish(NOW + REFRESH - SECOND) == []
    [record] = post.publish(NOW + REFRESH)
    assert (record.seq, record.valid_until) == (2, NOW + REFRESH + VALID_FOR)


def test_a_clock_set_back_makes_one_with_the_right_dates(post: Post) -> None:
    post.publish(NOW)
    assert [record.seq for record in post.publish(NOW - timedelta(hours=2))] == [2]


def test_a_choice_at_one_hospital_makes_one_snapshot(hub: Hub, post: Post) -> None:
    sites = [institution.slug for institution in ONCOZON.institutions]
    assert len(post.publish(NOW, sites)) == 10
    hub.answer(hub.subject("viecuri"))
    assert [record.site for record in post.publish(NOW + SECOND, sites)] == ["viecuri"]


def test_all_hospitals_looked_at_together_stand_as_each_does_alone(hub: Hub, post: Post) -> None:
    sites = [institution.slug for institution in ONCOZON.institutions]
    assert consent.standings(hub.session, [SITE], now=NOW)[SITE] == consent.Standing(True, 1, None)
    post.publish(NOW, sites)
    hub.answer(hub.subject("viecuri"))
    found = consent.standings(hub.session, [*sites, "nowhere"], now=NOW + SECOND)
    assert {site: one.required for site, one in found.items()} == {
        site: consent.required_seq(hub.session, site) for site in sites
    }
    assert [site for site, one in found.items() if one.due] == ["viecuri"]
    assert {one.unconfirmed for one in found.values()} == {1}


def test_use_of_data_makes_no_list_until_many_are_told(hub: Hub, post: Post) -> None:
    def told(seq: int, kind: str) -> bool:
        message = SiteMessage(site=SITE, seq=seq, kind=kind, body=b"", received_at=NOW)
        hub.session.add(message)
        return consent.standings(hub.session, [SITE], now=NOW)[SITE].due

    post.publish(NOW)
    assert not any(told(seq, "use") for seq in range(1, MANY_USES))
    assert consent.required_seq(hub.session, SITE) == 1
    assert told(MANY_USES, "use")
    post.publish(NOW)
    assert told(MANY_USES + 1, "paper")
    assert consent.required_seq(hub.session, SITE) == 3


def test_a_no_that_was_confirmed_is_demanded(hub: Hub, post: Post) -> None:
    subject = hub.subject()
    assert consent.required_seq(hub.session, SITE) == 1
    hub.answer(subject)
    post.publish(NOW)
    assert consent.required_seq(hub.session, SITE) == 1
    hub.stop(subject, NOW + SECOND)
    assert consent.required_seq(hub.session, SITE) == 2
    assert consent.required_seq(hub.session, "catharina") == 1
    [record] = post.publish(NOW + 2 * SECOND)
    assert record.seq == consent.required_seq(hub.session, SITE) == 2
    assert post.counts(subject) == [False]


def test_a_choice_in_the_very_moment_is_judged(hub: Hub, post: Post) -> None:
    subject = hub.subject()
    hub.answer(subject, at=NOW)
    hub.stop(subject, NOW)
    post.publish(NOW - timedelta(minutes=1))
    assert post.counts(subject) == [False]


def test_a_suspended_text_makes_a_new_snapshot_without_its_yeses(hub: Hub, post: Post) -> None:
    subject = hub.subject()
    hub.answer(subject)
    post.publish(NOW)
    text = hub.session.get_one(TextVersion, hub.text)
    consent.suspend_text(hub.session, text, actor=SYSTEM, now=NOW + SECOND)
    assert consent.required_seq(hub.session, SITE) == 2
    post.publish(NOW + 2 * SECOND)
    assert post.counts(subject) == [False]


@pytest.mark.parametrize("what", ["participation", "study"])
def test_a_study_that_stops_leaves_the_snapshot(hub: Hub, post: Post, what: str) -> None:
    hub.answer(hub.subject())
    post.publish(NOW)
    if what == "participation":
        part = studies.get_participation(hub.session, STUDY, SITE)
        studies.move(hub.session, part, "closed", actor=SYSTEM, now=NOW + SECOND)
    else:
        study = studies.get_study(hub.session, STUDY)
        studies.move_study(hub.session, study, "closed", actor=SYSTEM, now=NOW + SECOND)
    assert consent.required_seq(hub.session, SITE) == 2
    post.publish(NOW + SECOND)
    assert post.last.columns == ()


def test_only_the_newest_body_of_the_same_content_is_kept(hub: Hub, post: Post) -> None:
    for number in range(3):
        post.publish(NOW + number * REFRESH)
    hub.answer(hub.subject())
    post.publish(NOW + 3 * REFRESH)
    records = [hub.session.get_one(SnapshotRecord, (SITE, seq)) for seq in (1, 2, 3, 4)]
    for record in records:
        hub.session.refresh(record)
    assert [record.body for record in records] == [None, None, b"zuyderland 3", b"zuyderland 4"]


def test_a_site_outside_every_network_gets_nothing(post: Post) -> None:
    with pytest.raises(ConsentError) as failure:
        post.publish(NOW, ["nowhere"])
    assert failure.value.code == "unknown_site"


def test_a_site_in_two_networks_is_not_guessed_at(hub: Hub, post: Post) -> None:
    hub.session.add(Network(slug="other", name="Other"))
    hub.session.flush()
    hub.session.add(Membership(network="other", institution=SITE, since=NOW))
    hub.session.flush()
    with pytest.raises(ConsentError) as failure:
        post.publish(NOW)
    assert failure.value.code == "unknown_site"


def test_acknowledging(hub: Hub, post: Post) -> None:
    post.publish(NOW)
    waiting = consent.snapshot_to_send(hub.session, SITE)
    assert waiting is not None
    assert waiting.body == b"zuyderland 1"
    given: dict[str, Any] = {"site": SITE, "seq": 1, "now": NOW}
    refused = consent.store_ack(
        hub.session, **given, status="refused", code="clock_skew", applied_at=None
    )
    assert refused.status == "refused"
    assert consent.snapshot_to_send(hub.session, SITE) is waiting
    consent.store_ack(hub.session, **given, status="refused", code="other", applied_at=None)
    assert refused.code == "clock_skew"
    applied = consent.store_ack(hub.session, **given, status="applied", code=None, applied_at=NOW)
    assert (applied.status, applied.applied_at) == ("applied", NOW)
    assert consent.snapshot_to_send(hub.session, SITE) is None
    again = consent.store_ack(
        hub.session, **given, status="applied", code=None, applied_at=NOW + SECOND
    )
    assert again.applied_at == NOW
    assert announced(hub.session)[-1].action == "consent.snapshot_acknowledged"
    assert consent.snapshot_to_send(hub.session, "catharina") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "fine"}, "ack_malformed"),
        ({"applied_at": None}, "ack_malformed"),
        ({"status": "refused"}, "ack_malformed"),
        ({"seq": 9}, "snapshot_never_sent"),
        ({"site": "catharina"}, "snapshot_never_sent"),
    ],
)
def test_odd_acknowledgements(hub: Hub, post: Post, changes: dict[str, Any], code: str) -> None:
    post.publish(NOW)
    given: dict[str, Any] = {
        "site": SITE,
        "seq": 1,
        "status": "applied",
        "code": None,
        "applied_at": NOW,
        "now": NOW,
    }
    with pytest.raises(ConsentError) as failure:
        consent.store_ack(hub.session, **{**given, **changes})
    assert failure.value.code == code


def test_signed_by_the_hub_and_read_by_the_site(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    key = SigningKey.generate()
    [record] = consent.publish_snapshots(
        hub.session,
        lambda site, claims: messages.sign(
            messages.TYP_SNAPSHOT,
            claims,
            key,
            issuer="hub",
            audience=site,
            now=NOW,
            lifetime=VALID_FOR,
        ),
        [SITE],
        now=NOW,
    )
    assert record.body is not None
    claims = messages.verify(
        messages.TYP_SNAPSHOT,
        record.body,
        {key.kid: key.public}.get,
        audience=SITE,
        now=NOW,
        attached=True,
    )
    snapshot = parse_claims(claims, audience=SITE, network=ONCOZON.slug)
    snapshot.check_fresh(NOW, timedelta(minutes=15))
    assert snapshot.permits([handle_bytes(subject.handle)], STUDY, REQUIRES).all()


def test_a_refused_list_is_made_anew_at_once_and_then_with_pauses(hub: Hub, post: Post) -> None:
    def refuse(seq: int, at: datetime) -> None:
        consent.store_ack(
            hub.session,
            site=SITE,
            seq=seq,
            status="refused",
            code="log_inconsistent",
            applied_at=None,
            now=at,
        )

    assert [record.seq for record in post.publish(NOW)] == [1]
    refuse(1, NOW + SECOND)
    # With its word the hospital said what it knows: the next list may fit.
    assert [record.seq for record in post.publish(NOW + SECOND)] == [2]
    assert post.publish(NOW + 2 * SECOND) == []
    refuse(2, NOW + 2 * SECOND)
    assert post.publish(NOW + 3 * SECOND) == []
    assert [record.seq for record in post.publish(NOW + 2 * SECOND + AFTER_REFUSALS)] == [3]
