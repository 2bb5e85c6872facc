"""The codebook that the tables of this folder are written for."""

from __future__ import annotations

import pytest

from federation.query.codebook import Codebook, load_codebook

CODEBOOK = b"""
codebook: gbsg/1
variables:
  age:      {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
  nodes:    {type: integer, min: 0, max: 30}
  grade:    {type: category, levels: {"1": well, "2": moderate, "3": poor}, ordered: true}
  hormone:  {type: category, levels: {"no": no hormone therapy, "yes": hormone therapy}}
  pgr:      {type: number, unit: fmol/mg, min: 0, max: 5000, cuts: [0, 20, 50, 100]}
  rfs_days: {type: duration, unit: days, min: 0, max: 10000}
  relapse:  {type: boolean}
  diagnosed: {type: date, resolution: month}
  born:     {type: date, resolution: year}
"""


@pytest.fixture(scope="session")
def codebook() -> Codebook:
    return load_codebook(CODEBOOK)
