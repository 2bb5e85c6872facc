"""The words of the desk's pages about questionnaires: Dutch first, English too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PROM_TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "nav.questionnaires": "Vragenlijsten",
            "start.questionnaires": "Vragenlijsten",
            "start.questionnaires.text": "Wat patiënten is gevraagd, wat binnen is, en iemand "
            "vragen.",
            "prom.title": "Vragenlijsten",
            "prom.intro": "Wat dit ziekenhuis zijn patiënten vraagt en wat binnen is. Het blijft "
            "op deze machine.",
            "prom.watch": "Niemand bekijkt de antwoorden voor u. Spreek af wie dat doet, en zeg "
            "dat tegen uw patiënten. Antwoorden en scores haalt u op met: "
            "oncokring site prom export.",
            "prom.none": "Er is nog niemand iets gevraagd.",
            "prom.ask": "Een patiënt vragen",
            "prom.end": "Een patiënt niets meer vragen",
            "prom.counts": "Per meetmoment",
            "prom.instrument": "Vragenlijst",
            "prom.timepoint": "Meetmoment",
            "prom.later": "Later",
            "prom.due": "Open",
            "prom.received": "Binnen",
            "prom.late": "Te laat binnen",
            "prom.missed": "Gemist",
            "prom.ended": "Gestopt",
            "prom.open": "Open en nog niet ingevuld",
            "prom.open.none": "Er staat nu geen vragenlijst open.",
            "prom.closes": "Tot en met",
            "prom.first": "De eerste {n} van {all}; alle staan in: oncokring site prom list "
            "--numbers.",
            "prom.ask.intro": "De patiënt heeft een brief met een code nodig en ziet de "
            "vragenlijsten op de bladzijde die de brief opent.",
            "prom.pathway": "Welk schema",
            "prom.pathway.hint": "Eigen schema's staan in prom.yaml.",
            "prom.points": "{instruments}: {points}",
            "prom.start": "Dag van het eerste meetmoment",
            "prom.start.hint": "Meestal de dag van de eerste behandeling, bijvoorbeeld 02-03-2026",
            "prom.which": "Welke vragenlijsten",
            "prom.review": "Controleer wat u vraagt",
            "prom.opens": "Van",
            "prom.record": "Zo vragen",
            "prom.asked": "Het is gevraagd. De patiënt ziet het als de gegevens zijn uitgewisseld, "
            "meestal binnen een paar minuten.",
            "prom.end.intro": "De patiënt krijgt geen vragenlijsten meer. Wat al binnen is blijft, "
            "tenzij u het hieronder laat vernietigen.",
            "prom.forget": "Wat er met de antwoorden gebeurt",
            "prom.forget.no": "Ze blijven hier",
            "prom.forget.yes": "Ze worden hier vernietigd; de patiënt ziet dan ook geen "
            "scores meer",
            "prom.end.review": "Controleer wat er stopt",
            "prom.end.record": "Niets meer vragen",
            "prom.ended.done": "Het is vastgelegd.",
            "prom.ended.none": "Deze patiënt werd niets gevraagd.",
            "T0": "begin",
            "3m": "3 maanden",
            "6m": "6 maanden",
            "12m": "12 maanden",
            "24m": "24 maanden",
            "36m": "36 maanden",
            "60m": "60 maanden",
            "error.prom.pathway": "Kies een schema",
            "error.prom.start": "Typ een datum, zoals 02-03-2026",
            "error.prom.start.far": "Deze datum ligt te ver terug of te ver vooruit",
            "error.prom.which": "Kies één of meer vragenlijsten van dit schema",
            "error.prom.forget": "Kies wat er met de antwoorden gebeurt",
            "error.prom_not_written": "Deze patiënt is overleden of wil geen berichten. Er is "
            "niets gevraagd.",
            "error.prom_not_adult": "Deze vragenlijsten zijn voor volwassenen die zelf antwoorden. "
            "Er is niets gevraagd.",
            "error.prom_no_letter": "Deze patiënt heeft nog geen brief. Maak die eerst.",
            "error.prom_pathway": "Dit schema of deze vragenlijst is er niet",
        },
        "en": {
            "nav.questionnaires": "Questionnaires",
            "start.questionnaires": "Questionnaires",
            "start.questionnaires.text": "What patients were asked, what came in, and asking "
            "somebody.",
            "prom.title": "Questionnaires",
            "prom.intro": "What this hospital asks its patients, and what came in. It stays on "
            "this machine.",
            "prom.watch": "Nobody looks at the answers for you. Agree on who does, and tell your "
            "patients. Get answers and scores with: oncokring site prom export.",
            "prom.none": "Nobody has been asked anything yet.",
            "prom.ask": "Ask a patient",
            "prom.end": "Ask a patient nothing more",
            "prom.counts": "Per time point",
            "prom.instrument": "Questionnaire",
            "prom.timepoint": "Time point",
            "prom.later": "Later",
            "prom.due": "Open",
            "prom.received": "Came in",
            "prom.late": "Came in late",
            "prom.missed": "Missed",
            "prom.ended": "Ended",
            "prom.open": "Open and not filled in yet",
            "prom.open.none": "No questionnaire is open now.",
            "prom.closes": "Until",
            "prom.first": "The first {n} of {all}; all of them: oncokring site prom list "
            "--numbers.",
            "prom.ask.intro": "The patient needs a letter with a code, and sees the questionnaires "
            "on the page that the letter opens.",
            "prom.pathway": "Which schedule",
            "prom.pathway.hint": "Schedules of your own stand in prom.yaml.",
            "prom.points": "{instruments}: {points}",
            "prom.start": "Day of the first time point",
            "prom.start.hint": "As a rule that of the first treatment, for example 02-03-2026",
            "prom.which": "Which questionnaires",
            "prom.review": "Check what you ask",
            "prom.opens": "From",
            "prom.record": "Ask this",
            "prom.asked": "It is asked. The patient sees it when the data were exchanged, as a "
            "rule within a few minutes.",
            "prom.end.intro": "The patient gets no more questionnaires. What came in stays, unless "
            "you have it destroyed below.",
            "prom.forget": "What becomes of the answers",
            "prom.forget.no": "They stay here",
            "prom.forget.yes": "They are destroyed here; then the patient sees no scores either",
            "prom.end.review": "Check what stops",
            "prom.end.record": "Ask nothing more",
            "prom.ended.done": "It is recorded.",
            "prom.ended.none": "This patient was asked nothing.",
            "T0": "start",
            "3m": "3 months",
            "6m": "6 months",
            "12m": "12 months",
            "24m": "24 months",
            "36m": "36 months",
            "60m": "60 months",
            "error.prom.pathway": "Choose a schedule",
            "error.prom.start": "Type a date, such as 02-03-2026",
            "error.prom.start.far": "This date lies too far back or too far ahead",
            "error.prom.which": "Choose one or more questionnaires of this schedule",
            "error.prom.forget": "Choose what becomes of the answers",
            "error.prom_not_written": "This patient has died or wants no messages. Nothing was "
            "asked.",
            "error.prom_not_adult": "These questionnaires are for adults who answer themselves. "
            "Nothing was asked.",
            "error.prom_no_letter": "This patient has no letter yet. Make one first.",
            "error.prom_pathway": "There is no such schedule or questionnaire",
        },
    }
)
