"""Whether this hospital's own results may leave, and in which way: rules O13 and O14.

Three must agree: the board by its form, the hospital's policy, and the hospital with this study.
"""

from __future__ import annotations

from typing import Final, Literal

from federation.disclosure.policy import Policy
from federation.methods.base import Ask
from federation.query.refusals import Refused
from federation.site.settings import StudyHere

Way = Literal["released", "sealed"]
_WAYS: Final[dict[str, Way]] = {"hub": "released", "sealed": "sealed"}


def check_agreed(study: StudyHere, ask: Ask, policy: Policy) -> None:
    """Refuse INSTITUTION_HIDDEN a question by_site that this hospital did not agree to."""
    if ask.query.output != "by_site" or not ask.strict:
        return
    form = policy.institution_disclosure is not None
    if not (form and policy.site_level_output and study.by_site in _WAYS):
        raise Refused("INSTITUTION_HIDDEN")


def way_of(study: StudyHere, ask: Ask) -> Way:
    """In which claim of a reply this hospital's own answer leaves."""
    return _WAYS[study.by_site] if ask.strict else "released"
