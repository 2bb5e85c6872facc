"""A hospital's policy in words: each key with its value, what it does, and who loosened it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from federation.disclosure.loosening import Loosening
from federation.disclosure.policy import Policy

#: What a key does, in English and Dutch. A test compares the names with those of a policy.
MEANINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "t_cell": (
            "smallest group of which a number is shown",
            "kleinste groep waarvan een getal wordt getoond",
        ),
        "t_cohort_site": (
            "with fewer suitable patients we contribute noughts",
            "met minder geschikte patiënten dragen wij nullen bij",
        ),
        "t_complement": (
            "the patients left out of a question are none, or at least this many",
            "buiten de vraag blijven geen patiënten, of minstens zoveel",
        ),
        "min_sites": (
            "smallest number of hospitals in one question",
            "kleinste aantal ziekenhuizen in één vraag",
        ),
        "min_effective_sites": (
            "one hospital may not make up nearly the whole answer (1 / Σ share²)",
            "één ziekenhuis mag niet bijna het hele antwoord zijn (1 / Σ aandeel²)",
        ),
        "zero_is_small": (
            "nought looks like any other small group",
            "nul ziet eruit als elke andere kleine groep",
        ),
        "group_share_max": (
            "a group in which nearly all have one value is hidden from this share on",
            "een groep waarin bijna iedereen dezelfde waarde heeft, gaat vanaf dit deel verborgen",
        ),
        "dominance.top1": (
            "largest share of a sum that one patient may have",
            "grootste deel van een som dat één patiënt mag hebben",
        ),
        "dominance.top2": (
            "largest share of a sum that two patients may have together",
            "grootste deel van een som dat twee patiënten samen mogen hebben",
        ),
        "max_dims": ("variables that one table is split by", "variabelen in één tabel"),
        "max_cells": ("cells in one table", "vakjes in één tabel"),
        "max_filter_terms": ("conditions in one question", "voorwaarden in één vraag"),
        "age_grid_years": ("smallest step in age, in years", "kleinste stap in leeftijd, in jaren"),
        "date_grid": ("smallest step in dates", "kleinste stap in datums"),
        "time_grid_days": (
            "smallest step in survival times, in days",
            "kleinste stap in overlevingstijden, in dagen",
        ),
        "km.min_removed": (
            "patients leaving between two points of a curve",
            "patiënten die afvallen tussen twee punten van een curve",
        ),
        "km.min_events": (
            "events between two points of a curve",
            "gebeurtenissen tussen twee punten van een curve",
        ),
        "km.min_at_risk_end": (
            "a curve ends when fewer patients are left",
            "een curve stopt als er minder patiënten over zijn",
        ),
        "km.s_decimals": ("decimals of survival", "decimalen van overleving"),
        "quantile.min_each_side": (
            "patients on each side of a median or other quantile",
            "patiënten aan elke kant van een mediaan of ander kwantiel",
        ),
        "quantile.min_in_grid_bin": (
            "patients in the interval that is given as the quantile",
            "patiënten in het interval dat als kwantiel wordt gegeven",
        ),
        "hist.min_bin": ("patients in one bar", "patiënten in één balk"),
        "hist.max_bins": ("bars in one picture", "balken in één figuur"),
        "hist.tails": (
            "whether the outer bars have an outer edge",
            "of de buitenste balken een buitenrand hebben",
        ),
        "model.n_per_param": ("patients per term of a model", "patiënten per term van een model"),
        "model.epv": ("events per term of a model", "gebeurtenissen per term van een model"),
        "model.min_resid_df": ("patients minus terms", "patiënten min termen"),
        "model.min_dummy_level": (
            "patients in each level of a category",
            "patiënten in elke waarde van een categorie",
        ),
        "model.min_dummy_pair": (
            "patients in each pair of levels, or none by design",
            "patiënten in elk paar waarden, of geen omdat het niet kan",
        ),
        "model.max_leverage": (
            "how hard a model may lean on one patient",
            "hoe zwaar een model op één patiënt mag steunen",
        ),
        "iter.max_rounds": ("rounds of one model", "rondes van één model"),
        "iter.max_abs_eta": (
            "largest prediction for any patient",
            "grootste voorspelling voor een patiënt",
        ),
        "iter.min_ess": (
            "smallest effective number of patients in a weighted sum",
            "kleinste effectieve aantal patiënten in een gewogen som",
        ),
        "iter.min_rel_info": (
            "smallest information compared with the start",
            "kleinste informatie vergeleken met het begin",
        ),
        "iter.user_start": (
            "whether somebody else chooses where a model starts",
            "of iemand anders kiest waar een model begint",
        ),
        "iter.user_offset": (
            "whether somebody adds numbers of their own to a model",
            "of iemand eigen getallen aan een model toevoegt",
        ),
        "diff.t_diff": (
            "answers together may not set fewer patients apart",
            "antwoorden samen mogen niet minder patiënten apart zetten",
        ),
        "diff.closure": (
            "also when several answers are combined",
            "ook als meer antwoorden worden gecombineerd",
        ),
        "diff.replay_days": (
            "days in which the same question gets the stored answer",
            "dagen waarin dezelfde vraag het bewaarde antwoord krijgt",
        ),
        "diff.scope": ("whose earlier answers count", "wiens eerdere antwoorden meetellen"),
        "budget.new_sets_per_researcher_30d": (
            "new groups that one researcher may ask about in 30 days",
            "nieuwe groepen waarnaar één onderzoeker in 30 dagen mag vragen",
        ),
        "budget.rank_max_share_of_n": (
            "independent answers, as a share of the patients",
            "onafhankelijke antwoorden, als deel van de patiënten",
        ),
        "consent_max_age_min": (
            "minutes; with an older consent list nobody is counted",
            "minuten; met een oudere keuzelijst telt niemand mee",
        ),
        "institution_disclosure": (
            "form signed by the board, when one hospital may stand out",
            "formulier van het bestuur, als één ziekenhuis herkenbaar mag zijn",
        ),
        "site_level_output": ("results per hospital", "uitkomsten per ziekenhuis"),
        "numeric.coef_sig": ("digits of coefficients", "cijfers van coëfficiënten"),
        "numeric.sums_sig": ("digits of sums and means", "cijfers van sommen en gemiddelden"),
        "numeric.loglik_decimals": (
            "decimals of log-likelihoods",
            "decimalen van log-aannemelijkheden",
        ),
        "timing_bucket_s": (
            "seconds; refusals about patients leave after a whole number of these",
            "seconden; weigeringen over patiënten gaan na een geheel aantal hiervan weg",
        ),
        "max_response_bytes": ("largest reply, in bytes", "grootste antwoord, in bytes"),
        "after_withdrawal": (
            "what happens to stored answers after somebody withdraws",
            "wat er met bewaarde antwoorden gebeurt als iemand stopt",
        ),
        "private_match": (
            "may hospitals count together, without names, how many patients they share",
            "mogen ziekenhuizen samen, zonder namen, tellen hoeveel patiënten ze delen",
        ),
    }
)


@dataclass(frozen=True)
class Rule:
    """One key of the policy as it stands. `default` is what the strict policy has."""

    key: str
    value: str
    default: str
    meaning: str
    loosened: Loosening | None
    days_left: int | None

    @property
    def changed(self) -> bool:
        return self.value != self.default

    def to_dict(self) -> dict[str, Any]:
        loosened = self.loosened
        return {
            "key": self.key,
            "value": self.value,
            "default": self.default,
            "meaning": self.meaning,
            "loosened": None
            if loosened is None
            else {**loosened.to_dict(), "days_left": self.days_left},
        }


def rules(policy: Policy, now: datetime, lang: str) -> list[Rule]:
    """Every key of a policy in words; none for open data, which has no rules."""
    if policy.protection == "none":
        return []
    defaults = dict(_values(Policy.strict()))
    decided = {each.key: each for each in policy.loosened}
    today = now.astimezone(UTC).date()
    return [
        Rule(
            key=key,
            value=_shown(value, lang),
            default=_shown(defaults[key], lang),
            meaning=MEANINGS[key][lang == "nl"],
            loosened=decided.get(key),
            days_left=(decided[key].until - today).days if key in decided else None,
        )
        for key, value in _values(policy)
    ]


def _values(policy: Policy) -> Iterator[tuple[str, object]]:
    tree = {**policy.to_dict(), "after_withdrawal": policy.after_withdrawal}
    tree["private_match"] = policy.private_match
    tree.pop("loosened", None)
    tree.pop("policy_version")
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value


def _shown(value: object, lang: str) -> str:
    if isinstance(value, bool):
        return ("ja" if value else "nee") if lang == "nl" else ("yes" if value else "no")
    return str(value)
