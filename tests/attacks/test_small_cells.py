"""Attacks 1 to 6: small cells, noughts, margins, percentages (disclosure.md section 6)."""

import numpy as np
from net10 import NONE, ONE, leaf
from scipy.optimize import linprog

from federation.disclosure.suppression import hidden_cells
from federation.query.terms import Terms

COUNT = {"kind": "count", "by": []}


def spans(shown, shape, total_of):
    """For each hidden cell the width of what a linear programme allows, given all shown numbers.

    `shown`: number or None per cell. `total_of`: known sums, as (mask over cells, number)."""
    hidden = [i for i, n in enumerate(shown) if n is None]
    rows, sums = [], []
    for mask, number in total_of:
        inside = [i for i in range(len(shown)) if mask[i]]
        rows.append([float(i in inside) for i in hidden])
        sums.append(number - sum(shown[i] for i in inside if shown[i] is not None))
    found = {}
    for place, i in enumerate(hidden):
        goal = np.zeros(len(hidden))
        goal[place] = 1
        ends = [
            sign * linprog(sign * goal, A_eq=np.array(rows) if rows else None,
                           b_eq=sums or None, bounds=(0, None)).fun
            if rows
            else None
            for sign in (1, -1)
        ]  # fmt: skip
        found[i] = ends
    return found


def test_1_and_2_one_patient_and_nobody_look_the_same(net10):
    one = net10.ask(COUNT, ONE)
    nobody = net10.ask(COUNT, NONE)

    assert (one.code, nobody.code) == ("SMALL_GROUP", "SMALL_GROUP")
    assert one.body == nobody.body


def _table(rows, counts):
    """Make stage IV and IIIC by sex exactly `counts` over all hospitals; others have stage I."""
    for found in rows.values():
        for row in found:
            if row["stage"] in ("IIIC", "IV"):
                row["stage"] = "I"
    places = [(slug, i) for slug in rows for i in range(38)]
    for (stage, sex), n in counts.items():
        for _ in range(n):
            slug, i = places.pop(len(places) // 2)
            rows[slug][i] |= {"stage": stage, "sex": sex}
    for slug, i in places:
        if rows[slug][i]["stage"] in ("IIIC", "IV"):
            rows[slug][i]["stage"] = "I"
    return rows


def test_3_small_and_zero_cells_are_the_same_mark(net10_of):
    from net10 import everybody

    counts = {("IIIC", "m"): 3, ("IIIC", "f"): 0, ("IV", "m"): 25, ("IV", "f"): 40}
    net = net10_of(_table(everybody(), counts))

    table = net.ask({"kind": "count", "by": ["stage", "sex"]})

    assert table.cells["IIIC", "m"] is None
    assert table.cells["IIIC", "f"] is None
    marks = {h["where"]: h["why"] for h in table.envelope["hidden"]}
    where = [f"cells[{i}]" for i, key in enumerate(table.cells) if key[0] == "IIIC"]
    assert marks[where[0]] == marks[where[1]]


def test_4_a_small_cell_is_not_the_difference_of_its_margins(net10_of):
    from net10 import everybody

    counts = {("IIIC", "m"): 4, ("IIIC", "f"): 31, ("IV", "m"): 25, ("IV", "f"): 40}
    net = net10_of(_table(everybody(), counts))
    stages = ("I", "II", "IIIA", "IIIB", "IIIC", "IV")

    table = net.ask({"kind": "count", "by": ["stage", "sex"]})
    by_stage = net.ask({"kind": "count", "by": ["stage"]})
    by_sex = net.ask({"kind": "count", "by": ["sex"]})

    cells = table.cells
    assert cells["IIIC", "m"] is None
    keys = list(cells)
    known = [([True] * len(keys), table.result["total"])]
    for margin, axis in ((by_stage, 0), (by_sex, 1)):
        if margin.ok:
            known += [
                ([key[axis] == label for key in keys], n)
                for (label,), n in margin.cells.items()
                if n is not None
            ]
    shown = list(cells.values())
    for ends in spans(shown, (len(stages), 2), known).values():
        low, high = ends
        assert high - low >= 9 or high <= 9, (low, high)


def test_4_the_gate_itself_over_random_tables():
    """The same by brute force on the pure gate, where a table costs nothing."""
    chance = np.random.default_rng(4)
    for _ in range(20):
        counts = chance.integers(0, 40, size=(4, 3))
        hidden = hidden_cells(counts, Terms.strict())
        shown = [None if h else int(n) for n, h in zip(counts.ravel(), hidden.ravel(), strict=True)]
        known = [([i // 3 == r for i in range(12)], int(counts[r].sum())) for r in range(4)]
        known += [([i % 3 == c for i in range(12)], int(counts[:, c].sum())) for c in range(3)]
        for low, high in spans(shown, (4, 3), known).values():
            assert high - low > 0.5


def test_5_a_total_does_not_give_a_hidden_cell(net10_of):
    from net10 import everybody

    rows = everybody()
    for found in rows.values():
        for row in found:
            if row["stage"] == "IIIC":
                row["stage"] = "I"
    for slug in ("S01", "S02", "S04", "S05"):
        rows[slug][0]["stage"] = "IIIC"
    net = net10_of(rows)

    by_stage = net.ask({"kind": "count", "by": ["stage"]})
    total = net.ask(COUNT)

    assert by_stage.cells["IIIC",] is None
    hidden = [n for n in by_stage.cells.values() if n is None]
    if total.ok:  # a total that was told already adds nothing
        assert total.result["n"] == by_stage.result["total"]
        assert len(hidden) > 1


def test_6_no_share_is_given_whose_parts_are_hidden(net10_of):
    from net10 import everybody

    counts = {("IIIC", "m"): 3, ("IIIC", "f"): 40, ("IV", "m"): 25, ("IV", "f"): 40}
    net = net10_of(_table(everybody(), counts))

    answer = net.ask({"kind": "count", "by": ["stage", "sex"]})

    assert answer.cells["IIIC", "m"] is None
    assert set(answer.result["cells"][0]) == {"by", "n"}  # shares are made from shown numbers only
    assert answer.result["test"] is None  # chi-squared would be one equation more


def test_33_nearly_all_of_a_group_have_the_sensitive_value(net10_of):
    from net10 import everybody

    rows = everybody()
    smokers = 0
    for found in rows.values():
        for row in found:
            if row["smoker"] == "true":
                smokers += 1
                row["relapse"] = str(smokers % 25 != 0).lower()
    net = net10_of(rows)

    table = net.ask({"kind": "count", "by": ["smoker", "relapse"]})

    assert table.cells["true", "true"] is None
    assert table.cells["true", "false"] is None
    shown = sum(n for n in table.cells.values() if n is not None)
    assert table.result["total"] is None or table.result["total"] >= shown


def test_32_an_uncatalogued_code_is_a_missing_value_and_its_text_stays(net10_of, tmp_path):
    from net10 import FREE_TEXT, everybody

    rows = everybody()
    for slug in ("S01", "S02", "S06"):
        for row in rows[slug][:9]:
            row["hist"] = FREE_TEXT
    net = net10_of(rows)

    answer = net.ask({"kind": "count", "by": ["hist"]})

    assert answer.ok
    assert set(key[0] for key in answer.cells) == {"8140", "8500", "8502", "other"}
    assert FREE_TEXT not in answer.body
    assert net.ask({"kind": "count", "by": []}, leaf("hist", "=", FREE_TEXT)).code == (
        "NOT_IN_CATALOGUE"
    )
    assert all(FREE_TEXT not in " ".join(net.engine.codes(slug)) for slug in net.directories)
