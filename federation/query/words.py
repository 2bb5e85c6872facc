"""A query in words, English or Dutch: who is asked, what leaves each hospital, which thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from federation.query.codebook import Codebook, Variable, number_text
from federation.query.cohort import All, Any, Leaf, Node, Not
from federation.query.model import Query
from federation.query.terms import Terms
from federation.query.units import PATIENT

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "en": {
            "title": "Question: {title}.",
            "purpose": "Purpose: {purpose}",
            "all_sites": "Asked are all hospitals that take part in the study.",
            "sites": "Asked are these hospitals: {sites}.",
            "everyone": "It is about all patients of the study who consent.",
            "cohort": "It is about consenting patients with: {cohort}.",
            "unit": "A row is a {unit}; a patient may have several. Consent is the patient's, and "
            "a group is small when its patients are few.",
            "missing": "A patient whose value is missing does not match a comparison.",
            "missing_not": "'not' does include patients whose value is missing.",
            "variables": "Read at each hospital: {variables}.",
            "pooled": "Each hospital adds its numbers up under a mask; nobody sees one hospital's.",
            "pooled_open": "Shown are the sums over all hospitals.",
            "by_site": "The numbers of each hospital are shown separately.",
            "no_protection": "No protection applies: this is only for public or synthetic data.",
            "cell": "A number below {t_cell} is hidden, nought included, and so is any number "
            "that would give it away.",
            "share": "A number is also hidden when it is more than {share} % of its row or column.",
            "site": "A hospital with fewer than {t_cohort_site} eligible patients does not "
            "contribute.",
            "roster": "At least {min_sites} hospitals must contribute, none of them overwhelming.",
            "complement": "The patients left out must be none, or at least {t_complement}.",
            "time": "Times are rounded up to {time_grid_days} days.",
            "history": "A question is refused when, together with earlier answers, it sets fewer "
            "than {t_diff} patients apart.",
            "replay": "The same question within {replay_days} days gets the same answer again.",
            "and": " and ",
            "or": " or ",
            "not": "not ({0})",
            "=": "{0} is {1}",
            "!=": "{0} is known and is not {1}",
            "in": "{0} is one of {1}",
            "<": "{0} below {1}",
            "<=": "{0} at most {1}",
            ">": "{0} above {1}",
            ">=": "{0} at least {1}",
            "true": "yes",
            "false": "no",
        },
        "nl": {
            "title": "Vraag: {title}.",
            "purpose": "Doel: {purpose}",
            "all_sites": "Gevraagd worden alle ziekenhuizen die aan het onderzoek meedoen.",
            "sites": "Gevraagd worden deze ziekenhuizen: {sites}.",
            "everyone": "Het gaat over alle patiënten van het onderzoek die toestemming gaven.",
            "cohort": "Het gaat over patiënten die toestemming gaven, met: {cohort}.",
            "unit": "Een rij is een {unit}; een patiënt kan er meer hebben. De toestemming is van "
            "de patiënt, en een groep is klein als het om weinig patiënten gaat.",
            "missing": "Een patiënt van wie de waarde ontbreekt voldoet niet aan een vergelijking.",
            "missing_not": "'niet' neemt patiënten van wie de waarde ontbreekt wel mee.",
            "variables": "In elk ziekenhuis gelezen: {variables}.",
            "pooled": "Elk ziekenhuis telt mee onder een masker; niemand ziet de getallen van één "
            "ziekenhuis.",
            "pooled_open": "Getoond worden de sommen over alle ziekenhuizen.",
            "by_site": "De getallen van elk ziekenhuis worden apart getoond.",
            "no_protection": "Er geldt geen bescherming: alleen voor openbare of kunstmatige "
            "gegevens.",
            "cell": "Een aantal onder {t_cell} wordt verborgen, ook nul, en ook elk getal waaruit "
            "het zou volgen.",
            "share": "Een aantal wordt ook verborgen als het meer dan {share} % van zijn rij of "
            "kolom is.",
            "site": "Een ziekenhuis met minder dan {t_cohort_site} geschikte patiënten telt niet "
            "mee.",
            "roster": "Minstens {min_sites} ziekenhuizen moeten meetellen, en geen daarvan mag "
            "overheersen.",
            "complement": "Er blijven geen patiënten buiten de vraag, of minstens {t_complement}.",
            "time": "Tijden worden naar boven afgerond op {time_grid_days} dagen.",
            "history": "Een vraag wordt geweigerd als die, samen met eerdere antwoorden, minder "
            "dan {t_diff} patiënten apart zet.",
            "replay": "Dezelfde vraag binnen {replay_days} dagen krijgt hetzelfde antwoord.",
            "and": " en ",
            "or": " of ",
            "not": "niet ({0})",
            "=": "{0} is {1}",
            "!=": "{0} is bekend en is niet {1}",
            "in": "{0} is een van {1}",
            "<": "{0} onder {1}",
            "<=": "{0} hoogstens {1}",
            ">": "{0} boven {1}",
            ">=": "{0} minstens {1}",
            "true": "ja",
            "false": "nee",
        },
    }
)


ROWS_NL: Final[Mapping[str, str]] = MappingProxyType(
    {"tumour": "tumor", "treatment": "behandeling", "outcome": "uitkomst", "prom": "vragenlijst"}
)
UNITS_NL: Final[Mapping[str, str]] = MappingProxyType(
    {"years": "jaar", "months": "maanden", "weeks": "weken", "days": "dagen"}
)


def explain(
    query: Query,
    codebook: Codebook,
    terms: Terms,
    kind_words: Sequence[str] = (),
    lang: str = "en",
) -> list[str]:
    """Return the query as sentences in "nl" or else English, in the order a reader asks.

    `kind_words` is what the method says about what is computed and what leaves each hospital.
    """
    return question_words(query, codebook, terms, kind_words, lang) + threshold_words(terms, lang)


def question_words(
    query: Query,
    codebook: Codebook,
    terms: Terms,
    kind_words: Sequence[str] = (),
    lang: str = "en",
) -> list[str]:
    """Return what is asked, as `explain` does but without the thresholds."""
    lang = lang if lang in TEXTS else "en"
    say = TEXTS[lang]
    lines: list[str] = []
    if query.title:
        lines.append(say["title"].format(title=query.title.rstrip(".")))
    if query.purpose:
        lines.append(say["purpose"].format(purpose=query.purpose))
    if query.sites == "all":
        lines.append(say["all_sites"])
    else:
        lines.append(say["sites"].format(sites=", ".join(query.sites)))
    lines += _about(query.cohort, codebook, lang)
    if query.unit != PATIENT:
        unit = ROWS_NL.get(query.unit, query.unit) if lang == "nl" else query.unit
        lines.append(say["unit"].format(unit=unit))
    named = ", ".join(codebook.variables[name].label.text(lang) for name in query.variables())
    if named:
        lines.append(say["variables"].format(variables=named))
    lines += kind_words
    open_sums = query.output == "pooled" and terms.protection == "none"
    lines.append(say["pooled_open" if open_sums else query.output])
    return lines


def threshold_words(terms: Terms, lang: str = "en") -> list[str]:
    """Return which thresholds apply, as sentences."""
    say = TEXTS[lang if lang in TEXTS else "en"]
    if terms.protection == "none":
        return [say["no_protection"]]
    values = {
        **{k: v for k, v in terms.to_dict().items() if isinstance(v, int | float)},
        "t_diff": terms.diff.t_diff,
        "replay_days": terms.diff.replay_days,
        "share": number_text(round(100 * terms.group_share_max, 1)),
    }
    names = ("cell", "share", "site", "roster", "complement", "time", "history", "replay")
    return [say[name].format(**values) for name in names]


def cohort_words(node: Node, codebook: Codebook, lang: str = "en") -> str:
    """Return a cohort as one clause: `age at least 40 and not (grade is well)`; "" for everyone."""
    say = TEXTS[lang if lang in TEXTS else "en"]
    if isinstance(node, Leaf):
        variable = codebook.variables[node.var]
        values = node.value if isinstance(node.value, tuple) else (node.value,)
        shown = ", ".join(_value(variable, value, lang) for value in values)
        return say[node.op].format(variable.label.text(lang), shown)
    if isinstance(node, Not):
        return say["not"].format(cohort_words(node.item, codebook, lang))
    parts = [
        f"({text})" if isinstance(item, All | Any) else text
        for item in node.items
        for text in (cohort_words(item, codebook, lang),)
    ]
    return say["and" if isinstance(node, All) else "or"].join(parts)


def _about(cohort: Node, codebook: Codebook, lang: str) -> list[str]:
    say = TEXTS[lang]
    words = cohort_words(cohort, codebook, lang)
    if not words:
        return [say["everyone"]]
    lines = [say["cohort"].format(cohort=words), say["missing"]]
    return [*lines, say["missing_not"]] if _has_not(cohort) else lines


def _has_not(node: Node) -> bool:
    if isinstance(node, All | Any):
        return any(_has_not(item) for item in node.items)
    return isinstance(node, Not)


def _value(variable: Variable, value: str | bool | int | float, lang: str) -> str:
    if isinstance(value, bool):
        return TEXTS[lang]["true" if value else "false"]
    if isinstance(value, str):
        labels = {level.code: level.label.text(lang) for level in variable.levels}
        return labels.get(value, value)
    unit = UNITS_NL.get(variable.unit, variable.unit) if lang == "nl" else variable.unit
    return f"{number_text(value)} {unit}".rstrip()
