"""The DUO label of a study: from what it requires, and always the strictest for the rest."""

from typing import Any

import pytest

from consent.duo import TERMS, label
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.odrl import policy

BASE = {"DS", "IRB", "NMDS", "NPOA", "NCU", "GS"}


def shorts(*requires: str) -> set[str]:
    return {term.short for term in label(requires).terms}


@pytest.mark.parametrize(
    ("requires", "terms"),
    [
        (("use.record",), BASE),
        (("use.network",), BASE | {"PS", "IS"}),
        (("use.network", "study.join"), BASE | {"PS", "IS"}),
        (("use.ai",), BASE - {"NMDS"}),
        (("use.otherhealth",), (BASE - {"DS"}) | {"HMB"}),
        (("use.record", "share.company"), BASE - {"NCU"}),
        (("use.record", "share.outside_eea"), BASE - {"GS"}),
        # Inherited DNA is used, but still not to study where families come from.
        (("dna.inherited",), {"NPOA", "NMDS", "NCU", "GS"}),
        (("bio.store",), BASE),
        (("design.twics",), BASE | {"RS"}),
    ],
)
def test_the_table_of_items(requires: tuple[str, ...], terms: set[str]) -> None:
    found = shorts(*requires)
    assert terms <= found | {"DS", "IRB"}
    assert found - {"DS", "IRB"} == terms - {"DS", "IRB"}


def test_values_and_what_has_no_term() -> None:
    made = label(["use.network", "link.nkr", "use.past"])
    values = {term.short: term.value for term in made.terms}
    assert (values["DS"], values["GS"]) == ("MONDO:0004992", "EEA")
    assert made.local == ("link.nkr", "use.past")


def test_requiring_more_never_takes_a_restriction_away_that_was_not_granted() -> None:
    for item in ITEMS.values():
        if item.regime != "consent":
            continue
        for term in ("NCU", "GS", "NMDS"):
            lifted = term not in shorts("use.record", item.code)
            assert lifted is (TERMS_BY_SHORT[term] in item.duo_refused)


TERMS_BY_SHORT = {term.short: term.code for term in TERMS.values()}


def test_every_term_of_the_catalogue_is_known_and_none_is_obsolete() -> None:
    used = {
        code
        for item in ITEMS.values()
        for code in (*item.duo_granted, *item.duo_refused, *item.duo_replaces)
    }
    assert used <= set(TERMS)
    assert "DUO:0000005" not in used


def test_no_requirement_is_an_error() -> None:
    for wrong, code in (([], "requirement_set_empty"), (["nothing"], "unknown_item")):
        with pytest.raises(ConsentError) as refused:
            label(wrong)
        assert refused.value.code == code


def test_a_policy_permits_what_is_required_and_prohibits_all_else() -> None:
    """Also where DUO has no term: messages, findings, linking, computers that learn, own DNA."""
    made = policy("trial", "net", ["use.network", "link.nkr"], "https://hub.example")

    def codes(rules: list[dict[str, Any]]) -> set[str]:
        return {rule["constraint"][0]["rightOperand"]["@id"].partition("#")[2] for rule in rules}

    asked = {item.code for item in ITEMS.values() if item.regime == "consent"}
    assert codes(made["permission"]) == {"use.record", "use.network", "link.nkr"}
    assert codes(made["prohibition"]) == asked - codes(made["permission"])
    assert {"contact.newstudy", "finding.return", "use.ai", "dna.inherited"} <= codes(
        made["prohibition"]
    )
    for rule in made["permission"]:
        assert rule["duty"] == [{"action": "obtainConsent", "consentingParty": "dpv:Patient"}]
    assert all("duty" not in rule for rule in made["prohibition"])
    assert made["conflict"] == "prohibit"
    uids = [rule["uid"] for rule in (*made["permission"], *made["prohibition"])]
    assert len(set(uids)) == len(uids)
    for wrong, code in (([], "requirement_set_empty"), (["use.all"], "unknown_item")):
        with pytest.raises(ConsentError, match=code):
            policy("trial", "net", wrong, "https://hub.example")
