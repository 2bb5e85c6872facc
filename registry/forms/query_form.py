"""The question form: from what was typed to a checked query, and errors back to their fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.json_data import load_json
from federation.query.model import Query
from federation.query.parameters import (
    BoolParam,
    FormulaParam,
    LevelParam,
    NumberParam,
    NumbersParam,
    Parameter,
    StrataParam,
    VariableParam,
    VariablesParam,
)
from registry.forms.cohort_rows import Row, cohort, row_of_path, rows_of
from registry.pages.naming import Names
from registry.translate import translate as _

MAX_BYTES = 18_000  # what a session keeps of a half-filled form


@dataclass(frozen=True)
class Control:
    """One parameter of the analysis as the page shows it."""

    name: str
    label: str
    hint: str
    kind: str  # "select", "many", "text", "check"
    options: tuple[tuple[str, str], ...] = ()
    required: bool = True

    @property
    def id(self) -> str:
        return f"param-{self.name}"


@dataclass
class Filled:
    """A filled form: the query as JSON, the checked query or None, and the errors per field."""

    made: dict[str, Any]
    query: Query | None = None
    errors: dict[str, str] = field(default_factory=dict)


#: Parameter -> the question it answers, when the general label would be unclear.
LABELS: Mapping[str, str] = {
    "by": "Compare groups of",
    "variables": "Values to describe",
    "time": "Time until the event",
    "event": "Event",
    "at": "Times to report (days)",
    "grid_days": "Step of the time axis (days)",
    "strata": "Keep apart",
    "formula": "Model: terms joined by +",
    "ties": "Events at the same time",
    "variable": "Value to look at",
    "family": "Kind of outcome",
    "offset": "Time that each patient counts for",
    "robust": "Robust standard errors",
    "reml": "Restricted likelihood (REML)",
    "outcome": "Outcome",
    "exposure": "Exposure",
    "cause": "Which of the events",
    "censored": "Level for no event yet",
    "norms": "Norms (days)",
    "cap": "Longest time (days)",
    "date": "Month that decides the quarter",
    "first": "First month",
    "last": "Last month",
    "within": "Within (days)",
    "cusum_h": "CUSUM limit",
    "cusum_ratio": "CUSUM odds ratio",
}


def kinds() -> list[tuple[str, str, str]]:
    """Every analysis: code, name, what it answers."""
    words = {
        "count": (_("Count patients"), _("How many patients are there, in which groups?")),
        "describe": (_("Describe values"), _("What is the mean and the spread?")),
        "survival": (
            _("Time until an event"),
            _("Which share has had no event yet, as time goes on?"),
        ),
        "cox": (
            _("Compare event rates (Cox)"),
            _("Does the event come faster with this, other things equal?"),
        ),
        "histogram": (_("Histogram"), _("How are the values of a number spread?")),
        "compare": (_("Compare groups"), _("Do groups differ in a value, more than by chance?")),
        "regression": (
            _("Regression"),
            _("How does an outcome go with several things at once?"),
        ),
        "competing_risks": (
            _("Competing events"),
            _("Which share has had this event, when others can come first?"),
        ),
        "mantel_haenszel": (
            _("Odds ratio within strata"),
            _("Does the outcome go with the exposure, comparing like with like?"),
        ),
        "mixed": (
            _("Regression with hospital levels"),
            _("How does a number go with several things, and how far do hospitals differ?"),
        ),
        "waiting_time": (
            _("Waiting times"),
            _("Within how many days are half and 80% seen, and who waits twice as long?"),
        ),
        "trend": (
            _("Trend per quarter"),
            _("Does a share change over time more than chance explains?"),
        ),
        "adjusted_mean": (
            _("Mean against expected"),
            _("Does a hospital's mean differ more than its patients and chance explain?"),
        ),
        "standardise": (
            _("Observed against expected"),
            _("Do hospitals differ more than their patients and chance explain?"),
        ),
    }
    order = {kind: place for place, kind in enumerate(words)}
    known = sorted(KINDS, key=lambda kind: order.get(kind, len(order)))
    return [(kind, *words.get(kind, (kind, ""))) for kind in known]


def units(codebook: Codebook) -> list[tuple[str, str]]:
    """What a question may count, code and words; empty when the codebook knows one thing only."""
    if len(codebook.units) < 2:
        return []
    words = {
        "patient": _("patients"),
        "tumour": _("tumours"),
        "treatment": _("treatments"),
    }
    return [(unit, words.get(unit, unit)) for unit in codebook.units]


def unit_of(form: MultiDict[str, str], codebook: Codebook) -> str:
    """What the form counts."""
    unit = form.get("unit", "")
    return unit if unit in codebook.units else codebook.unit


def controls(kind: str, codebook: Codebook, names: Names) -> list[Control]:
    """The controls of an analysis, from what the method itself declares."""
    parameters = KINDS[kind].parameters
    return [
        _level_control(p, parameters, codebook, names)
        if isinstance(p, LevelParam)
        else _control(p, codebook, names)
        for p in parameters
    ]


def _level_control(
    parameter: LevelParam, others: Sequence[Parameter], codebook: Codebook, names: Names
) -> Control:
    """The levels of every variable that the other parameter may name: no page is sent between."""
    other = next(p for p in others if p.name == parameter.of)
    suitable = other.suitable(codebook) if isinstance(other, VariableParam) else ()
    words: dict[str, list[str]] = {}
    for name in suitable:
        for level in codebook.variables[name].group_labels or ():
            words.setdefault(level, []).append(
                f"{names.variable(name)}: {names.level(name, level)}"
            )
    options = tuple((code, " / ".join(found)) for code, found in words.items())
    label = _(LABELS.get(parameter.name, parameter.name))
    hint = parameter.help(names.language)
    return Control(parameter.name, label, hint, "select", options, parameter.required)


def _control(parameter: Parameter, codebook: Codebook, names: Names) -> Control:
    label = _(LABELS.get(parameter.name, parameter.name))
    hint = parameter.help(names.language)
    if isinstance(parameter, FormulaParam):
        hint = f"{hint} {_formula_hint(codebook)}"

    def made(kind: str, options: tuple[tuple[str, str], ...] = ()) -> Control:
        return Control(parameter.name, label, hint, kind, options, parameter.required)

    if isinstance(parameter, VariableParam | VariablesParam | StrataParam):
        options = tuple((v, names.variable(v)) for v in parameter.suitable(codebook))
        if isinstance(parameter, StrataParam):
            options = (("site", _("each hospital")), *options)
        kind = "many" if isinstance(parameter, VariablesParam) else "select"
        return made(kind, options)
    if isinstance(parameter, BoolParam):
        return made("check")
    choices = getattr(parameter, "choices", ())
    if choices:
        words = {
            "gaussian": _("a number (gaussian)"),
            "binomial": _("yes or no (binomial)"),
            "poisson": _("a count or a rate (poisson)"),
        }
        return made("select", tuple((c, words.get(c, c.capitalize())) for c in choices))
    return made("text")


def _formula_hint(codebook: Codebook) -> str:
    """What else the grammar of formulas has, with variables of this codebook as examples."""
    numbers = [v for v in codebook.variables.values() if v.type in ("integer", "number")]
    said = []
    if numbers:
        said.append(_("Powers: %(example)s.", example=f"{numbers[0].name} + {numbers[0].name}^2"))
    knotted = next((v.name for v in numbers if v.knots), None)
    if knotted:
        said.append(_("A smooth curve: %(example)s.", example=f"rcs({knotted})"))
    said.append(_("Both, and how they work together: a*b."))
    return " ".join(said)


def starting_values(kind: str) -> dict[str, str]:
    """What stands in a fresh form: the defaults that the method declares."""
    values = {}
    for parameter in KINDS[kind].parameters:
        if parameter.default is True:
            values[f"param-{parameter.name}"] = "yes"
        elif parameter.default is not None and parameter.default is not False:
            values[f"param-{parameter.name}"] = str(parameter.default)
    return values


def from_fields(form: MultiDict[str, str], study: str, codebook: Codebook) -> Filled:
    """Read the fields. Errors are sentences that say what to do, by field id, in page order."""
    kind = form.get("kind", "")
    errors: dict[str, str] = {}
    title, purpose = form.get("title", "").strip(), form.get("purpose", "").strip()
    if not title:
        errors["title"] = _("Give the question a title")
    if not purpose:
        errors["purpose"] = _("Say in a sentence a patient can read why you ask this")
    if kind not in KINDS:
        errors["kind"] = _("Choose what to work out")
    rows = rows_of(form)
    unit = unit_of(form, codebook)
    who, row_errors = cohort(rows, codebook.at(unit), form.get("match", "all"))
    analysis: dict[str, Any] = {"kind": kind}
    if kind in KINDS:
        analysis |= _parameters(form, KINDS[kind].parameters, errors)
    errors |= row_errors
    sites: Any = "all"
    if form.get("asked") == "some":
        sites = form.getlist("site")
        if not sites:
            errors["site"] = _("Tick at least one hospital, or ask all of them")
    made = {
        "version": 1,
        "study": study,
        "title": title,
        "purpose": purpose,
        "codebook": codebook.id,
        "sites": sites,
        "cohort": who,
        "analysis": analysis,
        "output": form.get("output") or "pooled",
    }
    if unit != codebook.unit:
        made["unit"] = unit
    filled = Filled(made, errors=errors)
    if not errors:
        _check(filled, codebook, rows)
    return filled


def from_text(text: str, study: str, codebook: Codebook) -> Filled:
    """Read pasted JSON; one error at the text field, with its place in the JSON."""
    if not text.strip():
        return Filled({}, errors={"json": _("Paste a question as JSON")})
    if len(text.encode()) > MAX_BYTES:
        return Filled(
            {},
            errors={
                "json": _(
                    "This question is too long for the page: send it "
                    "with the JSON interface, or leave parts out"
                )
            },
        )
    try:
        made = load_json(text.encode(), MAX_BYTES, 40)
        if not isinstance(made, dict):
            raise QueryError("BAD_JSON", _("A question is one JSON object."))
        filled = Filled({**made, "study": made.get("study") or study})
        filled.query = parse(filled.made, codebook)
    except QueryError as error:
        return Filled({}, errors={"json": str(error)})
    if filled.query.study != study:
        filled.errors["json"] = _("This question names another study. Leave “study” out.")
    elif not filled.query.title.strip() or not filled.query.purpose.strip():
        filled.errors["json"] = _("Add a “title” and a “purpose” that a patient can read.")
    return filled


def _check(filled: Filled, codebook: Codebook, rows: Sequence[Row]) -> None:
    try:
        filled.query = parse(filled.made, codebook)
    except QueryError as error:
        filled.errors[_field_of(error.where, rows, filled.made)] = error.message


def _field_of(where: str, rows: Sequence[Row], made: Mapping[str, Any]) -> str:
    """The field that a JSON path stands for; the start of the form when it cannot be told."""
    if where.startswith("analysis."):
        name = where.split(".")[1].split("[")[0]
        return "kind" if name == "kind" else f"param-{name}"
    if where.startswith("cohort"):
        row = row_of_path(where, rows, made["cohort"])
        return row.first_field if row is not None else "add-var"
    return {"sites": "site", "title": "title", "purpose": "purpose"}.get(
        where.split("[")[0], "kind"
    )


def _parameters(
    form: MultiDict[str, str], parameters: Sequence[Parameter], errors: dict[str, str]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for parameter in parameters:
        name = f"param-{parameter.name}"
        text = form.get(name, "").strip()
        if isinstance(parameter, BoolParam):
            made[parameter.name] = bool(text)
        elif isinstance(parameter, VariablesParam):
            chosen = [v for v in form.getlist(name) if v]
            if chosen:
                made[parameter.name] = chosen
            elif parameter.required:
                errors[name] = _("Tick at least one variable")
        elif isinstance(parameter, StrataParam):
            made[parameter.name] = text or None
        elif not text:
            if parameter.required:
                errors[name] = _(
                    "Fill in: %(label)s",
                    label=_(LABELS.get(parameter.name, parameter.name)).lower(),
                )
        elif isinstance(parameter, NumbersParam):
            numbers = [_number(part) for part in text.replace(";", " ").replace(",", " ").split()]
            made[parameter.name] = numbers
            if any(each is None for each in numbers):
                errors[name] = _("Write whole numbers of days with spaces between, as 365 1095")
        elif isinstance(parameter, NumberParam):
            made[parameter.name] = _number(text)
            if made[parameter.name] is None:
                errors[name] = _("Write a number, such as 30")
        else:
            made[parameter.name] = text
    return made


def _number(text: str) -> int | float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


def pretty(made: Mapping[str, Any]) -> str:
    """The query as JSON to read: two spaces, keys in the order of the contract."""
    return json.dumps(made, indent=2, ensure_ascii=False)
