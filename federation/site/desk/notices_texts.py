"""The words of the desk's pages about notices of a yes: Dutch first, English too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NOTICE_TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "nav.notices": "Berichten",
            "start.notices": "Berichten na een ja",
            "start.notices.text": "Iemand belt: dat ja was niet van mij. En wie nog geen bericht "
            "heeft.",
            "notices.title": "Berichten na een ja",
            "notices.intro": "Na elk ja laat het ziekenhuis dat weten. Wie het niet zelf was, "
            "belt en noemt het nummer van het bericht.",
            "notices.call": "Iemand belt over een bericht",
            "notices.none": "Er is niemand die nog een bericht moet krijgen.",
            "notices.waiting": "Nog geen bericht",
            "notices.how": "Alle brieven tegelijk maakt u met: oncokring site notices letters.",
            "notices.first": "De eerste {n} van {all}; alle staan in: oncokring site notices list.",
            "notices.number": "Nummer van het bericht",
            "notices.number.hint": "Staat in de brief of het bericht",
            "notices.patient": "Patiëntnummer",
            "notices.unknown": "niet in de gegevens",
            "notices.who": "Ja gezegd door",
            "notices.said": "Ja gezegd op",
            "notices.state": "Stand",
            "notices.state.ready": "wacht",
            "notices.state.no_contact": "wil geen berichten: zeg het zelf",
            "notices.state.unsure": "misschien verstuurd: zoek het uit",
            "notices.state.died": "overleden: geen bericht",
            "notices.what": "Wat is er?",
            "notices.what.wrong": "Dit ja was niet van deze persoon",
            "notices.what.told": "Deze persoon weet het nu",
            "notices.what.again": "Het bericht is niet aangekomen",
            "notices.review": "Controleer wat u vastlegt",
            "notices.then": "Wat er gebeurt",
            "notices.then.wrong": "Alles in het onderzoek van dit ja stopt meteen. De brief met de "
            "code werkt niet meer. Vraag wie de brief nog meer had en meld het aan het "
            "netwerkbureau.",
            "notices.then.told": "Er gaat geen bericht meer over dit ja.",
            "notices.then.again": "Het bericht wacht weer.",
            "notices.record": "Vastleggen",
            "notices.done.wrong": "Het ja is gestopt. Maak een nieuwe brief als de patiënt wil "
            "kiezen.",
            "notices.done.told": "Het is vastgelegd.",
            "notices.done.again": "Het bericht wacht weer.",
            "error.notices.number": "Vul het nummer van het bericht in: alleen cijfers",
            "error.notices.what": "Kies wat er is",
            "error.notice_unknown": "Er is geen bericht met dit nummer. Kijk het nummer na",
            "error.notice_told": "Over dit ja is al verteld. Is het niet aangekomen? Kies dat",
            "error.notice_waits": "Dit bericht is nog niet verstuurd",
            "error.notice_before": "Dit ja is van voor de berichten. Laat het stoppen bij Stoppen",
            "error.notice_meanwhile": "Iemand anders heeft dit net vastgelegd",
        },
        "en": {
            "nav.notices": "Notices",
            "start.notices": "Notices of a yes",
            "start.notices.text": "Somebody calls: that yes was not mine. And who has no notice "
            "yet.",
            "notices.title": "Notices of a yes",
            "notices.intro": "After each yes the hospital says that it came in. Who did not say "
            "it, calls and gives the number of the notice.",
            "notices.call": "Somebody calls about a notice",
            "notices.none": "There is nobody who has to get a notice.",
            "notices.waiting": "No notice yet",
            "notices.how": "Make all letters at once with: oncokring site notices letters.",
            "notices.first": "The first {n} of {all}; all are in: oncokring site notices list.",
            "notices.number": "Number of the notice",
            "notices.number.hint": "It stands in the letter or message",
            "notices.patient": "Patient number",
            "notices.unknown": "not in the data",
            "notices.who": "Yes said by",
            "notices.said": "Yes said on",
            "notices.state": "State",
            "notices.state.ready": "waits",
            "notices.state.no_contact": "wants no messages: tell them yourself",
            "notices.state.unsure": "may have been sent: find out",
            "notices.state.died": "died: no notice",
            "notices.what": "What is it?",
            "notices.what.wrong": "This yes was not this person’s",
            "notices.what.told": "This person knows it now",
            "notices.what.again": "The notice did not arrive",
            "notices.review": "Check what you record",
            "notices.then": "What happens",
            "notices.then.wrong": "Everything in the study of this yes stops at once. The letter "
            "with the code works no longer. Ask who else had the letter, and tell the network "
            "office.",
            "notices.then.told": "No notice goes about this yes any more.",
            "notices.then.again": "The notice waits again.",
            "notices.record": "Record",
            "notices.done.wrong": "The yes has stopped. Make a new letter if the patient wants to "
            "choose.",
            "notices.done.told": "It is recorded.",
            "notices.done.again": "The notice waits again.",
            "error.notices.number": "Fill in the number of the notice: digits only",
            "error.notices.what": "Choose what it is",
            "error.notice_unknown": "There is no notice with this number. Check the number",
            "error.notice_told": "This yes was told before. Did it not arrive? Choose that",
            "error.notice_waits": "This notice was not sent yet",
            "error.notice_before": "This yes is of before notices. Stop it at Stopping",
            "error.notice_meanwhile": "Somebody else just recorded this",
        },
    }
)
