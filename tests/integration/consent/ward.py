"""A study that enrols, letters for its patients, and whether the next list counts them."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consent import joining, letters
from consent import service as consent
from consent.errors import ConsentError
from consent.joining import Letter, SignedForm
from consent.models import Subject
from consent.snapshot import parse_claims
from consent.subjects import handle_bytes
from studies.actor import Actor
from studies.errors import StudiesError
from studies.participants.models import Participant
from studies.participants.numbers import settle_prefix
from studies.reading import get_study
from studies.seeds.oncozon import HORMONE_THERAPY

from .conftest import NOW, STUDY, Hub

NURSE = Actor(kind="user", id="0b0e7f86-2f0e-4e25-8f39-1f9e0c6f4a11", name="Nurse")
CHECKER = "5f2d3f0a-7c39-4f54-9f1d-2a2b6f1f0c77"
REQUIRES = HORMONE_THERAPY.requires
SITE, OTHER = "zuyderland", "maastricht-umc"
DAY = timedelta(days=1)
LATER = NOW + 30 * DAY
FORM = SignedForm(NOW.date(), "1", CHECKER)
VERIFIER = letters.verifier("0" * letters.ID_LENGTH, "0" * letters.SECRET_LENGTH)


def refused(code: str, do: Callable[[], Any]) -> None:
    with pytest.raises((StudiesError, ConsentError)) as found:
        do()
    assert found.value.code == code


class Ward:
    """A study that enrols, and letters for its patients."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.session = hub, hub.session
        self.study = get_study(hub.session, STUDY)
        self.lists: dict[str, dict[str, Any]] = {}
        settle_prefix(hub.session, self.study, "HT", actor=NURSE, now=NOW)

    def letter(self, subject: Subject, **more: Any) -> str:
        code = "".join(secrets.choice(letters.ALPHABET) for _ in range(letters.ID_LENGTH))
        consent.invite(
            self.session,
            site=subject.site,
            handle=handle_bytes(subject.handle),
            code_id=code,
            verifier=VERIFIER,
            studies=[STUDY],
            language="nl",
            actor=Actor(kind="site", id=subject.site),
            now=NOW,
            **more,
        )
        return code

    def patient(self, site: str = SITE, **answers: str) -> tuple[Subject, str]:
        """One who answered yes to all but `answers`, and the number of their letter."""
        subject = self.hub.subject(site)
        self.hub.answer(subject, **answers)
        return subject, self.letter(subject)

    def enter(self, number: str, shown: Letter | SignedForm, **more: Any) -> Participant:
        given: dict[str, Any] = {"actor": NURSE, "now": NOW + DAY} | more
        site = given.pop("site", SITE)
        return joining.enter(self.session, STUDY, site, number, shown, **given)

    def counted(self, subject: Subject, at: Any) -> bool:
        """Whether the next list of the subject's hospital lets this study count them."""

        def sign(site: str, claims: dict[str, Any]) -> bytes:
            self.lists[site] = {**claims, "aud": site}
            return secrets.token_bytes(8)

        consent.publish_snapshots(self.session, sign, [subject.site], now=at)
        read = parse_claims(self.lists[subject.site], audience=subject.site)
        [permitted] = read.permits([handle_bytes(subject.handle)], STUDY, REQUIRES)
        return bool(permitted)
