"""mapping.yaml: how the hospital's columns become the codebook's variables.

    codebook: gbsg/1
    key: Patiëntnummer                          # the column with the local patient number
    variables:
      age: {column: Leeftijd}
      tumour_size: {column: diameter_cm, times: 10}
      hormone: {column: Hormoon, map: {ja: "yes", nee: "no"}}
      diagnosed: {column: Diagnosedatum, format: "%d-%m-%Y"}
      rfs_days: {days_between: [Diagnosedatum, Datum recidief], format: "%d-%m-%Y"}
      age_at: {years_between: [Geboortedatum, Diagnosedatum], format: "%d-%m-%Y"}
      size: {subtract: [incjr, gebjr]}          # first minus second

This is version 1: one row of the data is one row of the codebook. Version 2 has `tables` in place
of `key` and `variables`; see `mapping_tables`. Nothing in a mapping is ever evaluated by Python.
`source:` may add reading options to those of site.toml; `key: {row_number: true}` is for public
files without a number. Variables that the mapping does not name cannot be answered here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from federation.query.codebook import Codebook
from federation.query.errors import did_you_mean
from federation.query.yaml_data import YamlError, load_yaml
from federation.site.data.date_formats import ISO_DATE, wrong_format
from federation.site.data.mapping_tables import Expected, MappedTable, read_expected, read_tables
from federation.site.data.plan import Plan
from federation.site.data.planning import make_plan
from federation.site.data.source_options import SourceOptions, read_options
from federation.site.errors import SetupError

_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FORM_KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "column": frozenset({"column", "map", "format", "times"}),
        "days_between": frozenset({"days_between", "format"}),
        "years_between": frozenset({"years_between", "format"}),
        "subtract": frozenset({"subtract"}),
    }
)
_KEYS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        1: ("version", "codebook", "key", "variables", "source"),
        2: ("version", "codebook", "model", "tables", "source", "expect"),
    }
)

Form = Literal["column", "days_between", "years_between", "subtract"]


@dataclass(frozen=True)
class MappedVariable:
    """Where one variable comes from.

    columns: one (`column`) or two source columns. values: raw text -> codebook value, None
    without a map. format: how dates are written, of %d %m %Y (%H %M %S are read and dropped).
    """

    name: str
    form: Form
    columns: tuple[str, ...]
    values: Mapping[str, str | bool] | None
    format: str
    times: float


@dataclass(frozen=True)
class Mapped:
    """A checked mapping.

    Version 1 has `key` and `variables`; `key` None: the number of the row stands in for a patient
    number. Version 2 has `tables` instead, and `expected` for `site check`.
    """

    codebook: str
    key: str | None
    variables: Mapping[str, MappedVariable]
    source: SourceOptions
    text: bytes
    tables: Mapping[str, MappedTable] = field(default_factory=dict)
    expected: Expected = field(default_factory=Expected)
    name: str = "mapping.yaml"
    _plans: dict[str, Plan] = field(default_factory=dict, compare=False, repr=False)

    def plan(self, codebook: Codebook) -> Plan:
        """The tables of version 2 held against the codebook. Raises SetupError."""
        key = codebook.sha256
        if key not in self._plans:
            self._plans[key] = make_plan(self.tables, codebook, self.name)
        return self._plans[key]

    def answers(self, codebook: Codebook) -> frozenset[str]:
        """The variables of this view that the mapping gives. Raises SetupError."""
        if self.tables:
            return self.plan(codebook).variables(codebook.unit) & set(codebook.variables)
        same = codebook.unit == codebook.whole.unit
        return frozenset(self.variables) if same else frozenset()

    def columns(self) -> tuple[str, ...]:
        """Every source column that version 1 reads, the key first."""
        names = [self.key] if self.key is not None else []
        names += [column for variable in self.variables.values() for column in variable.columns]
        return tuple(dict.fromkeys(names))


def read_mapping(data: bytes, source: Mapping[str, Any], folder: Path, name: str) -> Mapped:
    """Read mapping file `name`. `source` is site.toml's; paths are relative to `folder`.

    SetupError with one sentence for anything missing, unknown or malformed.
    """
    try:
        value = load_yaml(data)
    except YamlError as error:
        raise SetupError(f"{name}: {error}") from error
    table = _table(value, None, name)
    version = table.get("version", 2 if "tables" in table else 1)
    if type(version) is not int or version not in _KEYS:
        raise SetupError(f"{name}: version must be 1 or 2.")
    for key in table:
        if key not in _KEYS[version]:
            hint = did_you_mean(key, _KEYS[version])
            raise SetupError(f"{name}: unknown key '{key[:60]}'; remove it or correct it. {hint}")
    more = table.get("source", {})
    if isinstance(more, dict):
        # `null:` without quotes is YAML's word for nothing, and the key that is meant.
        more = {"null" if key is None else key: option for key, option in more.items()}
    more = _table(more, None, f"{name}: source")
    options = read_options(source, more, folder, name)
    return (_version_1 if version == 1 else _version_2)(table, options, data, name)


def _version_2(table: dict[str, Any], source: SourceOptions, data: bytes, name: str) -> Mapped:
    if ("codebook" in table) == ("model" in table):
        raise SetupError(f"{name}: name the codebook once, as codebook (or model).")
    joined = bool(source.joins)
    return Mapped(
        codebook=_codebook(table.get("codebook", table.get("model")), name),
        key=None,
        variables=MappingProxyType({}),
        source=source,
        text=data,
        tables=read_tables(table.get("tables"), () if joined else source.names, f"{name}: tables"),
        expected=read_expected(table.get("expect"), f"{name}: expect"),
        name=name,
    )


def _codebook(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise SetupError(f"{name}: codebook must be a text such as 'gbsg/1'.")
    return value


def _version_1(table: dict[str, Any], source: SourceOptions, data: bytes, name: str) -> Mapped:
    for key in ("codebook", "key", "variables"):
        if key not in table:
            raise SetupError(f"{name}: the key '{key}' is missing; add it.")
    if len(source.names) > 1 and not source.joins:
        raise SetupError(f"{name}: several tables need source.join, or a mapping of version 2.")
    variables = table["variables"]
    if not isinstance(variables, dict) or not variables:
        raise SetupError(f"{name}: variables must name at least one variable.")
    return Mapped(
        codebook=_codebook(table["codebook"], name),
        key=_key(table["key"], name),
        variables=MappingProxyType(
            {str(key): _variable(key, form, name) for key, form in variables.items()}
        ),
        source=source.only(source.names[0]) if len(source.names) == 1 else source,
        text=data,
        name=name,
    )


def _table(value: object, known: set[str] | None, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SetupError(f"{where} must consist of named keys.")
    for key in value:
        if known is not None and key not in known:
            raise SetupError(f"{where}: unknown key '{key[:60]}'; remove it or correct its name.")
    return value


def _key(value: object, name: str) -> str | None:
    if value == {"row_number": True}:
        return None
    if isinstance(value, str) and value:
        return value
    raise SetupError(f"{name}: key must be the name of the column with the patient number.")


def _variable(variable: object, value: object, name: str) -> MappedVariable:
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise SetupError(f"{name}: variables must have names of the codebook.")
    where = f"{name}: variables.{variable}"
    table = _table(value, None, where)
    forms = [form for form in _FORM_KEYS if form in table]
    if len(forms) != 1:
        raise SetupError(f"{where} must have exactly one of: {', '.join(_FORM_KEYS)}.")
    form: Any = forms[0]
    _table(value, set(_FORM_KEYS[form]), where)
    return MappedVariable(
        name=variable,
        form=form,
        columns=_columns(table[form], 1 if form == "column" else 2, f"{where}.{form}"),
        values=_values(table["map"], f"{where}.map") if "map" in table else None,
        format=_interval_format(
            form, _format(table.get("format", ISO_DATE), f"{where}.format"), where
        ),
        times=_times(table.get("times", 1), f"{where}.times"),
    )


def _columns(value: object, count: int, where: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if len(names) != count or not all(isinstance(name, str) and name for name in names):
        wanted = "the name of one column" if count == 1 else "a list of two column names"
        raise SetupError(f"{where} must be {wanted}.")
    return tuple(names)


def _values(value: object, where: str) -> Mapping[str, str | bool]:
    if not isinstance(value, dict) or not value:
        raise SetupError(f"{where} must map raw values to values of the codebook.")
    made: dict[str, str | bool] = {}
    for raw, meant in value.items():
        # A raw 1 and a raw "1" are the same text in a file.
        text = ("true" if raw else "false") if isinstance(raw, bool) else str(raw)
        if raw is None or isinstance(meant, float) or not isinstance(meant, str | bool | int):
            raise SetupError(f"{where} must map texts to texts, true or false.")
        made[text] = meant if isinstance(meant, bool | str) else str(meant)
    return MappingProxyType(made)


def _format(value: object, where: str) -> str:
    if wrong := wrong_format(value):
        raise SetupError(f"{where} {wrong}.")
    return str(value)


def _interval_format(form: str, value: str, where: str) -> str:
    if form in ("days_between", "years_between") and "%d" not in value:
        # 2010 is some day of that year: a number of days from it would be made up.
        raise SetupError(
            f"{where}.format has no day; an interval needs days. For the difference of two years "
            "use subtract."
        )
    return value


def _times(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SetupError(f"{where} must be a number above zero.")
    return float(value)
