"""The rows of the question form that say which patients: one variable per row, no operators.

A row offers only what the codebook allows: levels to tick, or cut-points to choose from. So a
question built here can name nothing that a hospital would refuse as too fine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from federation.query.codebook import Codebook, Variable, plain_number
from registry.pages.naming import Names
from registry.translate import number
from registry.translate import translate as _

MAX_ROWS = 20
MAX_KEY = 6  # digits


@dataclass(frozen=True)
class Row:
    """One condition as it stands in the form. Texts are kept exactly as they were typed."""

    key: str
    var: str
    levels: tuple[str, ...] = ()
    low: str = ""
    high: str = ""

    @property
    def first_field(self) -> str:
        """The id of the field that an error about this row points to."""
        return f"row-{self.key}-level" if self.levels else f"row-{self.key}-low"


@dataclass(frozen=True)
class Control:
    """How a row is shown: `kind` is "levels", "bounds" or "dates"."""

    row: Row
    label: str
    kind: str
    levels: tuple[tuple[str, str], ...] = ()
    bounds: tuple[tuple[str, str], ...] = ()
    upper_is_open: bool = True
    hint: str = ""


def rows_of(form: MultiDict[str, str]) -> list[Row]:
    """The rows in the order of the page."""
    found = []
    for key in form.getlist("row")[:MAX_ROWS]:
        if not (key.isascii() and key.isdigit() and len(key) <= MAX_KEY):
            continue
        found.append(
            Row(
                key,
                form.get(f"row-{key}-var", ""),
                tuple(form.getlist(f"row-{key}-level")),
                form.get(f"row-{key}-low", "").strip(),
                form.get(f"row-{key}-high", "").strip(),
            )
        )
    return found


def with_row(rows: Sequence[Row], var: str) -> list[Row]:
    """The rows and one more about `var`, under a key that was not used yet."""
    if len(rows) >= MAX_ROWS:
        return list(rows)
    key = str(1 + max((int(row.key) for row in rows), default=0))
    return [*rows, Row(key, var)]


def without_row(rows: Sequence[Row], key: str) -> list[Row]:
    return [row for row in rows if row.key != key]


def usable(codebook: Codebook) -> tuple[str, ...]:
    """Variables that a row can be about: those with levels, cuts, few values, or dates."""
    return tuple(
        name
        for name, variable in codebook.variables.items()
        if variable.type == "date" or variable.group_labels is not None
    )


def control(row: Row, codebook: Codebook, names: Names) -> Control | None:
    """What the page shows for a row; None for a variable that the codebook does not have."""
    variable = codebook.variables.get(row.var)
    if variable is None:
        return None
    label = names.with_unit(row.var)
    if variable.type in ("category", "boolean"):
        labels = variable.group_labels or ()
        levels = tuple((code, names.level(row.var, code)) for code in labels)
        return Control(row, label, "levels", levels=levels)
    if variable.type == "date":
        year = variable.resolution == "year"
        hint = _("For example 2023") if year else _("Year and month, for example 2023-01")
        return Control(row, label, "dates", hint=hint, upper_is_open=False)
    points, upper_is_open = _points(variable)
    bounds = tuple((_plain(point), _written(point)) for point in points)
    return Control(row, label, "bounds", bounds=bounds, upper_is_open=upper_is_open)


def cohort(rows: Sequence[Row], codebook: Codebook, match: str) -> tuple[Any, dict[str, str]]:
    """The cohort as JSON, and what to do per field that cannot be used.

    A row on which nothing was chosen is an error: it would silently mean everybody.
    """
    parts: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    for row in rows:
        variable = codebook.variables.get(row.var)
        if variable is None:
            errors[f"row-{row.key}-var"] = _("Choose a variable of this study")
            continue
        leaves, problem = _leaves(row, variable)
        if problem:
            field = "level" if variable.type in ("category", "boolean") else "low"
            errors[f"row-{row.key}-{field}"] = problem
        elif len(leaves) > 1 and match == "any":
            parts.append({"all": leaves})
        else:
            parts.extend(leaves)
    if not parts:
        return {}, errors
    return {match if match in ("all", "any") else "all": parts}, errors


def _leaves(row: Row, variable: Variable) -> tuple[list[dict[str, Any]], str]:
    if variable.type in ("category", "boolean"):
        labels = variable.group_labels or ()
        chosen = [code for code in labels if code in row.levels]
        if not chosen:
            return [], _("Tick at least one answer, or remove this condition")
        values: list[Any] = (
            [code == "true" for code in chosen] if variable.type == "boolean" else (list(chosen))
        )
        return [{"var": row.var, "op": "in", "value": values}], ""
    if not row.low and not row.high:
        return [], _("Choose a lower or an upper limit, or remove this condition")
    if variable.type == "date":
        ends = ((">=", row.low), ("<=", row.high))
        return [{"var": row.var, "op": op, "value": text} for op, text in ends if text], ""
    upper = "<" if variable.cuts else "<="
    leaves: list[dict[str, Any]] = []
    for op, text in ((">=", row.low), (upper, row.high)):
        if not text:
            continue
        try:
            value = plain_number(float(text))
        except ValueError:
            return [], _("Choose a limit from the list")
        leaves.append({"var": row.var, "op": op, "value": value})
    if len(leaves) == 2 and leaves[0]["value"] >= leaves[1]["value"] and upper == "<":
        return [], _("The lower limit must be below the upper limit")
    return leaves, ""


def _points(variable: Variable) -> tuple[tuple[float, ...], bool]:
    edges = variable.edges
    if edges is not None:
        return edges, True
    low, high = int(variable.min or 0), int(variable.max or 0)
    return tuple(float(value) for value in range(low, high + 1)), False


def _plain(value: float) -> str:
    return str(plain_number(value))


def _written(value: float) -> str:
    text = _plain(value)
    return number(value, len(text.split(".")[1]) if "." in text else 0)


def row_of_path(where: str, rows: Sequence[Row], made: Mapping[str, Any]) -> Row | None:
    """The row that a JSON path such as `cohort.all[1].value` is about, if it can be told."""
    node: Any = made
    for step in where.removeprefix("cohort").replace("]", "").replace("[", ".").split("."):
        if not step:
            continue
        try:
            node = node[int(step)] if step.isdigit() else node[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(node, dict) and "var" in node:
            return next((row for row in rows if row.var == node["var"]), None)
    return None
