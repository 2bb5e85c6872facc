"""What leaves the hospital: signed replies, built from an allow-list and checked once more."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from federation.disclosure.looking import LOOK
from federation.disclosure.outgoing import check_basis, check_lists, check_outgoing, is_own_answer
from federation.methods.base import Ask, Sums
from federation.protocol.basis import sign_basis
from federation.protocol.encoding import b64, canonical, pack_array
from federation.protocol.masks import mask
from federation.protocol.messages import TYP_ACK, TYP_MATCH_REPLY, TYP_REPLY, TYP_RESULT, sign
from federation.protocol.pooling import CONTRIBUTION
from federation.protocol.sealing import seal
from federation.protocol.sums import flatten
from federation.protocol.transparency import sign_witness
from federation.query.coverage import read_coverages
from federation.query.refusals import Refused
from federation.query.terms import Terms
from federation.site.agreement import way_of
from federation.site.directory import SiteDirectory
from federation.site.journal import RunState
from federation.site.selection import Counted
from federation.site.settings import StudyHere
from federation.site.step_message import HUB, StepMessage

LIFETIME = timedelta(days=30)
"""As long as a query may stay open: a journaled reply is sent again unchanged."""

SOFTWARE = "oncokring/0.1.0"
"""Written out, because asking importlib.metadata costs a tenth of the start; a test compares."""

_NO_HASH = "0" * 64


@dataclass(frozen=True)
class CountedBy:
    """The consent behind an answer: number of the list, the head of the log of choices it told of
    (size and root; None where it told of none), and the items that the study requires."""

    study: str
    requires: tuple[str, ...]
    snapshot: int
    head: tuple[int, str] | None


class Replies:
    """Builds and signs this site's messages to the hub."""

    def __init__(self, directory: SiteDirectory) -> None:
        self._directory = directory
        self._last_sealed: tuple[bytes, bytes | None] = (b"", None)

    def answer(
        self,
        asked: StepMessage,
        ask: Ask,
        sums: Sums,
        counted: Counted,
        *,
        plain: bool,
        counted_by: CountedBy,
        now: datetime,
    ) -> bytes:
        """An answer with masked sums, or with plain ones where nothing is protected.

        Raises Refused INTERNAL_REFUSED when what would leave is not what may leave.
        """
        n = counted.n if counted.contributes else 0
        contribution = np.array([int(counted.contributes), n, n * n], np.int64)
        everything = {**sums, CONTRIBUTION: contribution}
        claims = {
            **self._common(asked, counted_by.snapshot),
            "status": "ok",
            **(_plain(everything) if plain else self._masked(asked, everything)),
        }
        if asked.step_name != LOOK:  # in which only votes leave
            claims["basis"] = self._basis(asked, counted_by, now)
        check_outgoing(claims, ask.terms)
        return self._sign(claims, now)

    def own(
        self,
        asked: StepMessage,
        ask: Ask,
        study: StudyHere,
        answer: Mapping[str, Any],
        *,
        counted_by: CountedBy,
        now: datetime,
    ) -> bytes:
        """This hospital's own released answer, in the clear or sealed to the study's key that the
        hospital pinned. Raises Refused INTERNAL_REFUSED as `answer`."""
        claims = {**self._common(asked, counted_by.snapshot), "status": "ok"}
        claims["basis"] = self._basis(asked, counted_by, now)
        inside = None
        way = way_of(study, ask)
        if way == "released":
            claims["released"] = dict(answer)
        else:
            if not is_own_answer(answer):
                raise Refused("INTERNAL_REFUSED")
            own = {
                **self._common(asked, counted_by.snapshot),
                "kind": ask.query.kind,
                "terms": ask.terms.to_dict(),
                "released": dict(answer),
            }
            inside = self._sign(own, now, TYP_RESULT, audience=study.slug)
            claims["sealed"] = seal(inside, study.result_key)
        check_outgoing(claims, ask.terms, own_allowed=way)
        body = self._sign(claims, now)
        self._last_sealed = (body, inside)
        return body

    def inside(self, body: bytes) -> bytes | None:
        """What was sealed in `body` when that is the last reply of `own`: this hospital has no key
        to open it again, and its people must see what left."""
        sealed, inside = self._last_sealed
        return inside if sealed == body else None

    def matched(
        self,
        asked: StepMessage,
        terms: Terms,
        snapshot: int,
        now: datetime,
        *,
        sums: Sums | None = None,
        lists: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """A reply in a private match: sums under masks, or one sealed list per hospital. Raises
        Refused INTERNAL_REFUSED as `answer`."""
        claims = {**self._common(asked, snapshot), "status": "ok"}
        if lists is None:
            claims |= self._masked(asked, sums or {})
            check_outgoing(claims, terms)
        else:
            claims["lists"] = {name: b64(each) for name, each in lists.items()}
            check_lists(claims, set(asked.roster) - {self._directory.slug})
        return self._sign(claims, now, TYP_MATCH_REPLY)

    def _basis(self, asked: StepMessage, counted_by: CountedBy, now: datetime) -> str:
        """By which state of consent this hospital counted, in its own signed word for everybody."""
        common = self._common(asked, counted_by.snapshot)
        head = counted_by.head
        claims = {
            **{name: value for name, value in common.items() if name != "step"},
            "study": counted_by.study,
            "log": None if head is None else {"size": head[0], "root": head[1]},
            "requires": list(counted_by.requires),
        }
        check_basis(claims)
        key, slug = self._directory.sign, self._directory.slug
        return sign_basis(key, slug, now, claims).decode("ascii")

    def _masked(self, asked: StepMessage, sums: Sums) -> dict[str, Any]:
        layout, vector = flatten(sums)
        boxes = {slug: identity.box for slug, identity in asked.roster.items()}
        hidden = mask(vector, self._directory.box, self._directory.slug, boxes, _context(asked))
        return {"layout": layout, "masked": pack_array(hidden)}

    def replay(
        self, asked: StepMessage, earlier: RunState, *, snapshot: int, now: datetime
    ) -> bytes:
        """Points to the earlier answer to the same question; carries no number."""
        as_of = earlier.started_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        claims = {
            **self._common(asked, snapshot),
            "status": "replay",
            "replay_of": {"run": earlier.run, "as_of": as_of},
        }
        check_outgoing(claims, Terms.strict())
        return self._sign(claims, now)

    def refusal(
        self,
        asked: StepMessage | None,
        refused: Refused,
        *,
        snapshot: int,
        now: datetime,
        typ: str = TYP_REPLY,
    ) -> bytes:
        """A public code and, at most, names from the codebook and the day of a new budget."""
        claims = {**self._common(asked, snapshot), "status": "refused", "code": refused.code}
        if refused.again_from is not None:
            claims["again_from"] = refused.again_from.isoformat()
        named = {**claims, "terms_named": list(refused.terms)} if refused.terms else claims
        try:
            check_outgoing(named, Terms.strict())
        except Refused:
            return self._sign(claims, now, typ)
        return self._sign(named, now, typ)

    def acknowledgement(
        self,
        seq: int,
        code: str | None,
        applied_at: datetime | None,
        now: datetime,
        coverage: Mapping[str, Any] | None = None,
        messages: Sequence[bytes] = (),
        *,
        head: tuple[int, tuple[int, str]] | None = None,
        unproven: str | None = None,
        notice_days: int | None = None,
    ) -> bytes:
        """What became of a consent snapshot: applied, or refused with a code. With it go, signed by
        itself because it is for everybody, the number of the list in use here and the `head` of the
        hub's log that it told of; of how many patients a yes could not be verified (a band); how
        many days after its notice a yes counts here, where it does not at once; when it is due how
        much of the data is filled, and the signed messages that wait for the hub. Raises
        CoverageError for what may not be told."""
        claims: dict[str, Any] = {
            "seq": seq,
            "status": "applied" if code is None else "refused",
            "code": code,
            "applied_at": None if applied_at is None else int(applied_at.timestamp()),
        }
        if head is not None:
            claims["witness"] = self._witness(*head, now)
        if unproven is not None:
            claims["unproven"] = unproven
        if notice_days is not None:
            claims["notice_days"] = notice_days
        if coverage is not None:
            told = read_coverages(coverage)
            claims["coverage"] = {study: each.to_dict() for study, each in told.items()}
        if messages:
            claims["messages"] = [message.decode("ascii") for message in messages]
        return self._sign(claims, now, TYP_ACK)

    def _witness(self, seq: int, head: tuple[int, str], now: datetime) -> str:
        key, settings = self._directory.sign, self._directory.settings
        size, root = head
        said = sign_witness(
            key, settings.slug, now, network=settings.network, seq=seq, size=size, root=root
        )
        return said.decode("ascii")

    def _common(self, asked: StepMessage | None, snapshot: int) -> dict[str, Any]:
        return {
            "run": "unknown" if asked is None else asked.run,
            "step": 0 if asked is None else asked.step,
            "query_sha256": _NO_HASH if asked is None else asked.query_sha256,
            "roster_sha256": _NO_HASH if asked is None else asked.roster_sha256,
            "snapshot": snapshot,
            "policy_sha256": self._directory.policy.sha256,
            "software": SOFTWARE,
        }

    def _sign(
        self,
        claims: Mapping[str, Any],
        now: datetime,
        typ: str = TYP_REPLY,
        *,
        audience: str = HUB,
    ) -> bytes:
        return sign(
            typ,
            claims,
            self._directory.sign,
            issuer=self._directory.slug,
            audience=audience,
            now=now,
            lifetime=LIFETIME,
        )


def _plain(sums: Sums) -> dict[str, Any]:
    return {"plain": {name: pack_array(_wide(array)) for name, array in sums.items()}}


def _wide(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)


def _context(asked: StepMessage) -> bytes:
    """Unique to run, step, question, roster and terms: a mask is never used twice.

    All that must be the same at every site is in it. A hub that tells one hospital something else
    than the others (terms under which only that one contributes) gets sums that never add up.
    """
    text = canonical([asked.run, asked.step, asked.run_sha256])
    return hashlib.sha256(text).digest()
