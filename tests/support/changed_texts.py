"""The text of the demo's study with other words, for tests of drafts and versions."""

import copy
from typing import Any

from studies.seeds.hormone_therapy_text import CONTENT

OLD: dict[str, Any] = copy.deepcopy(dict(CONTENT))


def changed(**paths: Any) -> dict[str, Any]:
    """The text with other words: `nl__story__0__heading="…"`, dots in item codes as they are."""
    content = copy.deepcopy(OLD)
    for path, value in paths.items():
        *way, last = path.split("__")
        place: Any = content
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = value
    return content


def with_item(code: str = "use.past") -> dict[str, Any]:
    """The text with one more question."""
    content = copy.deepcopy(OLD)
    content["items"].append(code)
    for language in ("nl", "en"):
        content[language]["questions"][code] = {"legend": "Mag dat?", "explain": "Zo gaat dat."}
    return content


def without_item(code: str = "study.join") -> dict[str, Any]:
    """The text with one question fewer."""
    content = copy.deepcopy(OLD)
    content["items"].remove(code)
    for language in ("nl", "en"):
        del content[language]["questions"][code]
    return content
