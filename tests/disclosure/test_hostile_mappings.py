"""Mappings from somebody who wishes the hospital ill; limits as in test_hostile_files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spoilt import DATA, MAPPING, Site, copied, good, make, rows_of, site

from federation.query.builtin import find_codebook

__all__ = ["good", "site"]

MAPPINGS: dict[str, tuple[str, str]] = {
    # what is spoilt, and what stands there instead
    "a variable that is a name of Python": ("  age:", "  __class__:"),
    "a variable with a dot": ("  age:", "  age.real:"),
    "a variable of 10,000 letters": ("  age:", f"  {'a' * 10_000}:"),
    "a column of 10,000 letters": ("leeftijd", "x" * 10_000),
    "a column with escapes of the terminal": ("leeftijd", '"\\e[2Jleeftijd"'),
    "a column that is a name of Python": ("leeftijd", "__dict__"),
    "an unknown form": ("{column: leeftijd}", "{eval: \"__import__('os').system('touch owned')\"}"),
    "a template": ("{column: leeftijd}", '{column: "{0.__class__}"}'),
    "a format of a thousand parts": ("%d-%m-%Y", "%Y" + ".*" * 500),
    "a format with a format in it": ("%d-%m-%Y", "%Y{0.__class__}%%(x)s"),
    "a format that strftime would expand": ("%d-%m-%Y", "%9999999Y"),
    "a factor that is too large": ("{column: leeftijd}", "{column: leeftijd, times: 1e400}"),
    "a factor that is not a number": ("{column: leeftijd}", "{column: leeftijd, times: .nan}"),
    "a factor below zero": ("{column: leeftijd}", "{column: leeftijd, times: -1}"),
    "a map to a list": ("{column: leeftijd}", "{column: leeftijd, map: {a: [1]}}"),
    "a codebook elsewhere": ("gbsg/1", "../../secret/1"),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_spoilt_mapping_ends_in_a_sentence(site: Site, name: str) -> None:
    site.replace("mapping.yaml", *MAPPINGS[name])
    site.refused()


def test_a_format_is_letters_and_never_an_expression(site: Site) -> None:
    """What would keep a matcher of expressions busy for years."""
    site.replace("mapping.yaml", "%d-%m-%Y", "(%Y+)+(x+x+)+y$")
    site.write("data.csv", DATA + b"P98,40,1," + b"x" * 100_000 + b"\n")
    report = json.loads(site.check("--json").out)[0]
    assert {v["name"]: v["unmapped"] for v in report["variables"]}["diagnosed"] == 51


TABLES = """version: 2
codebook: oncomin/1
tables:
  patient: {key: nr, sex: {column: graad, map: {1: male, 2: female, 3: other}}}
  tumour: {key: nr, incidence_date: {column: datum, format: "%d-%m-%Y"}, age: AGE MORE}
"""
DOUBLED = ", ".join(
    f"d{n}: {{expr: \"d{n + 1} + '' + d{n + 1}\"}}" if n < 50 else f"d{n}: leeftijd"
    for n in range(51)
)
# What stands in place of AGE, and what is added to the table.
EXPRESSIONS: dict[str, tuple[object, str]] = {
    "brackets a hundred thousand deep": ("(" * 100_000 + "1" + ")" * 100_000, ""),
    "brackets that just fit": ("(" * 240 + "1" + ")" * 240, ""),
    "signs a thousand deep": ("-" * 10_000 + "1", ""),
    "not a hundred times": ("not " * 120 + "1 == 1", ""),
    "a sum of ten thousand": ("+".join(["1"] * 10_000), ""),
    "a call of the system": ("__import__('os').system('touch owned')", ""),
    "an attribute": ("leeftijd.__class__.__mro__", ""),
    "a name of Python": ("__class__", ""),
    "a name of Python in a table": ("patient.__init__", ""),
    "open a file": ("open('secret.csv')", ""),
    "a format": ("'{0.__class__}' % leeftijd", ""),
    "a power of a power": ("9 ** 9 ** 9", ""),
    "a number too large": ("9" * 400, ""),
    "a slice of a billion": ("leeftijd[0:1000000000]", ""),
    "a lambda": ("lambda: 1", ""),
    "a comprehension": ("[x for x in (1).__class__.__base__.__subclasses__()]", ""),
    "NUL": ("leeftijd\x00", ""),
    "a text that never closes": ("'" + "x" * 400, ""),
    "an item that needs itself": ("age + 1", ""),
    "items that need each other": (
        "stage_x",
        ", let: {stage_x: {expr: stage_y}, stage_y: {expr: stage_x}}",
    ),
    "a text doubled fifty times": ("d0", f", let: {{{DOUBLED}}}"),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a mapping of version 2 that works."""
    mapping = TABLES.replace("AGE MORE", "leeftijd").encode()
    return make(tmp_path_factory.mktemp("tables"), mapping, find_codebook("oncomin/1"))


@pytest.fixture
def second(tables: Path, tmp_path: Path) -> Site:
    return copied(tables, tmp_path)


def test_the_second_directory_is_good_before_it_is_spoilt(second: Site) -> None:
    assert rows_of(second.check("--json")) == 50


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_expression_does_more_than_end_in_a_sentence(second: Site, name: str) -> None:
    expression, more = EXPRESSIONS[name]
    form = json.dumps({"expr": expression})
    second.write("mapping.yaml", TABLES.replace("AGE", form).replace(" MORE", more))
    if name == "a text doubled fifty times":
        ended = second.check("--json")  # cut where it is too long for a value
        assert ended.code in (0, 1), ended
        assert "Traceback" not in ended.err
        return
    second.refused()


FORMS = {
    "a range of a billion codes": ("{by_range: leeftijd, rules: {0-999999999999: x}}", ""),
    "a thousand ranges": (
        "{by_range: leeftijd, rules: {" + ", ".join(f"{n}-{n}: x" for n in range(5_000)) + "}}",
        "",
    ),
    "a thousand formats": (f"{{column: datum, format: {['%Y-%m-%d'] * 1_000}}}", ""),
    "a format that is a slow expression": ("{column: datum, format: '(%Y+)+(x+x+)+y$'}", ""),
    "a table that is not there": ("leeftijd", ", from: ../secret"),
    "a table with a path": ("leeftijd", ", from: /etc/passwd"),
    "ten thousand labels": (
        "leeftijd",
        ", explode: {"
        + ", ".join(f"l{n}: leeftijd" for n in range(10_000))
        + "}, when: value == 1",
    ),
    "ten thousand items": (
        "leeftijd",
        ", let: {" + ", ".join(f"i{n}: leeftijd" for n in range(10_000)) + "}",
    ),
    "a join with itself without end": (
        "leeftijd",
        ", join: {"
        + ", ".join(f"j{n}: {{table: data, left: nr, right: nr}}" for n in range(50))
        + "}",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_no_form_of_a_mapping_does_more_than_end_in_a_sentence(second: Site, name: str) -> None:
    form, more = FORMS[name]
    second.write("mapping.yaml", TABLES.replace("AGE", form).replace(" MORE", more))
    second.refused()


def test_a_unit_or_table_with_a_name_of_python_is_refused(second: Site) -> None:
    for name in ("__class__", "patient.__dict__", "../patient", "x" * 5_000):
        text = TABLES.replace("AGE MORE", "leeftijd").replace("  tumour:", f"  {name}:")
        second.write("mapping.yaml", text)
        assert second.refused().startswith("mapping.yaml")


SOURCES = {
    "a parent": "../secret.csv",
    "many parents": "../" * 40 + "etc/passwd",
    "an absolute path": "/etc/passwd",
    "an address": "http://127.0.0.1:9/data.csv",
    "a file address": "file:///etc/passwd",
    "a device that never ends": "/dev/zero",
    "the processes": "/proc/self/environ",
    "a key": "keys/sign.key",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite"])
def test_a_mapping_cannot_name_a_file_outside_the_directory(
    site: Site, name: str, kind: str
) -> None:
    """site.toml says where the data are; a mapping comes from elsewhere (security.md, T10)."""
    site.replace("site.toml", 'path = "data.csv"\n', "")
    site.replace("site.toml", 'kind = "csv"\n', "")
    tables = ", tables: [t]" if kind == "sqlite" else ""
    text = f"source: {{kind: {kind}, path: {json.dumps(SOURCES[name])}{tables}}}\n"
    site.write("mapping.yaml", MAPPING + text.encode())
    site.refused()


def test_a_mapping_cannot_reach_outside_through_a_link(site: Site) -> None:
    site.replace("site.toml", 'path = "data.csv"\n', "")
    site.path.joinpath("link.csv").symlink_to(site.folder / "secret.csv")
    site.write("mapping.yaml", MAPPING + b"source: {path: link.csv}\n")
    site.refused()
