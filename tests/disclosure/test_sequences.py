"""Properties of any sequence of questions (design: disclosure.md section 6, property tests)."""

import random
import sqlite3

import numpy as np

from federation.disclosure.policy import Policy

T = 10


def pooled_sets(net, shown):
    """Rows of noughts and ones over the slots of all hospitals, one per shown set (run, label)."""
    found, widths = {}, []
    for slug in net.programs:
        database = sqlite3.connect(net.folder / slug / "site.sqlite")
        rows = database.execute(
            "SELECT run, label, bits FROM ledger_entry JOIN ledger_set USING (entry)"
        ).fetchall()
        widths.append(database.execute("SELECT count(*) FROM slot").fetchone()[0])
        database.close()
        for run, label, bits in rows:
            here = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
            found[run, label, len(widths)] = here
    made = []
    for run, label in shown:
        parts = [
            np.pad(one := found.get((run, label, place), np.zeros(0, np.uint8))[:width],
                   (0, width - len(one)))
            for place, width in enumerate(widths, start=1)
        ]  # fmt: skip
        made.append(np.concatenate(parts))
    return np.array(made, np.int8)


def shown_sets(outcome):
    """The labels of the sets of which an answer gives the number."""
    result, run = outcome.envelope["result"], outcome.envelope["id"]
    made = [(run, "analysis")]
    if result.get("missing") is not None:
        made.append((run, "cohort"))
    for cell in result.get("cells", ()):
        if cell["n"] is not None:
            made.append((run, f"stage={cell['by']['stage']}"))
    return made


def smallest_told(rows):
    """The fewest patients, among those who are in exactly the same sets, that the rows determine
    as a group: its indicator lies in their row space."""
    _, values, basis = np.linalg.svd(rows.astype(float), full_matrices=False)
    basis = basis[values > 1e-9 * values[0]]
    kinds, of_patient = np.unique(rows.T, axis=0, return_inverse=True)
    sizes = np.bincount(of_patient.ravel())
    first = [int(np.flatnonzero(of_patient.ravel() == kind)[0]) for kind in range(len(kinds))]
    # the length of the group's normalised indicator after projection is 1 when it lies inside
    inside = sizes * (basis[:, first] ** 2).sum(axis=0) > 1 - 1e-9
    told = sizes[inside & kinds.any(axis=1)]
    return int(told.min()) if len(told) else len(of_patient)


def some_leaf(chance):
    return chance.choice(
        [
            {"var": "age", "op": ">=", "value": chance.randrange(40, 90, 5)},
            {"var": "age", "op": "<", "value": chance.randrange(40, 90, 5)},
            {"var": "stage", "op": "=", "value": chance.choice(["I", "II", "III", "IV"])},
            {"var": "hist", "op": "!=", "value": "8140"},
            {"var": "sex", "op": "=", "value": chance.choice("mf")},
            {"var": "ca125", "op": ">=", "value": chance.choice([10, 35, 100])},
        ]
    )


def some_cohort(chance):
    leaves = [some_leaf(chance) for _ in range(chance.randrange(1, 4))]
    tree = {chance.choice(["all", "any"]): leaves}
    return {"not": tree} if chance.random() < 0.3 else tree


def test_no_shown_numbers_together_tell_of_a_few_patients(net):
    """Sixty questions, withdrawals in between: what was shown is held to the rule of ten over all
    hospitals together, in pairs, and in all linear combinations for those always asked together."""
    chance = random.Random(5)  # noqa: S311  test data
    statuses, shown = [], []
    for number in range(60):
        analysis = chance.choice(
            [{"kind": "count", "by": ["stage"]}, {"kind": "describe", "variables": ["ca125"]}]
        )
        outcome = net.ask(analysis, cohort=some_cohort(chance))
        statuses.append(outcome.status)
        if outcome.status == "complete":
            shown += shown_sets(outcome)
        if number % 10 == 9:
            gone = [chance.choice(rows)["HDR_PATIENT_NO"] for rows in net.rows.values()]
            net.withdrawn.update(gone)
            net.publish()

    # A sequence that is all refusals, or has none, would prove nothing.
    assert statuses.count("complete") >= 15
    assert statuses.count("refused") >= 3
    rows = pooled_sets(net, shown)
    assert rows.sum(axis=1).min() >= T
    for place, one in enumerate(rows):
        apart = np.count_nonzero(rows[:place] != one, axis=1)
        assert not ((apart > 0) & (apart < T)).any()
    assert smallest_told(rows) >= T


def test_the_measure_finds_what_it_should():
    """A tracker, in the form in which the answers of a network are held against it."""
    everyone, target = np.ones(40, np.int8), np.eye(1, 40, dtype=np.int8)[0]
    young = (np.arange(40) < 20).astype(np.int8)
    assert smallest_told(np.array([everyone, young])) == 20
    assert smallest_told(np.array([everyone, young, everyone - young + target])) == 1


def test_without_protection_the_same_sequence_has_no_refusals(build):
    net = build(policy=Policy.open_data())
    chance = random.Random(5)  # noqa: S311  test data

    for _ in range(10):
        outcome = net.ask({"kind": "count", "by": ["stage"]}, cohort=some_cohort(chance))
        assert outcome.status == "complete"
    assert all(net.ledger(slug) == 0 for slug in net.programs)


def test_a_stricter_site_never_answers_more(build, five):
    """What a site refuses under t = 10 it also refuses under t = 20."""
    from dataclasses import replace

    loose, strict = build(five), build(five)
    terms = replace(loose.policy.terms(), t_cohort_site=20, t_complement=20)
    terms = replace(terms, diff=replace(terms.diff, t_diff=20))
    chance = random.Random(7)  # noqa: S311  test data
    answered = 0
    for _ in range(12):
        cohort = some_cohort(chance)
        analysis = {"kind": "describe", "variables": ["age"]}
        wide = loose.ask(analysis, cohort=cohort)
        narrow = strict.ask(analysis, cohort=cohort, plan={"terms": terms})
        if narrow.status == "complete":
            answered += 1
            assert wide.status == "complete"
    assert answered > 0
