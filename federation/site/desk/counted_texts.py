"""The words of the desk's page that says whether a patient counts: Dutch first, English too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COUNTED_TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "nav.counted": "Telt iemand mee?",
            "start.counted": "Telt iemand mee?",
            "start.counted.text": "Iemand vraagt of een keuze hier is, en wat die nu betekent.",
            "counted.title": "Telt iemand mee?",
            "counted.intro": "Vraag eerst wie u voor u heeft. Wat hier staat gaat alleen de "
            "patiënt aan, en wie voor de patiënt beslist.",
            "counted.look": "Opzoeken",
            "counted.found": "Zo staat het nu",
            "counted.yes": "telt mee",
            "counted.no": "telt niet mee",
            "counted.answer": "Telt mee?",
            "counted.why": "Waarom",
            "counted.list": "Volgens lijst {seq}, die de hub maakte op {at}. Keuzes van daarna "
            "staan er nog niet in. Een nee aan deze balie telt wel meteen.",
            "counted.why.counts": "Er is een ja, en ons ziekenhuis kon nagaan dat het klopt.",
            "counted.why.counts_in_part": "Er is een ja, voor gegevens uit een bepaalde tijd.",
            "counted.why.no_list": "Ons ziekenhuis heeft nog geen lijst met keuzes. Daarom telt "
            "niemand mee.",
            "counted.why.list_too_old": "De lijst met keuzes is te oud. Daarom telt nu niemand "
            "mee.",
            "counted.why.not_asked": "Er is nog geen keuze van deze patiënt.",
            "counted.why.stopped": "De patiënt zei nee of stopte, of iemand die voor de patiënt "
            "beslist.",
            "counted.why.not_agreed": "Er is geen ja op alles wat nodig is. Of het ja is voorbij. "
            "Of iemand die ook ja moet zeggen deed dat nog niet.",
            "counted.why.not_proved": "Er staat een ja op de lijst. Ons ziekenhuis kon niet nagaan "
            "dat het van deze patiënt is. Maak een nieuwe brief.",
            "counted.why.not_told": "Er is een ja. Het telt pas een tijd na het bericht daarover.",
            "counted.why.died": "De patiënt is overleden, en zei niet dat gegevens daarna mogen.",
            "counted.since": "Gegevens vanaf {day}.",
            "counted.until": "Gegevens van vóór {day}.",
        },
        "en": {
            "nav.counted": "Does somebody count?",
            "start.counted": "Does somebody count?",
            "start.counted.text": "Somebody asks whether a choice is here, and what it means now.",
            "counted.title": "Does somebody count?",
            "counted.intro": "First ask whom you are speaking to. What stands here is for the "
            "patient, and for who decides for the patient.",
            "counted.look": "Look up",
            "counted.found": "How it stands now",
            "counted.yes": "counts",
            "counted.no": "does not count",
            "counted.answer": "Counts?",
            "counted.why": "Why",
            "counted.list": "By list {seq}, which the hub made on {at}. Later choices are not in "
            "it yet. A no at this desk works at once.",
            "counted.why.counts": "There is a yes, and our hospital could check it.",
            "counted.why.counts_in_part": "There is a yes, for data of a certain time.",
            "counted.why.no_list": "Our hospital has no list of choices yet. So nobody counts.",
            "counted.why.list_too_old": "The list of choices is too old. So nobody counts now.",
            "counted.why.not_asked": "There is no choice of this patient yet.",
            "counted.why.stopped": "The patient, or somebody who decides for the patient, said no "
            "or stopped.",
            "counted.why.not_agreed": "There is no yes to all that is needed. Or it has ended. Or "
            "somebody who must say yes too has not done so.",
            "counted.why.not_proved": "A yes stands on the list. Our hospital could not check that "
            "it is this patient's. Make a new letter.",
            "counted.why.not_told": "There is a yes. It counts some time after its notice.",
            "counted.why.died": "The patient died, and did not allow use after that.",
            "counted.since": "Data from {day} on.",
            "counted.until": "Data of before {day}.",
        },
    }
)
