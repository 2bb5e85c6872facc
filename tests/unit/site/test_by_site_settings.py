"""What a hospital agreed to for its own results: in site.toml, beside the policy and the form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from federation.disclosure.policy import Policy
from federation.protocol.keys import BoxKey
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-1", site_level_output=True)
KEY = BoxKey.generate().public


def study(codebook: Any, **agreed: str) -> dict[str, Any]:
    return {"onco": {"codebook": codebook, "requires": ["use.network"], **agreed}}


def test_by_default_nothing_of_one_hospital_leaves(site: SiteDirectory) -> None:
    here = site.settings.studies["onco"]
    assert (here.by_site, here.result_key) == ("none", "")
    assert "by_site" not in (site.path / "site.toml").read_text()


@pytest.mark.parametrize(
    "agreed", [{"by_site": "hub"}, {"by_site": "sealed", "result_key": KEY}], ids=("hub", "sealed")
)
def test_what_was_agreed_reads_back(make_site: Any, codebook: Any, agreed: dict[str, str]) -> None:
    made = make_site(policy=WITH_FORM.to_yaml(), studies=study(codebook, **agreed))
    here = SiteDirectory.load(made.path).settings.studies["onco"]
    assert (here.by_site, here.result_key) == (agreed["by_site"], agreed.get("result_key", ""))


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        ({"by_site": "all"}, "by_site must be 'none', 'sealed' or 'hub'"),
        ({"by_site": "sealed"}, "result_key is the study's public key"),
        ({"by_site": "hub", "result_key": KEY}, "only then"),
        ({"result_key": KEY}, "only then"),
        ({"by_site": "sealed", "result_key": "short"}, "oncokring result key"),
        ({"by_site": "sealed", "result_key": "A" * 43}, "oncokring result key"),
    ],
    ids=("other", "sealed without key", "hub with key", "key alone", "short key", "no point"),
)
def test_a_wrong_agreement_stops_the_start(
    make_site: Any, codebook: Any, agreed: dict[str, str], said: str
) -> None:
    made = make_site(policy=WITH_FORM.to_yaml())
    file = made.path / "site.toml"
    file.write_text(file.read_text() + "".join(f'{k} = "{v}"\n' for k, v in agreed.items()))
    with pytest.raises(SetupError) as caught:
        SiteDirectory.load(made.path)
    assert said in caught.value.sentence
    assert "studies.onco" in caught.value.sentence


def test_without_the_boards_form_the_agreement_stops_the_start(
    make_site: Any, codebook: Any
) -> None:
    with pytest.raises(SetupError, match="needs site_level_output and the board's form"):
        make_site(studies=study(codebook, by_site="hub"))
