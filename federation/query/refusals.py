"""The public refusal codes: everything a hospital or the hub may say instead of an answer.

Source: disclosure.md section 4.4, and the protocol's own codes. A refusal never carries a number
or a text made from data; the same code always has the same text, so that refusals for nought, one
or nine patients cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Refusal:
    """The texts of one public code. `what_to_do` is English, `what_to_do_nl` Dutch."""

    text_en: str
    text_nl: str
    what_to_do: str
    what_to_do_nl: str

    def message(self, lang: str = "en") -> str:
        """Return what happened and what to do, in "nl" or else English."""
        if lang == "nl":
            return f"{self.text_nl} {self.what_to_do_nl}"
        return f"{self.text_en} {self.what_to_do}"


REFUSALS: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        "STUDY_NOT_OPEN": Refusal(
            "This study is not open for you at this network.",
            "Dit onderzoek staat voor u niet open in dit netwerk.",
            "Ask the study's coordinator which hospitals have approved it.",
            "Vraag de coördinator van het onderzoek welke ziekenhuizen akkoord zijn.",
        ),
        "CONSENT_UNAVAILABLE": Refusal(
            "The hospital has no recent list of patients' choices, so nobody was counted.",
            "Het ziekenhuis heeft geen recente lijst van keuzes van patiënten; niemand is geteld.",
            "Try again later.",
            "Probeer het later opnieuw.",
        ),
        "NOT_IN_CATALOGUE": Refusal(
            "The question uses something that the codebook or the hospitals do not offer.",
            "De vraag gebruikt iets dat het codeboek of de ziekenhuizen niet aanbieden.",
            "Use the variables, levels and cut-points of the codebook.",
            "Gebruik de variabelen, waarden en grenzen van het codeboek.",
        ),
        "TOO_FINE": Refusal(
            "The question asks for a finer step in age, date or time than is allowed.",
            "De vraag gebruikt een kleinere stap in leeftijd, datum of tijd dan is toegestaan.",
            "Use a step at least as wide as the study page says.",
            "Gebruik een stap die minstens zo groot is als op de onderzoekspagina staat.",
        ),
        "ROSTER": Refusal(
            "Too few hospitals take part, or the group of hospitals changed during the question.",
            "Er doen te weinig ziekenhuizen mee, of de groep veranderde tijdens de vraag.",
            "At least three hospitals must take part, and the same ones throughout.",
            "Er moeten minstens drie ziekenhuizen meedoen, en steeds dezelfde.",
        ),
        "SMALL_GROUP": Refusal(
            "This question, alone or together with earlier answers, could describe too small a "
            "group.",
            "Deze vraag kan, alleen of samen met eerdere antwoorden, een te kleine groep "
            "beschrijven.",
            "Use broader categories, fewer splits or a longer period.",
            "Gebruik bredere categorieën, minder splitsingen of een langere periode.",
        ),
        "MODEL_TOO_RICH": Refusal(
            "The model has too many terms, or too small categories, for the number of patients "
            "or events.",
            "Het model heeft te veel termen, of te kleine categorieën, voor het aantal patiënten "
            "of gebeurtenissen.",
            "Leave out or merge the terms that are named.",
            "Laat de genoemde termen weg of voeg ze samen.",
        ),
        "MODEL_UNSTABLE": Refusal(
            "The model leans too heavily on a few patients, or does not settle.",
            "Het model steunt te zwaar op enkele patiënten, of komt niet tot rust.",
            "Check whether a category predicts the outcome perfectly, and use fewer or broader "
            "terms.",
            "Ga na of een categorie de uitkomst volledig voorspelt, en gebruik minder of bredere "
            "termen.",
        ),
        "INSTITUTION_HIDDEN": Refusal(
            "The answer would say too much about one hospital.",
            "Het antwoord zou te veel zeggen over één ziekenhuis.",
            "Ask a question that more hospitals can contribute to.",
            "Stel een vraag waaraan meer ziekenhuizen kunnen bijdragen.",
        ),
        "BUDGET": Refusal(
            "The number of new questions for this period has been used up.",
            "Het aantal nieuwe vragen voor deze periode is op.",
            "Earlier questions can be asked again; new ones from the day that is named, or with "
            "other patients.",
            "Eerdere vragen kunt u opnieuw stellen; nieuwe vanaf de dag die erbij staat, of over "
            "andere patiënten.",
        ),
        "PAUSED_FOR_UPDATE": Refusal(
            "Questions about this study are paused until the next data release.",
            "Vragen over dit onderzoek zijn gepauzeerd tot de volgende gegevensversie.",
            "Try again later; the pause lasts three months at most.",
            "Probeer het later opnieuw; de pauze duurt hoogstens drie maanden.",
        ),
        "PAUSED": Refusal(
            "A hospital has paused all questions.",
            "Een ziekenhuis heeft alle vragen stilgezet.",
            "Try again later; only the hospital decides when it goes on.",
            "Probeer het later opnieuw; alleen het ziekenhuis bepaalt wanneer het verdergaat.",
        ),
        "INTERNAL_REFUSED": Refusal(
            "The answer did not pass the last check before sending, so nothing was sent.",
            "Het antwoord kwam niet door de laatste controle; er is niets verzonden.",
            "Tell the network office; repeating the question does not help.",
            "Meld dit bij het netwerkbureau; de vraag herhalen helpt niet.",
        ),
        "PROTOCOL": Refusal(
            "The message was not accepted.",
            "Het bericht is niet aangenomen.",
            "Tell the network office.",
            "Meld dit bij het netwerkbureau.",
        ),
        "SITE_UNREACHABLE": Refusal(
            "The hospital did not answer before the deadline.",
            "Het ziekenhuis antwoordde niet binnen de termijn.",
            "Try again later, or ask the network office whether the hospital is connected.",
            "Probeer het later opnieuw, of vraag het netwerkbureau of het ziekenhuis verbonden is.",
        ),
        "QUERY_NOT_APPROVED": Refusal(
            "This question has not been approved.",
            "Deze vraag is niet goedgekeurd.",
            "Ask the study's data-access committee, or the hospital that judges each question "
            "itself, to approve exactly this question.",
            "Vraag de datacommissie van het onderzoek, of het ziekenhuis dat zelf elke vraag "
            "beoordeelt, om precies deze vraag goed te keuren.",
        ),
        "NO_MATCH": Refusal(
            "A hospital does not take part in counting shared patients.",
            "Een ziekenhuis doet niet mee aan het tellen van gedeelde patiënten.",
            "Ask the hospital whether it wants to: its policy and its file match.yaml decide.",
            "Vraag het ziekenhuis of het wil meedoen: het beleid en het bestand match.yaml "
            "beslissen dat.",
        ),
        "DATA_MISMATCH": Refusal(
            "The hospital's data do not fit the codebook of this study.",
            "De gegevens van het ziekenhuis passen niet bij het codeboek van dit onderzoek.",
            "Ask the hospital's data manager to check the mapping.",
            "Vraag de datamanager van het ziekenhuis om de koppeling na te kijken.",
        ),
    }
)


class Refused(Exception):
    """A hospital's or the hub's "no" to a well-formed question.

    `code` is a key of `REFUSALS`. `terms` may only hold names from the codebook or of model terms
    (MODEL_TOO_RICH, NOT_IN_CATALOGUE): never a count, never a value from data. `again_from`: the
    day from which the asker may ask something new (BUDGET).
    """

    def __init__(
        self, code: str, terms: tuple[str, ...] = (), *, again_from: date | None = None
    ) -> None:
        if code not in REFUSALS:
            raise ValueError(f"{code!r} is not a public refusal code")
        super().__init__(code)
        self.code = code
        self.terms = tuple(terms)
        self.again_from = again_from

    def message(self, lang: str = "en") -> str:
        """Return the public sentence, with the named terms when there are any."""
        text = REFUSALS[self.code].message(lang)
        return f"{text} ({', '.join(self.terms)})" if self.terms else text
