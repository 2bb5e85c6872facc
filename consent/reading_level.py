"""Whether a text can be read by most people (B1): short sentences, no hard words. Pure.

It measures what a machine can measure. It does not replace reading a text aloud with patients.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

AIM_WORDS: Final = 12
MOST_WORDS: Final = 18
SHOWN: Final = 5
#: Words that many readers do not know, as they begin, and what to write instead.
FORBIDDEN: Final[Mapping[str, str]] = {
    "aggrega": "totalen",
    "anonimis": "uw naam weghalen",
    "betrokkene": "u",
    "bewerkstellig": "zorgen dat",
    "cohort": "groep patiënten",
    "conform": "zoals",
    "data": "gegevens",
    "derhalve": "daarom",
    "derden": "anderen",
    "desgewenst": "als u dat wilt",
    "dient te": "moet",
    "gepseudonimiseerd": "zonder uw naam",
    "geanonimiseerd": "zonder uw naam",
    "geen bezwaar": "een vraag met ja of nee",
    "gegevensverwerking": "gebruik van uw gegevens",
    "grondslag": "reden",
    "herroep": "stoppen",
    "indien ": "als",
    "informed consent": "uw ja",
    "intrekken van uw toestemming": "stoppen",
    "longitudin": "jaren achter elkaar",
    "middels": "met",
    "morbiditeit": "ziekte",
    "mortaliteit": "overlijden",
    "participeren": "meedoen",
    "prospectief": "vanaf nu",
    "pseudonimi": "uw naam weghalen",
    "retrospectief": "over vroeger",
    "teneinde": "om",
    "ter beschikking": "geven",
    "toestemmingsformulier": "formulier",
    "verwerkingsverantwoordelijke": "wie over uw gegevens gaat",
    "wederrechtelijk": "tegen de wet",
    "bedankt": "niets: bedanken duwt",
}
_FORBIDDEN: Final = re.compile(
    rf"\b({'|'.join(map(re.escape, sorted(FORBIDDEN, key=len, reverse=True)))})", re.IGNORECASE
)
_TOO_CLOSE: Final = frozenset({"je", "jij", "jou", "jouw", "jullie"})
# A mark within a sentence ("bijv.") is no end: what follows an end starts with a capital or quote.
_END: Final = re.compile(r"(?<=[.?!…])[\"”’)]*\s+(?=[\"“‘(]*[A-ZÀ-Þ0-9‘“])")
_GAP: Final = re.compile(r"%\((\w+)\)s|\{\w+\}|\[\w+\]")
_TAG: Final = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Sentence:
    """One sentence, its number of words, and the hard words that begin in it."""

    text: str
    words: int
    hard: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether most people can read it."""
        return self.words <= MOST_WORDS and not self.hard


@dataclass(frozen=True)
class Reading:
    """What was measured: all sentences, in the order of the text."""

    sentences: tuple[Sentence, ...]

    @property
    def average(self) -> float:
        """Words in a sentence, on average; 0 for no text."""
        return sum(each.words for each in self.sentences) / max(len(self.sentences), 1)

    @property
    def longest(self) -> int:
        """Words in the longest sentence."""
        return max((each.words for each in self.sentences), default=0)

    @property
    def fits(self) -> bool:
        """Whether each sentence fits and the average is at most AIM_WORDS."""
        return self.average <= AIM_WORDS and all(each.fits for each in self.sentences)

    @property
    def worst(self) -> tuple[Sentence, ...]:
        """The sentences to look at first: with hard words, then the longest; at most five.

        A sentence of no more than AIM_WORDS words without hard words is never among them.
        """
        ordered = sorted(self.sentences, key=lambda each: (-len(each.hard), -each.words))
        return tuple(each for each in ordered if each.hard or each.words > AIM_WORDS)[:SHOWN]


def sentences(text: str) -> list[str]:
    """The sentences of a text, without markup; a gap for a name or number counts as a word."""
    plain = _GAP.sub("Naam", _TAG.sub(" ", text))
    return [part.strip() for part in _END.split(" ".join(plain.split())) if part.strip()]


def measure(texts: Iterable[str], language: str = "nl") -> Reading:
    """Measure texts. Hard words are known for Dutch only; the lengths count in each language."""
    return Reading(
        tuple(
            Sentence(sentence, len(sentence.split()), _hard(sentence) if language == "nl" else ())
            for text in texts
            for sentence in sentences(text)
        )
    )


def too_hard(texts: Iterable[str]) -> list[str]:
    """For a test: each Dutch sentence that most people cannot read, with the reason."""
    return [
        f"{each.words} words{', ' if each.hard else ''}{', '.join(each.hard)}: {each.text}"
        for each in measure(texts).sentences
        if not each.fits
    ]


def words_of(part: Any) -> list[str]:
    """Every text in a part of a form's content (consent.texts), in its order."""
    if isinstance(part, str):
        return [part]
    inside = part.values() if isinstance(part, Mapping) else part
    return [text for each in inside for text in words_of(each)]


def _hard(sentence: str) -> tuple[str, ...]:
    found = [match.group(1).lower() for match in _FORBIDDEN.finditer(sentence)]
    close = [word for word in re.findall(r"\w+", sentence.lower()) if word in _TOO_CLOSE]
    return tuple(dict.fromkeys([*found, *close]))
