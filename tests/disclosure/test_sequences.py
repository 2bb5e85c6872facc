"""Properties of any sequence of questions (design: disclosure.md section 6, property tests)."""

import random
import sqlite3

from federation.disclosure.policy import Policy

T = 10


def charged_sets(net, slug):
    """Per charged answer: its sets as Python ints, the analysis set first."""
    database = sqlite3.connect(net.folder / slug / "site.sqlite")
    rows = database.execute("SELECT entry, bits FROM ledger_set ORDER BY entry, place").fetchall()
    database.close()
    answers = {}
    for entry, bits in rows:
        answers.setdefault(entry, []).append(int.from_bytes(bits, "little"))
    return list(answers.values())


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


def test_no_two_answered_cohorts_differ_in_a_few_patients(net):
    chance = random.Random(5)  # noqa: S311  test data
    statuses = []
    for number in range(60):
        analysis = chance.choice(
            [{"kind": "count", "by": ["stage"]}, {"kind": "describe", "variables": ["ca125"]}]
        )
        statuses.append(net.ask(analysis, cohort=some_cohort(chance)).status)
        if number % 10 == 9:
            gone = [chance.choice(rows)["HDR_PATIENT_NO"] for rows in net.rows.values()]
            net.withdrawn.update(gone)
            net.publish()

    # A sequence that is all refusals, or has none, would prove nothing.
    assert statuses.count("complete") >= 8
    assert statuses.count("refused") >= 8
    for slug in net.programs:
        answers = charged_sets(net, slug)
        for place, answer in enumerate(answers):
            for other in answers[:place]:
                assert not 0 < (answer[0] ^ other[0]).bit_count() < T
                if answer[0] == other[0]:
                    continue
                for one in answer:
                    for two in other:
                        if min(one.bit_count(), two.bit_count()) >= T:
                            assert not 0 < (one ^ two).bit_count() < T


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
