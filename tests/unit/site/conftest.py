"""One hospital's directory with real keys and a small file of data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook, load_codebook
from federation.site.directory import SiteDirectory, init_site

CODEBOOK = b"""
codebook: gbsg/1
variables:
  age:     {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
  grade:   {type: category, levels: ["1", "2", "3"]}
  hormone: {type: boolean}
  rfs:     {type: duration, min: 0, max: 10000}
"""
MAPPING = b"""
codebook: gbsg/1
key: nr
variables:
  age: {column: leeftijd}
  grade: {column: graad}
  hormone: {column: hormoon, map: {ja: true, nee: false}}
"""
DATA = "nr,leeftijd,graad,hormoon\n" + "".join(
    f"P{n},{30 + n},{1 + n % 3},{'ja' if n % 2 else 'nee'}\n" for n in range(40)
)


@pytest.fixture
def codebook() -> Codebook:
    return load_codebook(CODEBOOK)


Make = Callable[..., SiteDirectory]


@pytest.fixture
def make_site(tmp_path: Path, codebook: Codebook) -> Make:
    """Make a site's directory; anything given replaces the default."""

    def make(**more: Any) -> SiteDirectory:
        path = more.pop("path", tmp_path / "site")
        path.mkdir(exist_ok=True)
        (path / "data.csv").write_text(more.pop("data", DATA))
        given: dict[str, Any] = {
            "slug": "h0",
            "name": "Ziekenhuis 'Nul'",
            "network": "net",
            "hub_public": SigningKey.generate().public,
            "source": {"kind": "csv", "path": "data.csv"},
            "mapping": MAPPING,
            "policy": Policy.strict().to_yaml(),
            "studies": {"onco": {"codebook": codebook, "requires": ["use.network"]}},
        }
        return init_site(path, **{**given, **more})

    return make


@pytest.fixture
def site(make_site: Make) -> SiteDirectory:
    return make_site()
