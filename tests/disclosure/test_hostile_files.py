"""Files from somebody who wishes the hospital ill, or from a tired colleague.

Whatever stands in a mapping, policy, codebook, settings or data file: the program ends within two
seconds and 256 MB, in a sentence and an exit code. It never runs what stands there, never opens
what it names elsewhere, and never writes a path or a line of a file on the screen.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from limited import Ended, oncokring, said_in_a_sentence

from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.builtin import find_codebook
from federation.query.codebook import load_codebook
from federation.site.directory import init_site

CODEBOOK = b"""
codebook: gbsg/1
variables:
  age: {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
  grade: {type: category, levels: ["1", "2", "3"]}
  diagnosed: {type: date}
"""
MAPPING = b"""
codebook: gbsg/1
key: nr
variables:
  age: {column: leeftijd}
  grade: {column: graad}
  diagnosed: {column: datum, format: "%d-%m-%Y"}
"""
DATA = b"nr,leeftijd,graad,datum\n" + b"".join(
    b"P%d,%d,%d,01-02-2020\n" % (n, 30 + n % 60, 1 + n % 3) for n in range(50)
)
CANARY = "CANARY-7f3a"
"""Stands in a file beside the directory that nothing may open."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that works."""
    folder = tmp_path_factory.mktemp("good") / "site"
    folder.mkdir()
    (folder / "data.csv").write_bytes(DATA)
    init_site(
        folder,
        slug="h0",
        name="Ziekenhuis",
        network="net",
        hub_public=SigningKey.generate().public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=MAPPING,
        policy=Policy.strict().to_yaml(),
        studies={"onco": {"codebook": load_codebook(CODEBOOK), "requires": ["use.network"]}},
    )
    return folder


class Site:
    """A copy of the good directory, to be spoilt and then checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "site"

    def write(self, name: str, data: bytes | str) -> None:
        self.path.joinpath(name).write_bytes(data.encode() if isinstance(data, str) else data)

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path.joinpath(name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def check(self, *more: str | Path) -> Ended:
        return oncokring("site", "check", self.path, *more, cwd=self.folder)

    def refused(self, *more: str | Path) -> str:
        """The sentence with which the program ends; it opened and ran nothing."""
        ended = self.check(*more)
        sentence = said_in_a_sentence(ended, folder=self.folder)
        assert CANARY not in ended.out + ended.err
        assert not (self.folder / "owned").exists()
        assert not (self.path / "owned").exists()
        return sentence


@pytest.fixture
def site(good: Path, tmp_path: Path) -> Site:
    shutil.copytree(good, tmp_path / "site")
    (tmp_path / "secret.csv").write_text(f"nr,leeftijd,graad,datum\n{CANARY},44,{CANARY},x\n")
    return Site(tmp_path)


def test_the_directory_is_good_before_it_is_spoilt(site: Site) -> None:
    ended = site.check("--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)[0]["rows"] == 50


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
)
TAG = "!!python/object/apply:os.system ['touch owned']"

# What no reader of YAML here may swallow, whatever the file is for.
YAML = {
    "aliases that grow": LAUGHS,
    "an anchor": "codebook: &a gbsg/1\nkey: *a\n",
    "a merge key": "a: {<<: {codebook: gbsg/1}}",
    "a tag that runs a command": f"codebook: {TAG}\n",
    "a tag on the whole file": f"--- {TAG}\n",
    "a tag of our own": "codebook: !read secret.csv\n",
    "two documents": "a: 1\n---\na: 2\n",
    "lists a hundred thousand deep": "a: " + "[" * 100_000 + "]" * 100_000,
    "maps a hundred thousand deep": "a: " + "{b: " * 100_000 + "1" + "}" * 100_000,
    "lists a hundred thousand deep, never closed": "a: " + "[" * 100_000,
    "indented lists, deep": "a:\n" + "".join(" " * n + "- \n" for n in range(1, 800)),
    "more than a megabyte": "a: " + "x" * 1_000_001,
    "one scalar of a megabyte": "x" * 999_000,
    "more values than a file may have": "\n".join(f"k{n}: {n}" for n in range(60_000)),
    "a key twice": "codebook: a/1\ncodebook: b/1\n",
    "a list as a key": "? [a, b]\n: 1\n",
    "UTF-16": "codebook: gbsg/1\nkey: nr\n".encode("utf-16"),
    "UTF-32": "codebook: gbsg/1\nkey: nr\n".encode("utf-32"),
    "UTF-7": "codebook: gbsg/1\nkey: +AG4-r é\n".encode("latin-1"),
    "half a character": b"codebook: gbsg\xc3",
    "NUL": b"codebook: gbsg/1\x00\nkey: nr\n",
    "the bell and a clear screen": "codebook: gbsg/1\n\x07\x1b[2J: x\n",
    "a number of a hundred thousand digits": "codebook: " + "9" * 100_000,
    "infinity": "codebook: 1e999\n",
    "not a number": "codebook: .nan\n",
    "nothing": "",
    "a comment": "# nothing\n",
    "one word": "codebook",
    "a list": "- codebook\n- key\n",
    "a name of Python": "__class__: {__init__: {__globals__: {os: system}}}\n",
    "a name of a hundred thousand letters": "a" * 100_000 + ": 1\n",
    "escapes of the terminal in a name": '"\\e]0;owned\\a\\e[2J": 1\n',
    "a line feed in a name": '"one\\ntwo\\n\\nthree": 1\n',
    "a name that runs from right to left": '"\\u202egnippam": 1\n',
    "braces glued to keys": "\n".join(f"a{n}:{{b:{{c:{{d:" for n in range(20_000)),
    "quotes that never close": 'codebook: "' + "x\n" * 100_000,
    "a block that never ends": "codebook: |\n" + " x\n" * 200_000,
    "percent directives": "%YAML 9.9\n%TAG ! tag:x,2000:\n---\n!x y\n",
}


@pytest.mark.parametrize("name", YAML)
def test_no_yaml_trick_in_a_mapping_does_more_than_end_in_a_sentence(site: Site, name: str) -> None:
    text = YAML[name]
    site.write("mapping.yaml", text)
    assert site.refused().startswith("mapping.yaml")


@pytest.mark.parametrize("name", YAML)
def test_no_yaml_trick_in_a_policy_does_more_than_end_in_a_sentence(site: Site, name: str) -> None:
    site.write("policy.yaml", YAML[name])
    assert site.refused().startswith("policy.yaml")


@pytest.mark.parametrize("name", YAML)
def test_no_yaml_trick_in_a_codebook_does_more_than_end_in_a_sentence(
    site: Site, name: str
) -> None:
    site.write("book.yaml", YAML[name])
    assert site.refused("--codebook", site.path / "book.yaml").startswith("book.yaml")


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
    folder = tmp_path_factory.mktemp("tables") / "site"
    folder.mkdir()
    (folder / "data.csv").write_bytes(DATA)
    init_site(
        folder,
        slug="h0",
        name="Ziekenhuis",
        network="net",
        hub_public=SigningKey.generate().public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=TABLES.replace("AGE MORE", "leeftijd").encode(),
        policy=Policy.strict().to_yaml(),
        studies={"onco": {"codebook": find_codebook("oncomin/1"), "requires": ["use.network"]}},
    )
    return folder


@pytest.fixture
def second(tables: Path, tmp_path: Path) -> Site:
    shutil.copytree(tables, tmp_path / "site")
    (tmp_path / "secret.csv").write_text(CANARY)
    return Site(tmp_path)


def test_the_second_directory_is_good_before_it_is_spoilt(second: Site) -> None:
    ended = second.check("--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)[0]["rows"] == 50


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


POLICIES = {
    "a threshold of a billion billions": ("t_cell: 10", "t_cell: 1000000000000000000"),
    "a threshold with a point": ("t_cell: 10", "t_cell: 10.5"),
    "a threshold below zero": ("t_cell: 10", "t_cell: -10"),
    "a threshold that is true": ("t_cell: 10", "t_cell: true"),
    "a threshold in words": ("t_cell: 10", "t_cell: ten"),
    "a threshold below the floor": ("t_cell: 10", "t_cell: 1"),
    "a threshold that is a list": ("t_cell: 10", "t_cell: [10]"),
    "a key of another program": ("t_cell: 10", "t_cell: 10\nnfilter.tab: 3"),
    "a misspelt key": ("t_cell: 10", "t_cel: 10"),
    "a name of Python": ("t_cell: 10", "t_cell: 10\n__class__: 3"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_spoilt_policy_ends_in_a_sentence(site: Site, name: str) -> None:
    site.replace("policy.yaml", *POLICIES[name])
    site.refused()


CODEBOOKS = {
    "a step so small that it never ends": ("step: 5", "step: 0.0000000001"),
    "a step that is not a number": ("step: 5", "step: .nan"),
    "bounds that are too large": ("max: 110", "max: 1" + "0" * 200),
    "a million levels": ('["1", "2", "3"]', "[" + ",".join(map(str, range(49_000))) + "]"),
    "a level of 10,000 letters": ('["1", "2", "3"]', f"[{'x' * 10_000}]"),
    "a level with an escape": ('["1", "2", "3"]', '["\\e[2J"]'),
    "a variable that is a name of Python": ("  age:", "  __init__:"),
    "a type that is a class": ("type: date", "type: datetime.date"),
    "an id that leaves the folder": ("gbsg/1", "../../../etc/passwd"),
    "an id with a line feed": ("gbsg/1", '"gbsg/1\\n"'),
}


@pytest.mark.parametrize("name", CODEBOOKS)
def test_a_spoilt_codebook_ends_in_a_sentence(site: Site, name: str) -> None:
    old, new = CODEBOOKS[name]
    text = CODEBOOK.decode()
    assert old in text
    site.write("book.yaml", text.replace(old, new))
    site.refused("--codebook", site.path / "book.yaml")


def test_a_kept_codebook_that_was_changed_ends_in_a_sentence(site: Site) -> None:
    (kept,) = site.path.joinpath("codebooks").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"110", b"111"))
    site.refused()


SETTINGS: dict[str, bytes] = {
    "lists a hundred thousand deep": b"slug = " + b"[" * 100_000 + b"]" * 100_000,
    "tables a hundred thousand deep": b"a = " + b"{b = " * 100_000 + b"1" + b"}" * 100_000,
    "a table with a name a hundred thousand deep": b"[" + b"a." * 100_000 + b"a]\n",
    "many names a thousand deep": b"\n".join(
        b"[" + b".".join(b"a%d" % (n * m) for m in range(100)) + b"]" for n in range(1, 900)
    ),
    "a number of a hundred thousand digits": b"slug = " + b"9" * 100_000,
    "UTF-16": 'slug = "h0"\n'.encode("utf-16"),
    "NUL": b'slug = "h\x000"\n',
    "nothing": b"",
    "a name of Python": b'__class__ = "x"\n',
    "escapes of the terminal": b'"\\u001b[2J" = 1\n',
    "a quote that never closes": b'a = "' + b'\\"' * 200_000,
    "five megabytes": b"# " + b"x" * 5_000_000 + b"\n",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_spoilt_settings_end_in_a_sentence(site: Site, name: str) -> None:
    site.write("site.toml", SETTINGS[name])
    assert "site.toml" in site.refused()


SETTING: dict[str, tuple[str, str]] = {
    "a mapping elsewhere": ('mapping = "mapping.yaml"', 'mapping = "../mapping.yaml"'),
    "a mapping with an absolute path": ('mapping = "mapping.yaml"', 'mapping = "/etc/passwd"'),
    "a kind that is a module": ('kind = "csv"', 'kind = "os.system"'),
    "an encoding that unpacks": ('kind = "csv"', 'kind = "csv"\nencoding = "zip_codec"'),
    "an encoding that is no text": ('kind = "csv"', 'kind = "csv"\nencoding = "rot13"'),
    "an encoding with a path": ('kind = "csv"', 'kind = "csv"\nencoding = "../../os"'),
    "an encoding of 10,000 letters": ('kind = "csv"', f'kind = "csv"\nencoding = "{"x" * 10_000}"'),
    "an encoding with NUL": ('kind = "csv"', 'kind = "csv"\nencoding = "utf\\u00008"'),
    "a path with NUL": ('path = "data.csv"', 'path = "data\\u0000.csv"'),
    "a path of 100,000 letters": ('path = "data.csv"', f'path = "{"x" * 100_000}"'),
    "a path that is a folder": ('path = "data.csv"', 'path = "."'),
    "a path that never ends": ('path = "data.csv"', 'path = "/dev/zero"'),
    "a study with escapes": ("[studies.onco]", '[studies."\\u001b[2J"]'),
}


@pytest.mark.parametrize("name", SETTING)
def test_a_spoilt_setting_ends_in_a_sentence(site: Site, name: str) -> None:
    site.replace("site.toml", *SETTING[name])
    site.refused()


PEERS: dict[str, bytes] = {
    "lists a hundred thousand deep": b"[" * 100_000 + b"]" * 100_000,
    "objects a hundred thousand deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of a hundred thousand digits": b'{"h0": ' + b"9" * 100_000 + b"}",
    "UTF-16": '{"h0": 1}'.encode("utf-16"),
    "not a number": b'{"h0": NaN}',
    "fifty megabytes": b" " * 50_000_000 + b"{}",
    "escapes in a name": b'{"\\u001b[2J": {}}',
}


@pytest.mark.parametrize("name", PEERS)
def test_a_spoilt_list_of_sites_ends_in_a_sentence(site: Site, name: str) -> None:
    site.write("peers.json", PEERS[name])
    assert "peers.json" in site.refused()


def _line_without_end(path: Path) -> None:
    """A gigabyte that takes no room on the disk and holds no line feed."""
    with path.open("wb") as file:
        file.write(b"nr,leeftijd,graad,datum\n")
        file.truncate(1 << 30)


CSV: dict[str, bytes | Callable[[Path], None]] = {
    "a field of ten megabytes": DATA + b"P99," + b"x" * 10_000_000 + b",1,01-02-2020\n",
    "a quote that never closes": DATA + b'P99,"40\n' + DATA * 2_000,
    "a line of a gigabyte": _line_without_end,
    "NUL": DATA + b"P9\x009,40,1,01-02-2020\n" * 3 + b"\x00" * 5_000_000,
    "a header of a hundred thousand columns": b",".join(b"c%d" % n for n in range(100_000)) + b"\n",
    "a column twice": b"nr,leeftijd,graad,graad,datum\n1,2,3,4,5\n",
    "UTF-16": DATA.decode().encode("utf-16"),
    "nothing": b"",
    "only a header": b"nr;leeftijd;graad;datum\n",
    "lines that are longer and longer": DATA + b"".join(b"," * n + b"\n" for n in range(2_000)),
    "a folder": lambda path: path.mkdir(),
    "a pipe that nobody writes to": os.mkfifo,
    "a link to a device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", CSV)
def test_spoilt_data_end_in_a_sentence(site: Site, name: str) -> None:
    file, made = site.path / "data.csv", CSV[name]
    file.unlink()
    if isinstance(made, bytes):
        file.write_bytes(made)
    else:
        made(file)
    site.refused()


NAMED = {"mapping.yaml", "policy.yaml", "site.toml", "peers.json"}


@pytest.mark.parametrize("name", sorted(NAMED))
@pytest.mark.parametrize("made", ["pipe", "device", "folder", "loop", "gigabyte"])
def test_a_file_that_is_no_file_ends_in_a_sentence(site: Site, name: str, made: str) -> None:
    file = site.path / name
    file.unlink()
    if made == "pipe":
        os.mkfifo(file)
    elif made == "device":
        file.symlink_to("/dev/zero")
    elif made == "folder":
        file.mkdir()
    elif made == "loop":
        file.symlink_to(file)
    else:
        with file.open("wb") as out:
            out.truncate(1 << 30)
    assert name in site.refused()


def _parquet(path: Path, statement: str) -> None:
    import duckdb

    with duckdb.connect() as memory:
        memory.execute(f"COPY ({statement}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


PARQUET = ('kind = "csv"\npath = "data.csv"', 'kind = "parquet"\npath = "data.parquet"')
# 100 MB of the same letter take a few kB in the file.
BOMB = (
    "SELECT 'P' || i AS nr, {} AS leeftijd, 1 AS graad, '01-02-2020' AS datum FROM range({}) t(i)"
)


@pytest.mark.parametrize(
    "statement",
    [
        BOMB.format("repeat('9', 100000000)", 1),
        BOMB.format("repeat('9', 1000000)", 200),
        BOMB.format("repeat('9', 100000)", 10_000),
    ],
)
def test_a_compressed_bomb_in_parquet_stays_small(site: Site, statement: str) -> None:
    """The reader cuts what is longer than any value; it has no meaning then, and is shown so."""
    _parquet(site.path / "data.parquet", statement)
    assert (site.path / "data.parquet").stat().st_size < 1_000_000
    site.replace("site.toml", *PARQUET)
    ended = site.check("--json")
    assert ended.code == 0, ended
    assert len(ended.out) < 100_000
    report = json.loads(ended.out)[0]
    age = next(found for found in report["variables"] if found["name"] == "age")
    assert (age["filled"], age["unmapped"]) == (0, report["rows"])


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" + b"\xff" * 5_000_000 + b"PAR1", b"PAR1\x00" * 1000]
)
def test_broken_parquet_ends_in_a_sentence(site: Site, data: bytes) -> None:
    site.write("data.parquet", data)
    site.replace("site.toml", *PARQUET)
    site.refused()


VIEWS = {
    "text of a gigabyte": "SELECT 'P1' nr, hex(zeroblob(450000000)) leeftijd, 1 graad, 'x' datum",
    "a function that reads files": "SELECT readfile('/etc/group') nr, 1 leeftijd, 1 graad, 1 datum",
    "a function that loads code": "SELECT load_extension('x') nr, 1 leeftijd, 1 graad, 1 datum",
    "a table function": "SELECT name nr, 1 leeftijd, 1 graad, 1 datum FROM pragma_database_list",
    "a column too few": "SELECT 1 nr, 2 leeftijd, 3 graad",
}


def _view(site: Site, select: str) -> None:
    import sqlite3

    database = sqlite3.connect(site.path / "data.sqlite")
    database.execute(f"CREATE VIEW t AS {select}")
    database.close()
    new = 'kind = "sqlite"\npath = "data.sqlite"\ntables = ["t"]'
    site.replace("site.toml", 'kind = "csv"\npath = "data.csv"', new)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_grows_ends_in_a_sentence(site: Site, name: str) -> None:
    _view(site, VIEWS[name])
    site.refused()


def test_a_view_of_long_texts_stays_small(site: Site) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
    _view(site, f"{rows} SELECT i nr, hex(zeroblob(450000)) leeftijd, 1 graad, 'x' datum FROM n")
    ended = site.check("--json")
    assert ended.code == 0, ended
    assert json.loads(ended.out)[0]["rows"] == 400
