"""Commands: how a study's answers may leave; what a hospital's own policy says stays above it."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study

SEALED, HUB = "sealed", "hub"
MAX_BENCHMARK = 200
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")


def choose_delivery(
    session: Session,
    study: Study,
    delivery: str | None,
    *,
    actor: Actor,
    result_key: str | None = None,
    benchmark: str | None = None,
) -> Study:
    """How results of single hospitals reach the study under protection, announced.

    None: there are none. "sealed": only the holder of the private half of `result_key` (X25519,
    base64url) can read them. "hub": they are stored for the study's participants, which needs
    `benchmark`, the agreement by which the hospitals let themselves be compared. Raises
    StudiesError `bad_delivery`.
    """
    key = result_key if delivery == SEALED else None
    agreement = " ".join((benchmark or "").split()) if delivery == HUB else ""
    if (
        delivery not in (None, SEALED, HUB)
        or (delivery == SEALED and (key is None or not _KEY.fullmatch(key)))
        or (delivery == HUB and not 1 <= len(agreement) <= MAX_BENCHMARK)
    ):
        raise StudiesError("bad_delivery")
    study.delivery, study.result_key, study.benchmark = delivery, key, agreement or None
    study.output_by_site = delivery is not None
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.delivery_chosen",
        about=f"study:{study.slug}",
        facts={"delivery": delivery or "none", "result_key": key, "benchmark": agreement or None},
    )
    return study


def tighten_terms(
    session: Session, study: Study, terms: Mapping[str, Any] | None, *, actor: Actor
) -> Study:
    """Let a study carry thresholds of its own, announced; None takes them away again.

    Whether these are thresholds is checked where they are known (federation.query.terms).
    """
    study.terms = None if not terms else dict(terms)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.terms_changed",
        about=f"study:{study.slug}",
        facts={"keys": ", ".join(sorted(study.terms or {})) or None},
    )
    return study
