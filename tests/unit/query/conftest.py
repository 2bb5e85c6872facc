"""The codebook of the query language's reference page, as it is written there."""

from __future__ import annotations

import pytest

from federation.query.codebook import Codebook, load_codebook

GBSG = b"""
codebook: gbsg/1              # name/version; a query names the one it was written for
unit: patient                 # what one row is
key: patient_id               # the site's own identifier column, never released
variables:
  age:     {type: integer,  unit: years, min: 18, max: 110, cuts: {step: 5}}
  grade:   {type: category, levels: {"1": "well", "2": "moderate", "3": "poor"}, ordered: true}
  hormone: {type: category, levels: {"no": "no hormone therapy", "yes": "hormone therapy"}}
  pgr:     {type: number, unit: fmol/mg, min: 0, max: 5000, cuts: [0, 20, 50, 100, 200, 500, 1000]}
  rfs_days:{type: duration, unit: days, min: 0, max: 10000}
  relapse: {type: boolean}
  diagnosed: {type: date, resolution: month}
"""


@pytest.fixture
def gbsg_yaml() -> bytes:
    return GBSG


@pytest.fixture(scope="session")
def gbsg() -> Codebook:
    return load_codebook(GBSG)
