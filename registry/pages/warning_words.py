"""The warnings that come with a result, in the language of the page.

Methods write warnings in English (they also go to programs). A warning with a name or number in
it is recognised by its pattern; one that is not known here is shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from registry.translate import translate as _

#: Pattern of the English warning -> message id. Named groups fill the message.
PATTERNS: Mapping[str, str] = {
    r"Hospitals with fewer than (?P<n>\d+) eligible patients do not contribute\.": (
        "Hospitals with fewer than %(n)s eligible patients do not contribute."
    ),
    r"(?P<name>\S+) was left out: no patient has this level\.": (
        "%(name)s was left out: no patient has this level."
    ),
    r"Follow-up ends before (?P<n>[\d.]+); what lies beyond it is left empty\.": (
        "Follow-up ends before day %(n)s; what lies beyond it is left empty."
    ),
    r"Follow-up of group (?P<name>.+) ends before (?P<n>[\d.]+); what lies .*": (
        "Follow-up of group %(name)s ends before day %(n)s; what lies beyond it is left empty."
    ),
}

#: Warnings without anything variable in them.
FIXED = (
    "No test: fewer than two groups of one of the variables hold patients.",
    "Nothing was fitted: no patient had the event.",
    "Event times are rounded up to the time grid.",
    "Only patients with a value for every listed variable are described, so that every number is "
    "about the same patients.",
    "Times are rounded up to the grid, and points of the curve are merged until each step covers "
    "enough patients and events.",
    "Times are rounded up to the grid.",
    "No test: fewer than two groups had patients at risk at an event.",
)


def warning_words(text: str) -> str:
    """One warning in the language of the page."""
    for pattern, message in PATTERNS.items():
        if match := re.fullmatch(pattern, text):
            return _(message, **match.groupdict())
    return _(text)
