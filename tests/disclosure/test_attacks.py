"""Attacks on a real pipeline (design: disclosure.md section 6; numbers in names are its rows)."""

import csv
import dataclasses
import json
from datetime import timedelta

import pytest

from federation.disclosure.policy import Policy
from federation.protocol.encoding import pack_array, unpack_array
from federation.protocol.keys import BoxKey, SigningKey
from federation.protocol.messages import TYP_REPLY, TYP_STEP, sign

COUNT = {"kind": "count", "by": ["stage"]}
MEAN = {"kind": "describe", "variables": ["ca125"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
OLD = {"var": "age", "op": ">=", "value": 60}


def leaf(var, value, op="="):
    return {"var": var, "op": op, "value": value}


RARE = {"all": [leaf("stage", "III"), leaf("hist", "8502")]}


def refused(outcome, code="SMALL_GROUP"):
    assert (outcome.status, outcome.code) == ("refused", code), outcome
    return True


def make_rare(rows, place=7):
    """One patient whom the network has only once."""
    rows["h2"][place] |= {"HDR_STAGE": "III", "HDR_HIST": "8502", "HDR_AGE": "71"}
    return rows["h2"][place]["HDR_PATIENT_NO"]


def same_but_for_ids(outcome):
    envelope = dict(outcome.envelope)
    return {k: v for k, v in envelope.items() if k not in ("id", "query_sha256")}


def test_1_2_one_patient_and_none_look_the_same(build, five):
    make_rare(five)
    net = build(five)

    one = net.ask(MEAN, cohort=RARE)
    none = net.ask(MEAN, cohort={"all": [leaf("stage", "IV"), leaf("hist", "8502")]})

    assert refused(one)
    assert refused(none)
    assert same_but_for_ids(one) == same_but_for_ids(none)


def test_7_a_cohort_and_the_same_but_one(build, five):
    make_rare(five)
    net = build(five)

    assert net.ask(MEAN, cohort=OLD).status == "complete"
    assert refused(net.ask(MEAN, cohort={"all": [OLD, {"not": RARE}]}))


def test_7_the_other_way_round(build, five):
    make_rare(five)
    net = build(five)

    assert net.ask(MEAN, cohort={"all": [OLD, {"not": RARE}]}).status == "complete"
    assert refused(net.ask(MEAN, cohort=OLD))


def test_8_the_second_question_comes_from_another_study(build, five):
    make_rare(five)
    net = build(five, studies=["onco", "other"])

    assert net.ask(MEAN, cohort=OLD).status == "complete"
    assert refused(net.ask(MEAN, cohort={"all": [OLD, {"not": RARE}]}, study="other"))


def test_another_study_never_gets_this_studys_answer(build):
    net = build(studies=["onco", "other"])
    net.ask(MEAN, cohort=OLD)

    assert net.ask(MEAN, cohort=OLD, study="other").status == "complete"


def test_11_everybody_but_one(build, five):
    make_rare(five)
    net = build(five)

    assert refused(net.ask(COUNT, cohort={"not": RARE}))


def test_12_the_same_question_after_a_withdrawal_says_nothing(build, five):
    gone = make_rare(five)
    net = build(five)
    first = net.ask(MEAN, cohort=OLD)

    net.withdrawn.add(gone)
    net.publish()
    second = net.ask(MEAN, cohort=OLD)

    assert second.status == "replay"
    assert second.replay_of == (first.envelope["id"],)


def test_12_nor_when_the_hub_says_the_answer_was_lost(build, five):
    gone = make_rare(five)
    net = build(five)
    net.ask(MEAN, cohort=OLD)
    net.withdrawn.add(gone)
    net.publish()

    assert refused(net.ask(MEAN, cohort=OLD, plan={"again": True}))


def test_13_a_redundant_condition_after_a_withdrawal(build, five):
    gone = make_rare(five)
    net = build(five)
    net.ask(MEAN, cohort=OLD)
    net.withdrawn.add(gone)
    net.publish()

    outcome = net.ask(MEAN, cohort={"all": [OLD, leaf("age", 25, ">=")]})
    assert outcome.status == "replay" or refused(outcome)


def test_14_after_the_window_few_changes_replay_and_many_are_answered(build, five):
    net = build(five)
    first = net.ask(MEAN, cohort=OLD)
    old = [row["HDR_PATIENT_NO"] for row in five["h1"] if int(row["HDR_AGE"]) >= 60]

    net.withdrawn.update(old[:3])
    net.wait(days=91)
    few = net.ask(MEAN, cohort=OLD)
    net.withdrawn.update(old[:12])
    net.wait(days=1)
    many = net.ask(MEAN, cohort=OLD)

    assert few.status == "replay"
    assert few.replay_of == (first.envelope["id"],)
    assert many.status == "complete"
    before, after = first.envelope["result"]["n"], many.envelope["result"]["n"]
    assert before - after == 12


def test_15_a_corrected_value(build, five):
    make_rare(five)
    net = build(five)
    net.ask(MEAN, cohort=OLD)

    rows = net.rows["h2"]
    rows[7]["HDR_CA125"] = "12.5"
    (net.folder / "h2" / "data.csv").unlink()
    rewrite(net, "h2")

    assert net.ask(MEAN, cohort=OLD).status == "replay"
    outcome = net.ask(MEAN, cohort={"all": [OLD, leaf("age", 25, ">=")]})
    assert outcome.status == "replay" or refused(outcome)


def test_a_new_variable_in_the_mapping_hides_nobody_from_the_auditor(build, five):
    """Every row would look new if its version were taken over all columns at once."""
    gone = make_rare(five)
    net = build(five)
    net.ask(MEAN, cohort=OLD)
    mapping = net.folder / "h2" / "mapping.yaml"
    kept = mapping.read_text()
    mapping.write_text(kept.replace("  sex: {column: HDR_SEX, map: {MAN: m, VROUW: f}}\n", ""))
    net.start("h2")
    net.ask(COUNT, cohort=OLD, sites=["h0", "h1", "h2", "h3", "h4"])
    mapping.write_text(kept)
    net.start("h2")
    net.withdrawn.add(gone)
    net.publish()

    # the same question in other words: the stored answer stands, or none is given
    outcome = net.ask(MEAN, cohort={"all": [OLD, leaf("age", 25, ">=")]})
    assert outcome.status == "replay" or refused(outcome)


def rewrite(net, slug):
    with (net.folder / slug / "data.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(net.rows[slug][0]))
        out.writeheader()
        out.writerows(net.rows[slug])


def test_21_a_question_with_a_coefficient_of_the_hub(net, read):
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"
    claims = read(driver.messages(net.now)["h0"])

    for extra in ({"beta": [9.0, 9.0]}, {"params": {"beta": [9.0, 9.0]}}):
        reply = net.claims("h0", signed(net, "h0", {**claims, **extra}))
        assert (reply["status"], reply["code"]) == ("refused", "PROTOCOL")


def signed(net, slug, claims, typ=TYP_STEP, key=None, **more):
    """The hub (or whose key it is) signs whatever it likes."""
    own = {k: v for k, v in claims.items() if k not in ("v", "iss", "aud", "iat", "exp", "jti")}
    settings = {"issuer": "hub", "audience": slug, "now": net.now, "lifetime": timedelta(hours=1)}
    return sign(typ, own, key or net.hub, **{**settings, **more})


def test_22_forged_sums_of_the_step_before(net, read):
    """The hub replaces one hospital's masked sums to steer the next coefficients."""
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"
    claims = read(driver.messages(net.now)["h0"])
    other = net.driver(net.plan(net.query(COX), again=True))
    net.round(other)
    foreign = read(other.messages(net.now)["h0"])["previous"]

    forgeries = [
        [*claims["previous"][:1], foreign[1], *claims["previous"][2:]],
        [*claims["previous"][:1], claims["previous"][2], *claims["previous"][2:]],
        [foreign[0], *claims["previous"][1:]],
        claims["previous"][:4],
        [],
        ["garbage"] * 5,
        [tampered(claims["previous"][0]), *claims["previous"][1:]],
    ]
    for previous in forgeries:
        reply = net.claims("h0", signed(net, "h0", {**claims, "previous": previous}))
        assert (reply["status"], reply["code"]) == ("refused", "PROTOCOL")
    assert net.claims("h0", signed(net, "h0", claims))["status"] == "ok"


@pytest.mark.parametrize("signer", ["hub", "h1", "h2"])
@pytest.mark.parametrize("victim", [0, 1])
def test_22_other_sums_under_a_signature(net, read, signer, victim):
    """A whole and consistent forgery of one reply: only its own hospital's signature will do, and
    one's own reply must be the journaled one even under one's own key."""
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"
    claims = read(driver.messages(net.now)["h0"])
    reply = read(claims["previous"][victim].encode())
    sums = unpack_array(reply["masked"])
    sums[1, 1] += 1  # sixteen patients more, still a whole number
    reply["masked"] = pack_array(sums)
    slug = f"h{victim}"
    key = net.hub if signer == "hub" else net.directories[signer].sign
    if victim == 0 and signer == "h1":
        key = net.directories["h0"].sign
    forged = signed(
        net, slug, reply, typ=TYP_REPLY, key=key, issuer=reply["iss"], audience="hub"
    ).decode()
    previous = [*claims["previous"]]
    previous[victim] = forged

    found = net.claims("h0", signed(net, "h0", {**claims, "previous": previous}))

    genuine = victim == 1 and signer == "h1"  # h1 itself may say what it likes
    assert found["status"] == ("ok" if genuine else "refused"), found


def tampered(reply):
    head, payload, signature = reply.split(".")
    return f"{head}.{payload[:-6]}AAAAAA.{signature}"


def test_22_another_step_than_the_sites_own_arithmetic_says(net, read):
    driver = net.driver(net.plan(net.query(COX)))
    claims = read(driver.messages(net.now)["h0"])

    reply = net.claims("h0", signed(net, "h0", {**claims, "step_name": "score"}))

    assert (reply["status"], reply["code"]) == ("refused", "PROTOCOL")


@pytest.mark.parametrize("keep", [["h0"], ["h0", "h1"]])
def test_35_too_few_hospitals(net, keep):
    assert refused(net.ask(COUNT, sites=keep), "ROSTER")


def test_35_invented_hospitals(net, read):
    claims = read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])
    own = {"h0": claims["roster"]["h0"]}
    fakes = {
        slug: {"sign": SigningKey.generate().public, "box": BoxKey.generate().public}
        for slug in ("h1", "h2", "x1")
    }
    swapped = {**claims["roster"], "h1": claims["roster"]["h2"]}

    for roster in ({**own, **fakes}, swapped, {**claims["roster"], "x1": fakes["x1"]}, fakes):
        reply = net.claims("h0", signed(net, "h0", {**claims, "roster": roster}))
        assert (reply["status"], reply["code"]) == ("refused", "ROSTER")


def test_36_the_same_patients_asked_of_one_hospital_less(net):
    assert net.ask(COUNT).status == "complete"

    assert refused(net.ask(COUNT, sites=["h0", "h1", "h2", "h3"]), "ROSTER")
    assert refused(net.ask({"kind": "count", "by": ["sex"]}, sites=["h0", "h1", "h2"]), "ROSTER")


def test_36_the_roster_changes_within_a_run(net, read):
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"
    claims = read(driver.messages(net.now)["h0"])
    fewer = {slug: keys for slug, keys in claims["roster"].items() if slug != "h4"}
    previous = claims["previous"][:4]

    reply = net.claims("h0", signed(net, "h0", {**claims, "roster": fewer, "previous": previous}))

    assert (reply["status"], reply["code"]) == ("refused", "ROSTER")


def test_37_a_cohort_of_one_hospital(build, five):
    for row in five["h3"]:
        row["HDR_HIST"] = "8502"
    net = build(five)

    assert refused(net.ask(COUNT, cohort=leaf("hist", "8502")), "INSTITUTION_HIDDEN")


def test_38_refusals_look_alike_whatever_their_reason(build, five):
    gone = make_rare(five)
    net = build(five)
    net.ask(MEAN, cohort=OLD)
    found = [
        net.ask(MEAN, cohort={"all": [OLD, {"not": RARE}]}),  # differs by one
        net.ask(MEAN, cohort={"not": RARE}),  # complement of one
        net.ask(MEAN, cohort=RARE),  # one
        net.ask(MEAN, cohort={"all": [RARE, OLD]}),  # the same one
    ]
    net.withdrawn.add(gone)
    net.publish()
    found.append(net.ask(MEAN, cohort=RARE))  # nobody

    assert all(refused(outcome) for outcome in found)
    assert len({json.dumps(same_but_for_ids(outcome)) for outcome in found}) == 1


LOOSER = [
    ("t_cell", 5),
    ("t_cohort_site", 1),
    ("min_sites", 1),
    ("time_grid_days", 1),
    ("protection", "none"),
]


@pytest.mark.parametrize(("key", "value"), LOOSER)
def test_40_the_hub_lowers_a_threshold(net, key, value):
    terms = dataclasses.replace(net.policy.terms(), **{key: value})

    assert refused(net.ask(COUNT, plan={"terms": terms}), "PROTOCOL")
    assert [net.ledger(slug) for slug in net.programs] == [0] * 5


def test_40_a_stricter_hub_is_fine(net):
    terms = dataclasses.replace(net.policy.terms(), t_cell=20)

    assert net.ask(COUNT, plan={"terms": terms}).status == "complete"


def test_protection_none_at_an_open_site_only(build, five):
    net = build(policy=Policy.open_data())

    assert net.ask(COUNT).envelope["protection"] == "none"
    assert net.ask(COUNT, output="by_site").status == "complete"


def test_no_output_by_site_under_protection(net):
    assert refused(net.ask(COUNT, output="by_site"), "INSTITUTION_HIDDEN")


def test_a_finer_codebook_from_the_hub(net, read):
    """Its cut-points would let the hub ask for ages one by one."""
    claims = read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])
    finer = json.loads(json.dumps(claims["codebook"]))
    finer["variables"]["age"]["cuts"] = [30, 31, 32, 33]

    reply = net.claims("h0", signed(net, "h0", {**claims, "codebook": finer}))

    assert (reply["status"], reply["code"]) == ("refused", "DATA_MISMATCH")


def test_another_query_than_the_approved_one(net, read):
    claims = read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])
    other = net.query(MEAN)

    swapped = {**claims, "query": other.to_dict()}
    renamed = {**swapped, "query_sha256": other.sha256}

    assert net.claims("h0", signed(net, "h0", swapped))["code"] == "PROTOCOL"
    assert net.claims("h0", signed(net, "h0", renamed))["code"] == "QUERY_NOT_APPROVED"


def test_a_study_that_is_not_agreed_here(net):
    assert refused(net.ask(COUNT, study="elsewhere"), "STUDY_NOT_OPEN")


def test_more_conditions_than_the_policy_allows(net):
    cohort = {"any": [leaf("age", n, ">=") for n in (30, 35, 40, 45, 50, 55, 60)]}

    assert refused(net.ask(COUNT, cohort=cohort))
