from __future__ import annotations

from federation.disclosure.rows import COMMON, DISCLOSURE_ROWS
from federation.methods.registry import KINDS

# disclosure.md section 4.4
RULES = {
    *(f"G{i}" for i in range(1, 7)),
    *(f"O{i}" for i in range(1, 15)),
    *("H1-H5", "H6", "S1", "S2"),
}


def test_every_kind_of_analysis_has_a_row() -> None:
    assert set(DISCLOSURE_ROWS) == set(KINDS)


def test_rows_name_rules_that_exist_and_say_something() -> None:
    assert set(COMMON) <= RULES
    for kind, row in DISCLOSURE_ROWS.items():
        assert row.rules, kind
        assert set(row.rules) <= RULES - set(COMMON)
        assert all((row.leaves_site, row.released, row.never_released))
