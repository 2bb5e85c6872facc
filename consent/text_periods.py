"""Whether a text for patients says for how long a yes holds (consent.md 3.7). Pure.

The number of years is a setting of the network and a text never changes, so one can come to say
something else than the other. People who approve a text, and who change the setting, are told.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from consent.items import LANGUAGES

_YEARS: Final = {"nl": r"\b{years}\s+jaar\b", "en": r"\b{years}\s+years?\b"}


def unnamed(content: Mapping[str, Any], years: int) -> tuple[str, ...]:
    """The languages in which this text does not name so many years."""
    return tuple(
        language
        for language in LANGUAGES
        if not any(
            re.search(_YEARS[language].format(years=years), sentence, re.IGNORECASE)
            for sentence in _told(content[language])
        )
    )


def _told(part: Mapping[str, Any]) -> Iterator[str]:
    """What a patient is told before the last step: the story, how to stop, what happens after."""
    for panel in part["story"]:
        yield from panel["text"]
    yield from part["stop"]
    yield from part["after"]
