"""Who had the outcome: 1 yes, 0 no, nan where it is missing. Of a variable or of a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Rows
from federation.methods.cohorts import cohort_mask
from federation.query.codebook import Codebook
from federation.query.cohort import Leaf, Node, parse_cohort
from federation.query.outcomes import OUTCOME
from federation.query.three_valued import when_no, when_yes
from federation.query.words import cohort_words

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """A yes or no of each row. `label` names the set of those with it: the variable, or OUTCOME.

    `node` is the condition as it was asked, or that the variable is true.
    """

    label: str
    node: Node
    codebook: Codebook

    @classmethod
    def of(cls, value: Any, codebook: Codebook) -> Outcome:
        """From the normalised value of an OutcomeParam."""
        if isinstance(value, str):
            return cls(value, Leaf(value, "=", True), codebook)
        return cls(OUTCOME, parse_cohort(value, codebook), codebook)

    @property
    def is_condition(self) -> bool:
        """Whether no variable says it by itself."""
        return self.label == OUTCOME

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that decides it."""
        return self.node.variables()

    def values(self, rows: Rows) -> Floats:
        """1 where it holds, 0 where it does not, nan where too much is missing to say; (n,)."""
        found = np.full(rows.n, np.nan)
        if not self.is_condition:
            codes = rows.column(self.label).codes()
            return np.where(codes >= 0, codes, np.nan).astype(np.float64)
        found[cohort_mask(when_no(self.node, self.codebook), rows.columns, rows.n)] = 0.0
        found[cohort_mask(when_yes(self.node, self.codebook), rows.columns, rows.n)] = 1.0
        return found

    def words(self, lang: str) -> str:
        """What it says, as a clause in "nl" or else English."""
        if self.is_condition:
            return cohort_words(self.node, self.codebook, lang)
        return self.codebook.variables[self.label].label.text(lang) or self.label

    def sentences(self, lang: str) -> list[str]:
        """For `explain`: what counts as the outcome; nothing where a variable says it."""
        if not self.is_condition:
            return []
        if lang == "nl":
            return [
                f"De uitkomst is: {self.words(lang)}. Ontbreekt een deel daarvan, dan telt de "
                "patiënt als onbekend, tenzij de rest het al beslist."
            ]
        return [
            f"The outcome is: {self.words(lang)}. Where a part of it is missing the patient counts "
            "as unknown, unless the rest decides."
        ]


def outcome_of(ask: Ask, name: str = "outcome") -> Outcome:
    """The outcome that parameter `name` of the question asks about."""
    return ask.once(f"outcome {name}", lambda a: Outcome.of(a.params[name], a.codebook))
