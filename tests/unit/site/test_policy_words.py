"""The policy in words: every key, both languages, decisions to be looser with the days left."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from click.testing import CliRunner

from federation.disclosure.policy import Policy, read_policy
from federation.site.cli import site as commands
from federation.site.steward.policy_report import TEXTS, rule_note
from federation.site.steward.policy_words import MEANINGS, rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def looser(until="2026-12-01"):
    keys = Policy.strict().to_dict()
    keys["t_cell"] = 7
    keys["max_cells"] = 100  # stricter, which needs nobody's decision
    keys["loosened"] = {
        "t_cell": {
            "by": ["Anna de Vries", "Bert Jansen"],
            "reason": "A rare tumour",
            "decided": "2026-11-01",
            "until": until,
        }
    }
    return keys


def test_every_key_of_a_policy_has_a_meaning_in_both_languages():
    found = rules(Policy.strict(), NOW, "nl")

    assert {rule.key for rule in found} == set(MEANINGS)
    assert [rule.key for rule in found if rule.changed] == []
    for english, dutch in MEANINGS.values():
        assert english
        assert dutch
        assert english != dutch


def test_who_made_a_rule_looser_and_for_how_long():
    found = {rule.key: rule for rule in rules(read_policy(looser()), NOW, "en")}

    rule = found["t_cell"]
    assert (rule.value, rule.default, rule.days_left) == ("7", "10", 9)
    note = rule_note(rule, "en")
    for said in ("Anna de Vries & Bert Jansen", "A rare tumour.", "9 days left", "2026-12-01"):
        assert said in note
    assert rule_note(found["max_cells"], "en") == "default is 200"
    assert rule_note(found["min_sites"], "en") == ""


@pytest.mark.parametrize(("days", "said"), [(0, "9 dagen"), (9, "0 dagen"), (10, "liep af")])
def test_a_decision_that_ends(days, said):
    at = NOW + timedelta(days=days)
    (rule,) = [r for r in rules(read_policy(looser()), at, "nl") if r.loosened]

    assert said in rule_note(rule, "nl")


def test_open_data_has_no_rules():
    assert rules(Policy.open_data(), NOW, "nl") == []


def run(*arguments):
    return CliRunner().invoke(commands, [str(a) for a in arguments])


def test_the_command_shows_a_decision_that_has_ended(site):
    """The program refuses to start with it, so a person must be able to see which one it is."""
    keys = looser(until="2026-11-02")
    (site.path / "policy.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
    dutch, english = run("policy", site.path), run("policy", site.path, "--lang", "en")

    assert (dutch.exit_code, english.exit_code) == (0, 0)
    assert "het besluit liep af op 2026-11-02" in dutch.output
    assert "the decision ended on 2026-11-02" in english.output
    assert "t_cell = 7" in english.output
    assert "A number below 7 is hidden" in english.output


def test_the_command_as_json(make_site, codebook):
    onco = {"codebook": codebook, "requires": ["use.network"], "approve": "here", "kinds": []}
    found = json.loads(run("policy", make_site(studies={"onco": onco}).path, "--json").output)

    assert found["protection"] == "strict"
    assert found["loosened"] == []
    assert len(found["rules"]) == len(MEANINGS)
    (study,) = found["studies"]
    assert (study["study"], study["approve"], study["kinds"]) == ("onco", "here", [])
    assert study["variables"] == "all"


def test_what_is_agreed_for_a_study(make_site, codebook):
    onco = {"codebook": codebook, "requires": ["use.network"], "approve": "here", "kinds": []}
    said = run("policy", make_site(studies={"onco": onco}).path, "--lang", "en").output

    assert "somebody of our hospital approves each query as well" in said
    assert "analyses: –" in said
    assert "variables: all of the codebook" in said


def test_open_data_in_words(make_site):
    site = make_site(policy=Policy.open_data().to_yaml())
    assert "Nooit voor echte patiënten" in run("policy", site.path).output


def test_both_languages_say_everything():
    assert TEXTS["nl"].keys() == TEXTS["en"].keys()
