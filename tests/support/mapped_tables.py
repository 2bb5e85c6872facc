"""Small files and a mapping of version 2; what comes out is the table of a unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from federation.query.codebook import Codebook, load_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import DataStore, Table
from federation.site.data.mapping import read_mapping

HANDLES = HandleMaker(b"k" * 32, "net", "s")
BOOK = load_codebook(
    b"""
codebook: u/1
units: {patient: null, tumour: patient, treatment: tumour}
variables:
  sex:       {type: category, levels: [m, f]}
  tumours:   {type: integer, min: 0, max: 20}
  first:     {type: category, levels: [I, II]}
  stage:     {type: category, levels: [I, II], per: tumour}
  year:      {type: integer, min: 1990, max: 2029, per: tumour}
  edition:   {type: category, levels: ["6", "7", "8"], per: tumour}
  place:     {type: category, levels: [C50.1, C50.4], per: tumour}
  age:       {type: integer, min: 0, max: 120, per: tumour}
  wait:      {type: duration, min: 0, max: 900, per: tumour}
  operated:  {type: boolean, per: tumour}
  kind:      {type: category, levels: [chemo, surgery], per: treatment}
  dose:      {type: number, min: 0, max: 100, per: treatment}
"""
)

Given = Callable[..., Callable[[str], Table]]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Files and a mapping; what comes out is the table of a unit."""

    def make(
        mapping: str, files: Mapping[str, str], book: Codebook = BOOK, **source: object
    ) -> Callable[[str], Table]:
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        one = len(files) == 1
        where: dict[str, object] = (
            {"path": f"{next(iter(files))}.csv"}
            if one
            else {"files": {name: f"{name}.csv" for name in files}}
        )
        mapped = read_mapping(
            mapping.encode(), {"kind": "csv", **where, **source}, tmp_path, "mapping.yaml"
        )
        store = DataStore(mapped, HANDLES)
        return lambda unit: store.table(book.at(unit))

    return make


def shown(table: Table, name: str) -> list[object]:
    """The values of a column: codes as labels, None for missing."""
    variable = table.codebook.variables[name]
    if table.columns[name].dtype == np.int16:
        labels = variable.group_labels or ()
        return [None if code < 0 else labels[code] for code in table.columns[name].tolist()]
    return [None if np.isnan(v) else v for v in table.columns[name].tolist()]


def owners(table: Table) -> list[bytes]:
    return [table.handles[i : i + 1].tobytes() for i in range(table.n)]


FLAT = """pid,eid,gesl,incjr,leeft,st,topo,sub,ch,su
p2,t3,2,2012,50,ii,C50,C504,1,0
p1,t1,1,2018,60,i,C50,C501,1,1
p2,t2,2,2005,43,I,C50,C501,0,1
p3,t4,9,xx,43,iv,C50,C50,0,9
"""
FLAT_MAPPING = """
version: 2
codebook: u/1
tables:
  patient:
    key: pid
    sex: {column: gesl, map: {1: m, 2: f}}
    tumours: {count_of: tumour}
    first: {first_of: tumour.stage, by: diagnosed}
    let: {born: {expr: incjr - leeft}}
  tumour:
    key: eid
    stage: {column: st, map: {i: I}, otherwise: upper}
    year: {expr: year(diagnosed)}
    edition: {by_year: diagnosed, rules: {-2009: 6, 2010-2016: 7, 2017-: 8}}
    place: {expr: "topo + '.' + sub[3:4]"}
    age: {expr: year(diagnosed) - patient.born}
    operated: {expr: operations > 0}
    let:
      diagnosed: {column: incjr, format: "%Y"}
      operations: {count_of: treatment, when: "kind == 'surgery'"}
  treatment:
    explode: {chemo: ch, surgery: su}
    when: value == 1
    kind: {expr: label}
"""
