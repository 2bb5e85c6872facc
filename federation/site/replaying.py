"""The hub's arithmetic, done again here from the other sites' signed replies.

Before it answers step k, a site adds up the replies of step k-1 itself, takes the method's hub
half and compares. So neither researcher nor hub chooses what is asked next: a made-up
coefficient, a forged sum or a left-out hospital ends the run (design: disclosure.md 4.6).
"""

from collections.abc import Mapping
from typing import Any

from federation.disclosure.gate import check_contribution
from federation.disclosure.looking import COHORT, LOOK, Agreement, Recognises, agree, take_doubts
from federation.methods.base import Ask, Finished, Method, Step, Sums
from federation.methods.labels import cell_labels, set_labels, term_labels
from federation.methods.own import is_own
from federation.methods.own import next_step as following
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, key_id
from federation.protocol.messages import TYP_REPLY, verify
from federation.protocol.pooling import pool, take_contribution
from federation.query.terms import Terms
from federation.site.step_message import HUB, StepMessage

_REPLY_ALLOWANCE = 65_536  # names, base64 and signature beside the sums


def next_step(method: Method, ask: Ask, last: Step, asked: StepMessage, own_reply: bytes) -> Step:
    """The step that must follow `last`, from the replies in `asked.previous`.

    `own_reply`: what this site journaled for the last step; it must be among them unchanged.
    Raises ProtocolError when the replies are not those of this run, and Refused as the hub half
    of the method does.
    """
    if is_own(last):
        raise ProtocolError("RUN_FINISHED")
    pooled = _pooled(asked, own_reply, ask, last)
    after = following(method, ask.at_hub, last, pooled)
    if isinstance(after, Finished):
        raise ProtocolError("RUN_FINISHED")
    return after


def agreed(
    method: Method,
    ask: Ask,
    asked: StepMessage,
    own_reply: bytes,
    recognises: Recognises,
    recognises_whole: Recognises,
) -> Agreement:
    """What the look of all hospitals came to, from the replies in `asked.previous`.

    Raises as `next_step`; Refused also when the added votes do not allow the question.
    """
    pooled = _pooled(asked, own_reply, ask, Step(LOOK))
    alone = ask.terms if ask.query.output == "by_site" else None
    return agree(
        pooled,
        (*set_labels(method, ask), COHORT),
        cell_labels(method, ask),
        ask.terms.diff.t_diff,
        ask.terms.t_complement,
        recognises,
        term_labels(method, ask),
        alone,
        None if alone is None else recognises_whole,
    )


def _pooled(asked: StepMessage, own_reply: bytes, ask: Ask, last: Step) -> Sums:
    """The sums of the last step, when enough hospitals stand behind them."""
    pooled = pooled_replies(asked, own_reply, ask.site, ask.terms, labelled=last.labelled)
    check_contribution(*take_contribution(pooled), ask.terms)
    take_doubts(pooled, ())
    return pooled


def pooled_replies(
    asked: StepMessage,
    own_reply: bytes,
    own: str | None,
    terms: Terms,
    *,
    labelled: bool,
    typ: str = TYP_REPLY,
) -> Sums:
    """The sums over the roster of the step before this one; `own`: this site, whose reply must be
    among them unchanged. Raises ProtocolError."""
    slugs = sorted(asked.roster)
    if len(asked.previous) != len(slugs):
        raise ProtocolError("PREVIOUS")
    limit = 2 * terms.max_response_bytes + _REPLY_ALLOWANCE
    claims = {}
    for slug, text in zip(slugs, asked.previous, strict=True):
        reply = text.encode("ascii", "replace")
        if slug == own and reply != own_reply:
            raise ProtocolError("PREVIOUS")
        claims[slug] = _claims(reply, asked.roster[slug], asked, limit, typ)
    return pool(claims, labelled=labelled)


def _claims(
    reply: bytes, sender: PublicIdentity, asked: StepMessage, limit: int, typ: str
) -> Mapping[str, Any]:
    keys = {key_id(sender.sign): sender.sign}
    # No time window: these are kept as evidence of what was added, however long a run takes.
    claims = verify(typ, reply, keys.get, audience=HUB, now=None, max_bytes=limit)
    expected = {
        "iss": sender.slug,
        "run": asked.run,
        "step": asked.step - 1,
        "query_sha256": asked.query_sha256,
        "roster_sha256": asked.roster_sha256,
        "status": "ok",
    }
    if any(claims.get(name) != value for name, value in expected.items()):
        raise ProtocolError("PREVIOUS")
    return claims
