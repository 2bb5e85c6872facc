"""`oncokring site policy`: the policy in force and the agreed studies, as JSON and as text."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from federation.query.words import threshold_words
from federation.site.settings import ALL, StudyHere
from federation.site.steward.overview import Overview
from federation.site.steward.policy_words import Rule, rules

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "open": "open gegevens: er geldt geen bescherming. Nooit voor echte patiënten.",
            "looser": "ruimer dan standaard ({default}), besloten door {by} op {decided}: "
            "{reason} Nog {days} dagen, tot en met {until}.",
            "ended": "ruimer dan standaard ({default}), maar het besluit liep af op {until}: het "
            "programma geeft geen antwoord.",
            "stricter": "standaard is {default}",
            "study": "Onderzoek {slug}: codeboek {codebook}; toestemming nodig voor {requires}; "
            "{approve}; analyses: {kinds}; variabelen: {variables}.",
            "sha256": "Vingerafdruk van dit beleid: {hash}",
            "here": "iemand van ons ziekenhuis keurt elke vraag apart goed",
            "committee": "de datacommissie keurt vragen goed",
            ALL: "alle van het codeboek",
        },
        "en": {
            "open": "open data: no protection applies. Never for real patients.",
            "looser": "looser than the default ({default}), decided by {by} on {decided}: {reason} "
            "{days} days left, up to {until}.",
            "ended": "looser than the default ({default}), but the decision ended on {until}: the "
            "program gives no answer.",
            "stricter": "default is {default}",
            "study": "Study {slug}: codebook {codebook}; consent needed for {requires}; {approve}; "
            "analyses: {kinds}; variables: {variables}.",
            "sha256": "Fingerprint of this policy: {hash}",
            "here": "somebody of our hospital approves each query as well",
            "committee": "the data-access committee approves queries",
            ALL: "all of the codebook",
        },
    }
)


def policy_report(overview: Overview, now: datetime) -> dict[str, Any]:
    """The policy as JSON: sentences, every key, decisions to be looser, agreed studies."""
    policy = overview.policy
    found = rules(policy, now, overview.lang)
    return {
        "site": overview.settings.slug,
        "protection": policy.protection,
        "policy_sha256": policy.sha256,
        "words": threshold_words(policy.terms(), overview.lang),
        "rules": [rule.to_dict() for rule in found],
        "loosened": [rule.to_dict() for rule in found if rule.loosened is not None],
        "studies": [_study(study) for study in overview.settings.studies.values()],
    }


def policy_lines(overview: Overview, now: datetime) -> Iterator[str]:
    """The policy as lines of text."""
    say = TEXTS[overview.lang]
    if overview.policy.protection == "none":
        yield say["open"]
    yield from threshold_words(overview.policy.terms(), overview.lang)
    yield ""
    for rule in rules(overview.policy, now, overview.lang):
        yield f"{rule.key} = {rule.value}  ({rule.meaning})"
        if note := rule_note(rule, overview.lang):
            yield f"    {note}"
    yield ""
    for study in overview.settings.studies.values():
        yield study_line(study, overview.lang)
    yield say["sha256"].format(hash=overview.policy.sha256)


def rule_note(rule: Rule, lang: str) -> str:
    """Who made a rule looser and how long that holds, or what the default is; "" for a default."""
    say, loosened = TEXTS[lang], rule.loosened
    if loosened is None:
        return say["stricter"].format(default=rule.default) if rule.changed else ""
    key = "looser" if rule.days_left is None or rule.days_left >= 0 else "ended"
    return say[key].format(
        default=rule.default,
        by=" & ".join(loosened.by),
        decided=loosened.decided.isoformat(),
        reason=loosened.reason.rstrip(".") + ".",
        days=rule.days_left,
        until=loosened.until.isoformat(),
    )


def study_line(study: StudyHere, lang: str) -> str:
    """What this hospital agreed to for one study, in one sentence."""
    say = TEXTS[lang]
    return say["study"].format(
        slug=study.slug,
        codebook=study.codebook,
        requires=", ".join(study.requires),
        approve=say[study.approve],
        kinds=_names(study.kinds, say),
        variables=_names(study.variables, say),
    )


def _names(names: frozenset[str] | None, say: Mapping[str, str]) -> str:
    return say[ALL] if names is None else ", ".join(sorted(names)) or "–"


def _study(study: StudyHere) -> dict[str, Any]:
    return {
        "study": study.slug,
        "codebook": study.codebook,
        "requires": list(study.requires),
        "approve": study.approve,
        "kinds": ALL if study.kinds is None else sorted(study.kinds),
        "variables": ALL if study.variables is None else sorted(study.variables),
        "mapping": study.mapping,
    }
