"""Files from somebody who wishes the hospital ill, or from a tired colleague.

Whatever stands in a mapping, policy, codebook, settings or data file: the program ends within two
seconds and 256 MB, in a sentence and an exit code. It never runs what stands there, never opens
what it names elsewhere, and never writes a path or a line of a file on the screen.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from limited import oncokring
from spoilt import CODEBOOK, MAPPING, Site, good, rows_of, site

__all__ = ["good", "site"]


def test_the_directory_is_good_before_it_is_spoilt(site: Site) -> None:
    assert rows_of(site.check("--json")) == 50


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
    "a looser value without a decision": ("t_cell: 10", "t_cell: 7"),
    "a decision that is a word": ("t_cell: 10", "t_cell: 7\nloosened: yes"),
    "a decision of ten thousand persons": (
        "t_cell: 10",
        "t_cell: 7\nloosened: {t_cell: {by: [" + ", ".join(["a"] * 10_000) + "]}}",
    ),
    "a decision about ten thousand keys": (
        "t_cell: 10",
        "t_cell: 10\nloosened: {" + ", ".join(f"k{n}: 1" for n in range(5_000)) + "}",
    ),
    "a decision with escapes": (
        "t_cell: 10",
        't_cell: 7\nloosened: {t_cell: {by: ["A\\e[2J", B b], reason: why, '
        "decided: 2026-11-01, until: 2026-12-01}}",
    ),
    "a decision for ever": (
        "t_cell: 10",
        "t_cell: 7\nloosened: {t_cell: {by: [A a, B b], reason: why, decided: 2026-11-01, "
        "until: 9999-12-31}}",
    ),
    "a decision of the year nought": (
        "t_cell: 10",
        "t_cell: 7\nloosened: {t_cell: {by: [A a, B b], reason: why, decided: 0000-00-00, "
        "until: 0000-00-00}}",
    ),
    "a decision on the last day there is": (
        "t_cell: 10",
        "t_cell: 7\nloosened: {t_cell: {by: [A a, B b], reason: why, decided: 2999-12-31, "
        "until: 2999-12-31}}",
    ),
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
    "coverage in a word that is not there": (
        "[studies.onco]\n",
        '[studies.onco]\ncoverage = "all"\n',
    ),
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


NAMED = {"mapping.yaml", "policy.yaml", "site.toml", "peers.json"}


def not_a_file(file: Path, made: str) -> None:
    """Put there what no program should try to read to its end."""
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


@pytest.mark.parametrize("name", sorted(NAMED))
@pytest.mark.parametrize("made", ["pipe", "device", "folder", "loop", "gigabyte"])
def test_a_file_that_is_no_file_ends_in_a_sentence(site: Site, name: str, made: str) -> None:
    file = site.path / name
    file.unlink()
    not_a_file(file, made)
    assert name in site.refused()


@pytest.mark.parametrize("made", ["pipe", "device", "folder", "loop", "gigabyte"])
@pytest.mark.parametrize("what", ["--codebook", "--mapping", "--policy", "pin"])
def test_a_file_that_a_person_names_is_read_as_carefully(site: Site, what: str, made: str) -> None:
    named = site.folder / "named.yaml"
    not_a_file(named, made)
    if what == "pin":
        ended = oncokring("site", "pin", site.path, named, cwd=site.folder)
    elif what == "--codebook":
        ended = site.check("--codebook", named)
    else:
        (site.folder / "map.yaml").write_bytes(MAPPING)
        (site.folder / "book.yaml").write_bytes(CODEBOOK)
        files = {"--codebook": "book.yaml", "--mapping": "map.yaml", what: "named.yaml"}
        words = ["--slug", "h0", "--name", "H", "--network", "n", "--hub", "x" * 43]
        words += ["--data", "data.csv", "--study", "s", "--requires", "use.network"]
        for option, file in files.items():
            words += [option, file]
        ended = oncokring("site", "init", "new", *words, cwd=site.folder)
    assert ended.code in (1, 2), ended
    assert "Traceback" not in ended.err
    assert str(site.folder) not in ended.err.replace(str(named), "")
