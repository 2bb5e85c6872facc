"""Who had the outcome: a yes-or-no variable, or a condition in the grammar of cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from federation.query.codebook import Codebook
from federation.query.cohort import Leaf, Node, parse_cohort
from federation.query.errors import BAD_VALUE, QueryError
from federation.query.meaning import meaning
from federation.query.parameters import Schema, VariableParam
from federation.query.three_valued import when_no, when_yes

OUTCOME: Final = "outcome*"
"""What a set of patients is called of whom a condition holds. No variable can have this name."""


@dataclass(frozen=True, kw_only=True)
class OutcomeParam(VariableParam):
    """The name of a boolean, or a condition that is read as yes, no or missing
    (federation.query.three_valued). Normalised to the name, or to the condition in canonical form;
    `{var, =, true}` is the name alone."""

    types: tuple[str, ...] = ("boolean",)

    def _parse(self, value: Any, codebook: Codebook, where: str) -> Any:
        if not isinstance(value, dict):
            return super()._parse(value, codebook, where)
        if value in ({}, {"all": []}):
            raise QueryError(
                BAD_VALUE, "A condition needs a comparison: {var, op, value}. Add one.", where
            )
        node = parse_cohort(value, codebook, where)
        if isinstance(node, Leaf) and (node.op, node.value) in (("=", True), ("!=", False)):
            if self.suits(codebook.variables[node.var]):
                return node.var
        return node.to_dict()

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {"anyOf": [self._name_schema(codebook), {"$ref": "#/$defs/node"}]}

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the variable, or those of the condition."""
        found = self.condition(value, codebook)
        return super().variables(value, codebook) if found is None else found.variables()

    def condition(self, value: Any, codebook: Codebook) -> Node | None:
        """Return the condition of a normalised value; None where a variable is named."""
        return parse_cohort(value, codebook) if isinstance(value, dict) else None

    def meaning(self, value: Any, codebook: Codebook) -> Any:
        """Return the same for two wordings by which the same patients have the outcome and the
        same ones have not."""
        node = self.condition(value, codebook)
        if node is None:
            return value
        meant = _meant(node, codebook)
        for name in node.variables():
            if self.suits(codebook.variables[name]):
                alone = Leaf(name, "=", True)
                if _meant(alone, codebook) == meant:
                    return name
        return meant


def _meant(node: Node, codebook: Codebook) -> dict[str, Any]:
    return {
        "yes": meaning(when_yes(node, codebook), codebook),
        "no": meaning(when_no(node, codebook), codebook),
    }
