"""The words of the form of the study quality-of-care: draft, to be read with patients first.

Dutch at level B1: "u", one idea per sentence, no sentence over 18 words. English says the same in
the same order. The shape is that of consent.texts.check_content.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_NL: Final[dict[str, Any]] = {
    "title": "Onderzoek naar de kwaliteit van zorg bij kanker",
    "summary": "Hoe goed is de zorg bij kanker in onze ziekenhuizen, en wat kan beter?",
    "story": [
        {
            "heading": "Wat willen wij weten?",
            "text": [
                "Hoe lang wachten mensen met kanker op een eerste bezoek?",
                "Hoe vaak gaat er iets mis na een operatie?",
                "Wij vergelijken ziekenhuizen, zodat zij van elkaar kunnen leren.",
            ],
        },
        {
            "heading": "Uw gegevens blijven in uw ziekenhuis",
            "text": [
                "Uw ziekenhuis rekent zelf met gegevens uit uw dossier.",
                "Het gaat om uw leeftijd, de tumor, de behandeling en hoe het daarna ging.",
                "Niemand anders ziet uw gegevens.",
            ],
        },
        {
            "heading": "Alleen totalen gaan naar buiten",
            "text": [
                "De ziekenhuizen zien totalen van veel mensen samen, per ziekenhuis.",
                "Een groep van minder dan tien mensen wordt nooit getoond.",
                "Zij zien geen naam en geen dossier.",
            ],
        },
        {
            "heading": "U kiest zelf",
            "text": [
                "U mag altijd stoppen. U hoeft niet te zeggen waarom.",
                "Zegt u nee? Dan verandert er niets aan uw behandeling.",
            ],
        },
        {
            "heading": "Wie doet dit onderzoek?",
            "text": [
                "De ziekenhuizen van OncoZON doen dit onderzoek samen.",
                "Heeft u een vraag? Bel uw ziekenhuis of vraag het aan uw arts.",
            ],
        },
    ],
    "questions": {
        "use.record": {
            "legend": "Mogen onderzoekers rekenen met gegevens uit uw dossier?",
            "explain": (
                "Het gaat om gegevens over uw ziekte en uw behandeling. "
                "Onderzoekers zien uw naam niet."
            ),
        },
        "use.network": {
            "legend": "Mag u meetellen in de totalen van de ziekenhuizen?",
            "explain": (
                "Uw gegevens blijven in uw ziekenhuis. "
                "Alleen totalen van veel patiënten samen gaan naar buiten."
            ),
        },
    },
    "answers": {
        "yes": "Ja, dat mag",
        "no": "Nee, dat mag niet",
        "later": "Ik weet het nog niet",
    },
    "stop": [
        "U mag altijd stoppen. U hoeft niet te zeggen waarom.",
        "Wat al is uitgerekend, blijft. Uw gegevens tellen daarna niet meer mee.",
    ],
    "after": [
        "Wij leggen uw keuzes vast en sturen ze naar uw ziekenhuis.",
        "U telt alleen mee als u op alle vragen ja zegt.",
        "Uw ja geldt 30 jaar. Na 5 jaar vragen wij u of nieuwe gegevens nog mogen meetellen.",
        "U kunt uw keuzes later altijd bekijken en veranderen.",
    ],
}

_EN: Final[dict[str, Any]] = {
    "title": "Research into the quality of cancer care",
    "summary": "How good is cancer care in our hospitals, and what can be better?",
    "story": [
        {
            "heading": "What do we want to know?",
            "text": [
                "How long do people with cancer wait for a first visit?",
                "How often does something go wrong after surgery?",
                "We compare hospitals, so that they can learn from each other.",
            ],
        },
        {
            "heading": "Your data stay in your hospital",
            "text": [
                "Your hospital itself does the sums with data from your record.",
                "They are your age, the tumour, the treatment and how things went afterwards.",
                "Nobody else sees your data.",
            ],
        },
        {
            "heading": "Only totals leave the hospital",
            "text": [
                "The hospitals see totals of many people together, per hospital.",
                "A group of fewer than ten people is never shown.",
                "They see no name and no record.",
            ],
        },
        {
            "heading": "You choose",
            "text": [
                "You can always stop. You do not have to say why.",
                "Do you say no? Then nothing changes in your treatment.",
            ],
        },
        {
            "heading": "Who does this research?",
            "text": [
                "The hospitals of OncoZON do this research together.",
                "Do you have a question? Call your hospital or ask your doctor.",
            ],
        },
    ],
    "questions": {
        "use.record": {
            "legend": "May researchers do sums with data from your record?",
            "explain": (
                "These are data about your illness and your treatment. "
                "Researchers do not see your name."
            ),
        },
        "use.network": {
            "legend": "May you be counted in the totals of the hospitals?",
            "explain": (
                "Your data stay in your hospital. Only totals of many patients together leave it."
            ),
        },
    },
    "answers": {
        "yes": "Yes, that is allowed",
        "no": "No, that is not allowed",
        "later": "I do not know yet",
    },
    "stop": [
        "You can always stop. You do not have to say why.",
        "What has been calculated stays. After that your data no longer count.",
    ],
    "after": [
        "We record your choices and send them to your hospital.",
        "You are counted only if you say yes to all questions.",
        "Your yes holds for 30 years. After 5 years we ask you whether new data may still count.",
        "You can always look at your choices later and change them.",
    ],
}

CONTENT: Final[Mapping[str, Any]] = MappingProxyType(
    {"items": ["use.record", "use.network"], "nl": _NL, "en": _EN}
)
