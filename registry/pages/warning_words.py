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
    r"Follow-up ends before (?P<n>[\d.]+)\.": "Follow-up ends before day %(n)s.",
    r"Follow-up of group (?P<name>.+) ends before (?P<n>[\d.]+)\.": (
        "Follow-up of group %(name)s ends before day %(n)s."
    ),
    r"No (?P<name>\w+): too few groups, or everyone has the same value\.": (
        "No test (%(name)s): too few groups, or everyone has the same value."
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
    "Times are rounded up to the grid, and points of the curve are merged until each step covers "
    "enough patients and events of each kind.",
    "Nothing was fitted: no patient has a value for everything in the model.",
    "Nothing was fitted: every patient had the outcome.",
    "Nothing was fitted: no patient had the outcome.",
    "Nothing was fitted: a hospital's own level needs patients in at least two hospitals, and more "
    "than one patient in one of them.",
    "No variance between hospitals was found: the estimate lies at its lower bound, 0.",
    "The variance between hospitals is known poorly from fewer than five hospitals.",
    "No common odds ratio: no stratum has what it needs.",
    "No test of homogeneity: it needs two strata or more.",
    "Nothing to compare: no patient has a value for everything that is asked.",
    "Nothing to compare: too few patients with the outcome, or without it.",
    "Hospitals may not be ranked: less than 75% of the differences between them is more than "
    "chance.",
)


def warning_words(text: str) -> str:
    """One warning in the language of the page."""
    for pattern, message in PATTERNS.items():
        if match := re.fullmatch(pattern, text):
            return _(message, **match.groupdict())
    return _(text)
