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

These forms are all there are: nothing in a mapping is ever evaluated. `source:` may add reading
options to those of site.toml; `key: {row_number: true}` is for public files without a number.
Variables of the codebook that the mapping does not name cannot be answered here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from federation.query.yaml_data import YamlError, load_yaml
from federation.site.errors import SetupError
from federation.site.source_options import SourceOptions, read_options

_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FORMAT = re.compile(r"(?:%[dmYHMS]|[^%\\]){2,40}")
_FORM_KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "column": frozenset({"column", "map", "format", "times"}),
        "days_between": frozenset({"days_between", "format"}),
        "years_between": frozenset({"years_between", "format"}),
        "subtract": frozenset({"subtract"}),
    }
)
ISO_DATE = "%Y-%m-%d"

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
    """A checked mapping. `key` None: the number of the row stands in for a patient number."""

    codebook: str
    key: str | None
    variables: Mapping[str, MappedVariable]
    source: SourceOptions
    text: bytes

    def columns(self) -> tuple[str, ...]:
        """Every source column that is read, the key first."""
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
    known = {"codebook", "key", "variables", "source"}
    table = _table(value, known, name)
    for key in ("codebook", "key", "variables"):
        if key not in table:
            raise SetupError(f"{name}: the key '{key}' is missing; add it.")
    if not isinstance(table["codebook"], str):
        raise SetupError(f"{name}: codebook must be a text such as 'gbsg/1'.")
    variables = table["variables"]
    if not isinstance(variables, dict) or not variables:
        raise SetupError(f"{name}: variables must name at least one variable.")
    more = _table(table.get("source", {}), None, f"{name}: source")
    return Mapped(
        codebook=table["codebook"],
        key=_key(table["key"], name),
        variables=MappingProxyType(
            {str(key): _variable(key, form, name) for key, form in variables.items()}
        ),
        source=read_options(source, more, folder, name),
        text=data,
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
        format=_format(table.get("format", ISO_DATE), f"{where}.format"),
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
    if not isinstance(value, str) or not _FORMAT.fullmatch(value) or "%Y" not in value:
        raise SetupError(f"{where} must be a date format of %d, %m and %Y, such as '%d-%m-%Y'.")
    if any(value.count(part) > 1 for part in ("%d", "%m", "%Y", "%H", "%M", "%S")):
        raise SetupError(f"{where} names a part of the date twice; name it once.")
    return value


def _times(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SetupError(f"{where} must be a number above zero.")
    return float(value)
