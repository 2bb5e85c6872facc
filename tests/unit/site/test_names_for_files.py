"""`site init` takes a shipped mapping and the built-in codebook by name, and any kind of source."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from federation.protocol.keys import SigningKey
from federation.site.cli import site
from federation.site.data.shipped import mapping_bytes, mapping_names, shipped_mapping
from federation.site.directory import SiteDirectory


def init(folder: Path, *options: str) -> Result:
    hub = SigningKey.generate().public
    names = ["--slug", "h0", "--name", "Nul", "--network", "n", "--hub", hub, "--study", "onco"]
    return CliRunner().invoke(
        site, ["init", str(folder), *names, "--requires", "use.network", *options]
    )


def test_a_shipped_mapping_and_the_built_in_codebook_are_named(tmp_path: Path) -> None:
    done = init(
        tmp_path / "site",
        *("--mapping", "nkr-breast", "--codebook", "oncomin/1", "--data", "nkr.csv"),
    )

    assert done.exit_code == 0, done.output
    directory = SiteDirectory.load(tmp_path / "site")
    assert directory.settings.studies["onco"].codebook == "oncomin/1"
    assert directory.mappings["mapping.yaml"].source.delimiter == ";"


def test_a_database_is_named_by_the_file_of_its_address(tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "version: 2\ncodebook: oncomin/1\ntables:\n"
        "  patient: {from: people, key: nr}\n  tumour: {from: tumours, key: t, parent: nr}\n"
    )
    done = init(
        tmp_path / "site",
        *("--kind", "postgresql", "--dsn-file", str(tmp_path / "dsn"), "--table", "people"),
        *("--table", "tumours", "--mapping", str(mapping), "--codebook", "oncomin/1"),
    )

    assert done.exit_code == 0, done.output
    source = SiteDirectory.load(tmp_path / "site").mappings["mapping.yaml"].source
    assert (source.kind, source.names) == ("postgresql", ("people", "tumours"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mapping", "nkr-brest", "--codebook", "oncomin/1", "--data", "x"), "nkr-breast"),
        (("--mapping", "nkr-breast", "--codebook", "oncomin/2", "--data", "x"), "oncomin/1"),
        (("--mapping", "nkr-breast", "--codebook", "oncomin/1"), "source.path is missing"),
        (
            ("--mapping", "nkr-breast", "--codebook", "oncomin/1", "--kind", "postgresql"),
            "name each with --table",
        ),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = init(tmp_path / "site", *options)

    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_file_goes_before_a_shipped_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mapping_names() == ("gbsg-dates", "gbsg-days", "nkr-breast")
    assert shipped_mapping(Path("nkr-breast")) == mapping_bytes(Path("nkr-breast"))
    (tmp_path / "nkr-breast").write_text("mine")
    assert mapping_bytes(Path("nkr-breast")) == b"mine"
    assert shipped_mapping(Path("../codebooks/oncomin-1")) is None
