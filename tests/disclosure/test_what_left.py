"""The steward sees every byte that left, in words, and decides: approve, refuse, pause, resume."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from hospitals import REQUIRES, claims_of

from federation.disclosure.policy import Policy
from federation.protocol.keys import BoxKey, key_id
from federation.protocol.sealing import open_result
from federation.site.cli import site as commands
from federation.site.steward.deciding import approve_query, pause_site, refuse_query, resume_site
from federation.site.steward.overview import Overview
from federation.site.steward.sent import Register
from federation.site.steward.sent_report import sent_lines, sent_report
from federation.site.steward.sent_words import flat
from federation.site.steward.status import read_status
from federation.site.stopping import STOP_FILE

COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
NOBODY = {"var": "hist", "op": "=", "value": "8502"}
TITLE = {"title": "Stage at diagnosis", "purpose": "To see who comes late."}


def run(*arguments):
    return CliRunner().invoke(commands, [str(a) for a in arguments])


def overview(net, slug="h0", lang="en"):
    return Overview(net.folder / slug, lang)


def questions(net):
    """What left about questions, newest first."""
    found = sent_report(overview(net), 20, False)["questions"]
    return [each for each in found if each["messages"][0]["kind"] != "coverage"]


def test_every_body_that_left_is_in_the_register(net):
    """Compared with what the pipe carried, byte for byte and in order."""
    net.ask(COUNT, **TITLE)
    net.ask(COUNT)
    net.ask(COX)
    net.ask(COUNT, sites=["h0", "h1"])
    net.send("h0", b"garbage")
    net.send("h1", b"\xff" * 3000)
    net.publish()
    net.send("h0", net.snapshot("h0", network="elsewhere"))

    for slug in net.programs:
        register = Register(net.programs[slug]._database)
        kept = [sent.body for sent in reversed(register.messages(lists=True))]
        left = [body for body in net.bodies if issuer(body) == slug]
        assert kept == left
        assert register.first_changed() is None


def issuer(body):
    return claims_of(body)["iss"]


def test_what_left_is_said_in_words(net):
    net.ask(COUNT, **TITLE, plan={"requester": "r-17"})
    (question,) = questions(net)

    assert (question["study"], question["title"]) == ("onco", TITLE["title"])
    assert question["purpose"] == TITLE["purpose"]
    assert question["requester"] == "r-17"
    assert question["hospitals"] == sorted(net.programs)
    assert any("stage" in line for line in question["question"])
    assert any("below 10 is hidden" in line for line in question["thresholds"])
    look, answer = question["messages"]
    assert [m["kind"] for m in (look, answer)] == ["look", "answer"]
    assert look["step_name"] == "look"
    assert "counts only" in look["words"][0]
    assert answer["contents"]["form"] == "masked"
    assert answer["contents"]["readable"] == []
    assert {"name": "cells", "shape": [4]} in answer["contents"]["parts"]
    assert "unreadable for anyone" in look["words"][1]
    said = f"{answer['contents']['numbers']} numbers under a mask."
    by = f"With it, signed apart and for everybody: counted by consent list {net.seq}, without a "
    by += f"log of choices; patients had agreed to {', '.join(REQUIRES)}."
    assert answer["words"] == [said, by]
    assert answer["patients_here"] == len(net.rows["h0"])
    assert answer["snapshot"] == net.seq
    assert answer["policy_sha256"] == net.policy.sha256
    assert answer["as_sent"]


def test_the_counts_of_patients_never_leave(net):
    net.ask(COUNT)
    net.ask(COUNT, cohort=NOBODY)
    everything = b"".join(net.bodies)

    assert b"patients" not in everything


def test_noughts_under_a_mask_are_said_to_be_so(net):
    net.ask(COUNT, cohort=NOBODY)
    (question,) = questions(net)

    (look,) = question["messages"]
    assert look["patients_here"] == 0
    assert "noughts" in look["words"][-1]


def test_replays_and_refusals(net):
    net.ask(COUNT)
    net.ask(COUNT)
    net.ask(COUNT, sites=["h0", "h1"])
    net.send("h0", b"garbage")
    found = questions(net)
    garbage, roster, replay, first = found

    assert len(first["messages"]) == 2
    assert [m["kind"] for m in replay["messages"]] == ["replay"]
    assert "pointer" in replay["messages"][0]["words"][0]
    assert roster["messages"][0]["code"] == "ROSTER"
    assert roster["question"]
    assert garbage["run"] is None
    assert (garbage["messages"][0]["code"], garbage["messages"][0]["reason_here"]) == (
        "PROTOCOL",
        "BAD_MESSAGE",
    )


def test_readable_numbers_are_shown_as_they_left(build):
    net = build(policy=Policy.open_data())
    net.ask(COUNT, output="by_site")
    (question,) = questions(net)

    (answer,) = question["messages"]
    assert answer["contents"]["form"] == "plain"
    shown = {each["place"]: each["value"] for each in answer["contents"]["readable"]}
    stages = [row["HDR_STAGE"] for row in net.rows["h0"]]
    assert shown["cells[0]"] == str(stages.count("I"))
    assert "stays here" not in run("sent", net.folder / "h0", "--lang", "en").output
    assert "without protection" in answer["words"][0]


def test_the_exact_bytes_of_a_step(net):
    net.ask(COUNT)
    (question,) = questions(net)

    found = run("sent", net.folder / "h0", "--bytes", question["run"], 1)
    assert found.exit_code == 0, found.output
    (message,) = json.loads(found.output)["messages"]
    assert message["message"].encode() in net.bodies
    assert message["sha256"] == hashlib.sha256(message["message"].encode()).hexdigest()
    assert message["claims"]["run"] == question["run"]
    assert message["header"]["alg"] == "Ed25519"

    assert run("sent", net.folder / "h0", "--bytes", question["run"], 7).exit_code == 2
    assert run("sent", net.folder / "h0", "--bytes", "other", 0).exit_code == 2


def test_bytes_that_were_changed_afterwards_are_noticed(net):
    net.ask(COUNT)
    database = sqlite3.connect(net.folder / "h0" / "site.sqlite")
    database.execute("UPDATE journal SET reply = x'00' WHERE step = 1")
    database.commit()
    database.close()

    assert read_status(net.folder / "h0", net.now)["sent_intact"] is False
    lines = "\n".join(sent_lines(overview(net), 20, False))
    assert "not those of the log" in lines


@pytest.mark.parametrize("statement", ["DELETE FROM sent", "UPDATE sent SET patients = 3"])
def test_the_register_cannot_be_changed(net, statement):
    net.ask(COUNT)
    with pytest.raises(sqlite3.IntegrityError):
        net.programs["h0"]._database.execute(statement)


def test_the_command_in_both_languages(net):
    net.publish()
    net.ask(COUNT, title="Een titel met\neen regel", purpose="waarom")
    path = net.folder / "h0"
    dutch, english = run("sent", path), run("sent", path, "--lang", "en", "--all")

    assert "Een titel met een regel\n" in dutch.output
    assert "onder een masker" in dutch.output
    assert "hier geteld: 120 (blijft hier)" in dutch.output
    assert f"beleid {net.policy.sha256[:8]}" in dutch.output
    assert "counted here: 120 (stays here)" in english.output
    assert "Consent list 1 is in use." in english.output
    assert "Consent list 2 is in use." in english.output
    assert "keuzelijst 2 is in gebruik" not in dutch.output
    assert "Daarnaast 1 keer de ontvangst" in dutch.output


def test_only_the_last_questions(net):
    for stage in ("I", "II", "III"):
        net.ask(COUNT, cohort={"var": "stage", "op": "=", "value": stage}, title=stage)
    found = json.loads(run("sent", net.folder / "h0", "--json", "--last", "2").output)

    assert [question["title"] for question in found["questions"]] == ["III", "II"]
    assert found["counts"]["look"] == found["counts"]["answer"] == 3
    assert "acknowledgements" not in found


def test_nothing_has_left_yet(site_of_one):
    found = run("sent", site_of_one)
    assert found.exit_code == 0
    assert "nog niets" in found.output


@pytest.fixture
def site_of_one(net):
    """A hospital whose program never ran."""
    path = net.folder / "h4"
    net.programs["h4"].close()
    for file in path.glob("site.sqlite*"):
        file.unlink()
    yield path
    net.start("h4")


def asked_of(net, analysis=COUNT, slug="h0", **more):
    """What one hospital says to a question, over its own pipe."""
    plan = net.plan(net.query(analysis, **more))
    return net.claims(slug, net.driver(plan).messages(net.now)[slug])


def test_a_query_that_is_refused_here_gets_no_answer_until_it_is_approved(net):
    path, query = net.folder / "h0", net.query(COUNT)
    assert net.ask(COUNT).status == "complete"
    later = net.now + timedelta(minutes=1)
    assert refuse_query(path, query.sha256, "Anna de Vries", "Not our purpose.", later)

    assert asked_of(net)["code"] == "QUERY_NOT_APPROVED"
    assert asked_of(net, slug="h1")["status"] != "refused"
    found = read_status(path, net.now)
    assert found["refused_here"] == 1

    approve_query(path, query.sha256, "Anna de Vries", later)
    assert asked_of(net)["status"] == "replay"
    assert read_status(path, net.now)["refused_here"] == 0
    events = [event for event, _ in net.audit("h0")]
    assert events.count("REFUSED_HERE") == events.count("APPROVED") == 1


def test_a_refusal_in_the_middle_of_a_run_ends_it(net):
    query = net.query(COX)
    driver = net.driver(net.plan(query))
    assert net.round(driver) == "step"
    assert net.round(driver) == "step"
    refuse_query(net.folder / "h2", query.sha256, "Anna", "No..", net.now)

    outcome = net.round(driver)
    assert (outcome.status, outcome.code) == ("refused", "QUERY_NOT_APPROVED")


def test_not_even_a_journaled_answer_is_sent_again_after_a_refusal_or_a_pause(net):
    query = net.query(COUNT)
    message = net.driver(net.plan(query)).messages(net.now)["h0"]
    first = net.send("h0", message)
    assert net.send("h0", message) == first

    pause_site(net.folder / "h0", "Anna", "Moving house.", net.now)
    assert net.claims("h0", message)["code"] == "PAUSED"
    resume_site(net.folder / "h0", "Anna", net.now)
    assert net.send("h0", message) == first
    refuse_query(net.folder / "h0", query.sha256, "Anna", "Not again.", net.now)
    assert net.claims("h0", message)["code"] == "QUERY_NOT_APPROVED"


def test_a_query_can_be_refused_before_it_is_asked(net):
    sha256 = net.query(COUNT).sha256
    found = run("refuse", net.folder / "h0", sha256, "--by", "Anna", "--reason", "Saw it coming")

    assert json.loads(found.output[found.output.index("{") :]) == {
        "refused": sha256,
        "asked_before": False,
    }
    assert asked_of(net)["code"] == "QUERY_NOT_APPROVED"


def test_a_hospital_that_approves_each_query_sees_it_in_words(build):
    net = build(study={"approve": "here"})
    path = net.folder / "h0"
    assert net.ask(COUNT, **TITLE).code == "QUERY_NOT_APPROVED"
    (waiting,) = overview(net).waiting()
    query = net.query(COUNT, **TITLE)

    assert waiting.query_sha256 == query.sha256
    assert waiting.question.title == TITLE["title"]
    assert any("stage" in line for line in waiting.question.words)
    listed = run("approve", path, "--lang", "en")
    assert waiting.approve in listed.output
    assert waiting.refuse in listed.output
    assert "To see who comes late." in listed.output

    found = run("approve", path, query.sha256, "--by", "Anna de Vries", "--lang", "en")
    assert found.exit_code == 0, found.output
    assert TITLE["title"] in found.output
    assert asked_of(net, **TITLE)["status"] == "ok"
    assert json.loads(run("approve", path, "--json").output) == []
    assert net.ask(COUNT, **TITLE).code == "QUERY_NOT_APPROVED", "the others did not approve"


def test_a_refused_query_does_not_wait_any_more(build):
    net = build(study={"approve": "here"})
    net.ask(COUNT)
    sha256 = net.query(COUNT).sha256
    found = run(
        "refuse", net.folder / "h0", sha256, "--by", "Anna", "--reason", "Too broad", "--lang", "en"
    )

    assert '"asked_before": true' in found.output
    assert overview(net).waiting() == []
    (decided,) = overview(net).decided()
    assert decided[:4] == (sha256, "refused", "Anna", "Too broad")


def test_pause_and_resume_by_command(net):
    path = net.folder / "h0"
    paused = run("pause", path, "--by", "Anna  de Vries", "--reason", "New data are read in")
    assert paused.exit_code == 0, paused.output
    assert "Anna de Vries" in (path / STOP_FILE).read_text()

    assert asked_of(net)["code"] == "PAUSED"
    outcome = net.ask(COUNT)
    assert (outcome.status, outcome.code) == ("refused", "PAUSED")
    assert outcome.envelope["sites"]["refused"] == ["h0"]
    found = read_status(path, net.now)
    assert found["stopped"]
    assert found["paused"]["by"] == "Anna de Vries"
    assert found["paused"]["reason"] == "New data are read in"

    # Consent is taken all the same: a "no" must never wait.
    net.publish()
    assert run("resume", path, "--by", "Anna").exit_code == 0
    assert run("resume", path, "--by", "Anna").exit_code == 2
    assert net.ask(COUNT).status == "complete"
    events = [event for event, _ in net.audit("h0")]
    assert [e for e in events if e in ("PAUSED", "RESUMED")] == ["PAUSED", "RESUMED"]
    assert read_status(path, net.now)["audit_intact"]


def test_the_reason_stays_in_the_hospital(net):
    pause_site(net.folder / "h0", "Anna", "a-secret-reason", net.now)
    refuse_query(net.folder / "h1", net.query(COUNT).sha256, "Bert", "a-secret-reason", net.now)
    net.ask(COUNT)
    net.ask(COUNT, sites=["h1", "h2", "h3", "h4"])

    said = json.dumps([claims_of(body) for body in net.bodies])
    assert "secret" not in said
    assert "Anna" not in said
    assert "Bert" not in said


WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)


@pytest.mark.parametrize("way", ["hub", "sealed"])
def test_numbers_of_one_hospital_are_shown_as_they_left(build, way):
    """Also when they were sealed to a key that this hospital does not have."""
    key = BoxKey.generate()
    study = {"by_site": way} | ({"result_key": key.public} if way == "sealed" else {})
    net = build(policy=WITH_FORM, study=study)
    outcome = net.ask(COUNT, output="by_site", title="A benchmark")
    assert outcome.status == "complete", outcome
    (question,) = questions(net)

    look, *_, answer = question["messages"]
    assert look["contents"]["form"] == "masked"
    assert answer["contents"]["form"] == ("released" if way == "hub" else "sealed")
    shown = {each["place"]: each["value"] for each in answer["contents"]["readable"]}
    assert shown["result.n"] == str(len(net.rows["h0"]))
    assert any("below" in line for line in answer["words"])
    if way == "sealed":
        left, sign = claims_of(net.bodies[-5]), net.directories["h0"].sign.public
        opened = open_result(
            left["sealed"],
            key,
            site="h0",
            study="onco",
            query_sha256=question["query_sha256"],
            signer={key_id(sign): sign}.get,
        )
        assert shown == dict(flat(opened["released"]))
    page = Overview(net.folder / "h0")
    assert page.run(question["run"]).messages[-1].contents.readable
