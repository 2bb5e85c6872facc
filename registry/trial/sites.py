"""Turning local files into sites of a trial network, with the user's mapping or by column name."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.query.yaml_data import YamlError, load_yaml
from federation.site.directory import MAPPING_FILE, SiteDirectory
from registry.trial.files import SiteFile, TidyFile, WrongUse, read_columns, separator_of, tidy
from registry.trial.network import TrialNetwork

DATA_FILE = "data.csv"


def check_sites(asked: Sequence[Query], files: Sequence[SiteFile]) -> None:
    """WrongUse when a question names a site that has no file."""
    known = [file.slug for file in files]
    for query in asked:
        for site in () if query.sites == "all" else query.sites:
            if site not in known:
                raise WrongUse(
                    f"A query asks site '{site}', but the files give: {', '.join(known)}."
                )


def add_sites(
    network: TrialNetwork,
    files: Sequence[SiteFile],
    asked: Sequence[Query],
    mapping: bytes | None,
    note: Callable[[str], None],
) -> None:
    """Make one site per file. ``note`` gets what the user should know, as sentences.

    WrongUse names column and file when a site lacks a column that one of its questions needs.
    """
    if mapping is None:
        _check_units(network.codebook, asked)
    numbered = []
    for file in files:
        needed = _needed(file, asked)
        if mapping is not None:
            site = network.add_site(file.slug, _source(file, mapping), mapping)
            _check_columns(file, site, network.codebook, needed)
            continue
        target = network.folder(file.slug) / DATA_FILE
        tidied = tidy(file, network.codebook.at(network.codebook.unit), needed, target)
        if not tidied.variables:
            raise WrongUse(f"{file.path.name} has no column of codebook {network.codebook.id}.")
        network.add_site(
            file.slug,
            {"kind": "csv", "path": DATA_FILE, "null": [""]},
            _mapping_by_name(network.codebook, tidied),
        )
        if tidied.numbered:
            numbered.append(file.path.name)
    if numbered:
        note(
            f"No column '{network.codebook.key}' in {', '.join(numbered)}: "
            "the number of the row serves as the patient's key."
        )


def _check_units(codebook: Codebook, asked: Sequence[Query]) -> None:
    for query in asked:
        if query.unit != codebook.unit:
            raise WrongUse(
                f"A query is about rows that are a {query.unit}; without a mapping each row of a "
                f"file is a {codebook.unit}. Give a mapping with --mapping."
            )


def _needed(file: SiteFile, asked: Sequence[Query]) -> set[str]:
    """The variables of all questions that go to this file's site."""
    return {
        name
        for query in asked
        if query.sites == "all" or file.slug in query.sites
        for name in query.variables()
    }


def _mapping_by_name(codebook: Codebook, tidied: TidyFile) -> bytes:
    variables: dict[str, dict[str, Any]] = {name: {"column": name} for name in tidied.variables}
    made = {"codebook": codebook.id, "key": codebook.key, "variables": variables}
    return json.dumps(made).encode()


def _source(file: SiteFile, mapping: bytes) -> dict[str, Any]:
    """The site's source: the file where it lies, with its separator unless the mapping says it."""
    source: dict[str, Any] = {"kind": file.kind, "path": str(file.path.resolve())}
    if file.kind == "csv":
        try:
            given = load_yaml(mapping)
        except YamlError as error:
            raise WrongUse(f"{MAPPING_FILE}: {error}") from error
        options = given.get("source") if isinstance(given, dict) else None
        if not isinstance(options, dict) or "delimiter" not in options:
            source["delimiter"] = separator_of(file)
    return source


def _check_columns(
    file: SiteFile, site: SiteDirectory, codebook: Codebook, needed: Collection[str]
) -> None:
    mapped = site.mappings[MAPPING_FILE]
    delimiter = mapped.source.delimiter if file.kind == "csv" else None
    present = read_columns(file, delimiter, mapped.source.encoding)
    if mapped.tables:
        tables = mapped.plan(codebook).tables.values()
        for name in sorted(set(needed).difference(*(table.variables for table in tables))):
            raise WrongUse(f"The mapping has no variable '{name}', which a query needs; add it.")
        for column in sorted({c for table in tables for c in table.columns()[""]} - set(present)):
            raise WrongUse(
                f"{file.path.name} has no column '{column}', which the mapping reads; correct "
                "the mapping or the file."
            )
        return
    for name in sorted(needed):
        if name not in mapped.variables:
            raise WrongUse(f"The mapping has no variable '{name}', which a query needs; add it.")
        for column in mapped.variables[name].columns:
            if column not in present:
                raise WrongUse(
                    f"{file.path.name} has no column '{column}', from which the mapping makes "
                    f"'{name}'; correct the mapping or the file."
                )
    if mapped.key is not None and mapped.key not in present:
        raise WrongUse(f"{file.path.name} has no column '{mapped.key}', the mapping's key.")
