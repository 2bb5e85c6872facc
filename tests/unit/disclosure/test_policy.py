from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from policies import loosened_entries

from federation.disclosure.policy import (
    FLOOR,
    FLOOR_REST,
    Policy,
    PolicyError,
    load_policy,
    read_policy,
)
from federation.query.terms import Terms, first_looser

# disclosure.md section 4.3, as it stands there
REFERENCE = b"""
policy_version: 1
t_cell: 10                # floor 5.  pooled cell, and site cell if site-level output is allowed
t_cohort_site: 10         # floor 5.
t_complement: 10          # floor 5.
min_sites: 3              # floor 3.  signed roster
min_effective_sites: 2.0  # floor 1.5 (or institution_disclosure).
zero_is_small: true       # floor true for sensitive variables
group_share_max: 0.90     # floor 0.95 for variables flagged sensitive
dominance: {top1: 0.50, top2: 0.67}   # floors .60/.80
max_dims: 3               # floor 4   cross-tab dimensions
max_cells: 200            # floor 500
max_filter_terms: 6       # floor 8
age_grid_years: 5         # floor 1
date_grid: month          # floor month
time_grid_days: 30        # floor 30 (KM/Cox grid)
km: {min_removed: 10, min_events: 5, min_at_risk_end: 10, s_decimals: 3}   # floors 5/3/5/3
quantile: {min_each_side: 10, min_in_grid_bin: 10}      # floors 5/5
hist: {min_bin: 10, max_bins: 20, tails: open}          # floors 5/40
model: {n_per_param: 10, epv: 10, min_resid_df: 10, min_dummy_level: 10, min_dummy_pair: 10,
        max_leverage: 0.5}
iter: {max_rounds: 25, max_abs_eta: 15, min_ess: 10, min_rel_info: 0.01, user_start: false,
       user_offset: false}
diff: {t_diff: 10, closure: true, replay_days: 90, scope: all_users_all_studies}
budget: {new_sets_per_researcher_30d: 200, rank_max_share_of_n: 0.2}
consent_max_age_min: 15   # floor 60
institution_disclosure: false   # true only with a board-signed form id
site_level_output: false        # true only with institution_disclosure
numeric: {coef_sig: 6, sums_sig: 6, loglik_decimals: 3}
timing_bucket_s: 5
max_response_bytes: 262144
"""
DEFAULT: dict[str, Any] = Policy.strict().to_dict()

# key -> (the floor itself, one step looser), from the same section
FLOORS: dict[str, tuple[Any, Any]] = {
    "t_cell": (5, 4),
    "t_cohort_site": (5, 4),
    "t_complement": (5, 4),
    "min_sites": (3, 2),
    "min_effective_sites": (1.5, 1.4),
    "zero_is_small": (True, False),
    "group_share_max": (0.95, 0.96),
    "dominance.top1": (0.60, 0.61),
    "dominance.top2": (0.80, 0.81),
    "max_dims": (4, 5),
    "max_cells": (500, 501),
    "max_filter_terms": (8, 9),
    "age_grid_years": (1, 0),
    "date_grid": ("month", "day"),
    "time_grid_days": (30, 29),
    "km.min_removed": (5, 4),
    "km.min_events": (3, 2),
    "km.min_at_risk_end": (5, 4),
    "km.s_decimals": (3, 4),
    "quantile.min_each_side": (5, 4),
    "quantile.min_in_grid_bin": (5, 4),
    "hist.min_bin": (5, 4),
    "hist.max_bins": (40, 41),
    "hist.tails": ("open", "closed"),
    "model.n_per_param": (5, 4),
    "model.epv": (5, 4),
    "model.min_resid_df": (10, 9),
    "model.min_dummy_level": (5, 4),
    "model.min_dummy_pair": (5, 4),
    "model.max_leverage": (0.7, 0.71),
    "iter.max_rounds": (25, 26),
    "iter.max_abs_eta": (15, 15.1),
    "iter.min_ess": (10, 9.9),
    "iter.min_rel_info": (0.01, 0.009),
    "iter.user_start": (False, True),
    "iter.user_offset": (False, True),
    "diff.t_diff": (5, 4),
    "diff.closure": (True, False),
    "diff.replay_days": (30, 29),
    "diff.scope": ("all_users_all_studies", "none"),
    "budget.new_sets_per_researcher_30d": (1000, 1001),
    "budget.rank_max_share_of_n": (0.4, 0.41),
    "consent_max_age_min": (60, 61),
    "numeric.coef_sig": (6, 7),
    "numeric.sums_sig": (6, 7),
    "numeric.loglik_decimals": (3, 4),
    "timing_bucket_s": (5, 4),
    "max_response_bytes": (262144, 262145),
}
WITH_DECISIONS = loosened_entries(*FLOORS)
OTHER_KEYS = {"policy_version", "institution_disclosure", "site_level_output"}


def with_value(path: str, value: Any) -> dict[str, Any]:
    outer, _, inner = path.partition(".")
    if inner:
        return {**DEFAULT, outer: {**DEFAULT[outer], inner: value}}
    return {**DEFAULT, outer: value}


def with_decision(obj: dict[str, Any]) -> dict[str, Any]:
    """The same file with a decision for each key that is looser than its default."""
    try:
        read_policy(obj)
    except PolicyError as error:
        if error.key in WITH_DECISIONS and "names no decision" in error.message:
            entries = {**obj.get("loosened", {}), error.key: WITH_DECISIONS[error.key]}
            return with_decision({**obj, "loosened": entries})
    return obj


def leaves(obj: dict[str, Any], where: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in obj.items():
        path = f"{where}{key}"
        found |= leaves(value, f"{path}.") if isinstance(value, dict) else {path}
    return found


def test_the_reference_file_is_the_default() -> None:
    assert load_policy(REFERENCE) == Policy.strict()
    assert Policy.strict().terms() == Terms.strict()


@pytest.mark.parametrize("policy", [Policy.strict(), Policy.open_data()], ids=["strict", "open"])
def test_a_policy_is_written_as_it_is_read(policy: Policy) -> None:
    again = load_policy(policy.to_yaml().encode())
    assert again == policy
    assert again.sha256 == policy.sha256


def test_the_open_data_file_has_two_keys() -> None:
    policy = load_policy(b"policy_version: 1\nopen_data: true\n")
    assert policy == Policy.open_data()
    assert policy.terms() == Terms.open_data()
    assert policy.site_level_output
    assert policy.sha256 != Policy.strict().sha256


def test_every_key_has_a_floor_here() -> None:
    assert leaves(DEFAULT) == set(FLOORS) | OTHER_KEYS


@pytest.mark.parametrize("path", sorted(FLOORS))
def test_the_floor_itself_is_allowed_and_less_is_not(path: str) -> None:
    floor, looser = FLOORS[path]
    assert read_policy(with_decision(with_value(path, floor)))
    with pytest.raises(PolicyError) as caught:
        read_policy(with_value(path, looser))
    assert path in caught.value.message
    assert caught.value.key == path
    assert caught.value.message.endswith(".") or "one of" in caught.value.message


@pytest.mark.parametrize("key", sorted(DEFAULT))
def test_a_missing_key_is_named(key: str) -> None:
    rest = {k: v for k, v in DEFAULT.items() if k != key}
    with pytest.raises(PolicyError, match=f"'{key}'") as caught:
        read_policy(rest)
    assert caught.value.key == key


@pytest.mark.parametrize("path", sorted(p for p in FLOORS if "." in p))
def test_a_missing_inner_key_is_named(path: str) -> None:
    outer, _, inner = path.partition(".")
    rest = {k: v for k, v in DEFAULT[outer].items() if k != inner}
    with pytest.raises(PolicyError, match=f"'{path}'"):
        read_policy({**DEFAULT, outer: rest})


@pytest.mark.parametrize("path", sorted(FLOORS))
@pytest.mark.parametrize("wrong", ["ten", None, [], {}, float("nan"), -1, "yes"], ids=str)
def test_a_malformed_value_is_named(path: str, wrong: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(with_value(path, wrong))
    assert path in caught.value.message


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        (REFERENCE.replace(b"t_cell:", b"t_cel:"), "t_cel", "Did you mean 't_cell'"),
        (REFERENCE + b"extra: 1\n", "extra", "does not exist"),
        (REFERENCE + b"t_cell: 20\n", "", "twice"),
        (REFERENCE.replace(b"min_events", b"min_event"), "km.min_event", "Did you mean"),
        (REFERENCE.replace(b"policy_version: 1", b"policy_version: 2"), "policy_version", "be 1"),
        (
            REFERENCE.replace(b"policy_version: 1", b"policy_version: true"),
            "policy_version",
            "be 1",
        ),
        (b"t_cell: 10", "policy_version", "first line"),
        (b"open_data: true", "policy_version", "first line"),
        (b"policy_version: 1\nopen_data: false", "open_data", "may only be true"),
        (b"policy_version: 1\nopen_data: yes", "open_data", "may only be true"),
        (b"policy_version: 1\nopen_data: true\nt_cell: 10", "t_cell", "Remove 't_cell'"),
        (REFERENCE + b"open_data: true\n", "t_cell", "only"),
        (b"[1, 2]", "", "one key and value per line"),
        (b"", "", "empty"),
        (b"a: &a [1]\nb: *a", "", "anchors"),
        (b"!!python/object:x {}", "", "tags"),
        (b"[" * 6 + b"]" * 6, "", "nested"),
        (b"x: " + b"y" * 70_000, "", "larger"),
        (REFERENCE.decode().encode("utf-16"), "", "UTF-8"),
        (b"\x00", "", "cannot be read"),
    ],
    ids=lambda each: str(each)[:24],
)
def test_a_wrong_file_ends_in_a_sentence(data: bytes, key: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        load_policy(data)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("form", "by_site", "said"),
    [
        (True, False, "institution_disclosure"),
        ("", False, "institution_disclosure"),
        ("  ", False, "institution_disclosure"),
        ("a\nb", False, "institution_disclosure"),
        ("x" * 101, False, "institution_disclosure"),
        (None, False, "institution_disclosure"),
        (False, True, "may only be true when"),
        (False, "no", "must be true or false"),
    ],
)
def test_output_by_site_needs_the_boards_form(form: Any, by_site: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        read_policy({**DEFAULT, "institution_disclosure": form, "site_level_output": by_site})


def test_with_the_boards_form() -> None:
    signed = {**DEFAULT, "institution_disclosure": "RvB-2024-17", "site_level_output": True}
    policy = read_policy(signed)
    assert policy.site_level_output
    assert policy.institution_disclosure == "RvB-2024-17"
    assert load_policy(policy.to_yaml().encode()) == policy
    loosest = with_decision({**signed, "min_effective_sites": 1.0})
    assert read_policy(loosest).min_effective_sites == 1.0
    with pytest.raises(PolicyError, match="min_effective_sites"):
        read_policy({**signed, "min_effective_sites": 0.9})


@pytest.mark.parametrize(
    "path", sorted(p for p in FLOORS if not isinstance(FLOORS[p][0], bool | str))
)
@settings(max_examples=15)
@given(factor=st.floats(0.2, 5.0))
def test_stricter_is_allowed_and_stays_stricter(path: str, factor: float) -> None:
    """Whatever a site chooses is refused, or no looser than the floor in any key."""
    outer, _, inner = path.partition(".")
    old = DEFAULT[outer][inner] if inner else DEFAULT[outer]
    new = round(old * factor) if isinstance(old, int) else old * factor
    try:
        policy = read_policy(with_decision(with_value(path, new)))
    except PolicyError as error:
        refused: PolicyError | None = error
    else:
        refused = None
        assert first_looser(policy.terms(), FLOOR) is None
        assert policy.terms().at_least_as_strict_as(FLOOR)
        tightened = first_looser(Terms.strict(), policy.terms()) == path
        loosened = first_looser(policy.terms(), Terms.strict()) == path
        assert not (tightened and loosened)
    assert refused is None or refused.key == path


def test_floors_are_no_stricter_than_the_default() -> None:
    assert Terms.strict().at_least_as_strict_as(FLOOR)
    for spec in fields(FLOOR_REST):
        mine, bound = getattr(Policy.strict(), spec.name), getattr(FLOOR_REST, spec.name)
        if is_dataclass(mine):
            assert first_looser(mine, bound) is None
        else:
            assert spec.metadata["stricter"](mine, bound) == mine


def test_yaml_of_the_policy_is_plain() -> None:
    assert yaml.safe_load(Policy.strict().to_yaml()) == DEFAULT
