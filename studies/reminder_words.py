"""What coordinators are reminded of, in words, and whose turn it is.

`%(place)s`, `%(study)s`, `%(day)s` and `%(detail)s` are filled in; a page writes the day its way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """One kind of reminder. `settle`: nothing in the registry shows that it was done, so a person
    says so."""

    title_en: str
    title_nl: str
    words_en: str
    words_nl: str
    settle: bool = False

    def title(self, language: str) -> str:
        """Its name in Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en

    def words(self, language: str) -> str:
        """What is to be done, in Dutch for "nl", in English otherwise, with its gaps."""
        return self.words_nl if language == "nl" else self.words_en


_WITHIN_EN = "Tell the European portal (CTIS) before %(day)s."
_WITHIN_NL = "Meld het vóór %(day)s in het Europese portaal (CTIS)."

KINDS: Final[Mapping[str, Kind]] = {
    "unanswered": Kind(
        "Invitation not answered",
        "Uitnodiging niet beantwoord",
        "%(place)s should have answered the invitation by %(day)s.",
        "%(place)s had de uitnodiging uiterlijk %(day)s moeten beantwoorden.",
    ),
    "feasibility": Kind(
        "Feasibility not answered",
        "Haalbaarheid niet beantwoord",
        "%(place)s should have returned the questionnaire by %(day)s.",
        "%(place)s had de vragenlijst uiterlijk %(day)s moeten terugsturen.",
    ),
    "annex": Kind(
        "Annex overdue",
        "Bijlage te laat",
        "The annex of %(detail)s at %(place)s was due on %(day)s.",
        "De bijlage van %(detail)s in %(place)s had er op %(day)s moeten zijn.",
    ),
    "confirm": Kind(
        "State not confirmed",
        "Stand niet bevestigd",
        "Nobody has confirmed since %(day)s how far %(place)s is. Ask, and confirm it.",
        "Niemand heeft sinds %(day)s bevestigd hoe ver %(place)s is. Vraag het na en bevestig het.",
    ),
    "gcp": Kind(
        "GCP certificate ends",
        "GCP-certificaat loopt af",
        "The GCP certificate of the investigator at %(place)s ends on %(day)s.",
        "Het GCP-certificaat van de onderzoeker in %(place)s loopt af op %(day)s.",
    ),
    "insurance": Kind(
        "Insurance ends",
        "Verzekering loopt af",
        "The insurance for %(place)s ends on %(day)s.",
        "De verzekering voor %(place)s loopt af op %(day)s.",
    ),
    "document": Kind(
        "Document ends",
        "Document loopt af",
        "%(detail)s of %(place)s ends on %(day)s.",
        "%(detail)s van %(place)s loopt af op %(day)s.",
    ),
    "agreement": Kind(
        "Agreement ends",
        "Overeenkomst loopt af",
        "The agreement %(detail)s ends on %(day)s. After that no hospital is asked by it.",
        "De overeenkomst %(detail)s loopt af op %(day)s. Daarna wordt op grond daarvan geen "
        "ziekenhuis meer gevraagd.",
    ),
    "amendment": Kind(
        "New version not in use",
        "Nieuwe versie niet in gebruik",
        "%(place)s has to use %(detail)s from %(day)s on. After that day nobody can join there.",
        "%(place)s moet %(detail)s uiterlijk %(day)s in gebruik nemen. Daarna kan daar niemand "
        "meer meedoen.",
    ),
    "no_inclusion": Kind(
        "Nobody joined yet",
        "Nog niemand ingesloten",
        "%(place)s is open since %(day)s, and nobody has joined there.",
        "%(place)s is open sinds %(day)s en daar doet nog niemand mee.",
    ),
    "close_zero": Kind(
        "Consider closing",
        "Sluiten overwegen",
        "%(place)s is open for half a year, since %(day)s, and nobody joined. Consider closing it.",
        "%(place)s is een half jaar open, sinds %(day)s, en niemand doet mee. Overweeg te sluiten.",
    ),
    "no_consent": Kind(
        "Participant without a yes",
        "Deelnemer zonder toestemming",
        "At %(place)s somebody takes part whose yes does not stand any more. Write down how they "
        "left.",
        "In %(place)s doet iemand mee van wie de toestemming niet meer geldt. Schrijf op hoe die "
        "deelnemer stopte.",
    ),
    "stop_unreached": Kind(
        "Stop that reached nobody",
        "Stop die niemand bereikte",
        "Somebody at %(place)s stopped the use of their data on %(day)s, and no letter is linked. "
        "Let the hospital write the stop down at its own desk, or link the letter.",
        "In %(place)s stopte iemand op %(day)s het gebruik van de gegevens, en er is geen brief "
        "gekoppeld. Laat het ziekenhuis het stoppen aan de eigen balie opschrijven, of koppel de "
        "brief.",
    ),
    "behind": Kind(
        "Behind the plan",
        "Achter op de planning",
        "%(detail)s of the participants that were planned by %(day)s have joined.",
        "%(detail)s van de deelnemers die op %(day)s gepland waren, doet mee.",
    ),
    "ctr_start": Kind(
        "Start of the study: tell CTIS",
        "Start van de studie: meld bij CTIS",
        f"The first hospital is open. {_WITHIN_EN}",
        f"Het eerste ziekenhuis is open. {_WITHIN_NL}",
        settle=True,
    ),
    "ctr_first": Kind(
        "First participant: tell CTIS",
        "Eerste deelnemer: meld bij CTIS",
        f"The first participant has joined. {_WITHIN_EN}",
        f"De eerste deelnemer doet mee. {_WITHIN_NL}",
        settle=True,
    ),
    "ctr_halt": Kind(
        "On hold everywhere: tell CTIS",
        "Overal stilgelegd: meld bij CTIS",
        f"No hospital is open any more; all that were are on hold. {_WITHIN_EN}",
        f"Geen ziekenhuis is meer open; alle zijn tijdelijk stilgelegd. {_WITHIN_NL}",
        settle=True,
    ),
    "ctr_end": Kind(
        "End of recruitment: tell CTIS",
        "Einde van de werving: meld bij CTIS",
        f"The last hospital has closed for new participants. {_WITHIN_EN}",
        f"Het laatste ziekenhuis is dicht voor nieuwe deelnemers. {_WITHIN_NL}",
        settle=True,
    ),
}
