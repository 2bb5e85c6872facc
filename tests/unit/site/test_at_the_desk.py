"""Letters, paper, who may speak, orders to destroy: by the commands, on a real site directory."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from consent import letters
from consent.proof import act_of, proof_key
from federation.protocol.encoding import b64, canonical
from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_SITE_MESSAGE, verify
from federation.site import audit
from federation.site.choices.destroying import Orders, orders
from federation.site.choices.parties import needs
from federation.site.choices.pseudonyms import handle_text
from federation.site.cli import site as commands
from federation.site.desk.doing import opened
from federation.site.desk.paper import vouched
from federation.site.store import milliseconds, moment, open_store, transaction

TEXT = "a" * 64
NOW = datetime.now(UTC)
TODAY = NOW.date().isoformat()


def run(command, directory, *arguments):
    words = (*command.split(), directory.path, *arguments)
    return CliRunner(mix_stderr=False).invoke(commands, [str(word) for word in words])


def done(command, directory, *arguments):
    found = run(command, directory, *arguments)
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture
def database(site):
    database = open_store(site.database)
    yield database
    database.close()


def messages(site):
    """What waits for the hub, after the hub's own check of each signature."""
    waiting = json.loads(run("outbox", site, "--json").stdout)
    assert waiting["site"] == "h0"
    keys = {key_id(site.sign.public): site.sign.public}
    return [
        verify(TYP_SITE_MESSAGE, text.encode(), keys.get, audience="hub", now=None)
        for text in waiting["messages"]
    ]


def test_letters_for_a_list_of_patients_ready_to_print(site, database, tmp_path):
    (site.path / "letter.toml").write_text(
        'address = "https://keuze.example/mijn"\nphone = "085 1234567"\n'
    )
    numbers, out = tmp_path / "numbers.txt", tmp_path / "out"
    # Numbers that no random text holds: those have no blank.
    numbers.write_text("nummer 1\n\n nummer 2 \n")
    wanted = ("--numbers", numbers, "--study", "onco", "--any-number")
    made = done("invite", site, *wanted, "--out", out)
    assert len(made["letters"]) == 2

    lines = (out / "second-step.csv").read_text().splitlines()
    digits = {row["letter"]: row for row in csv.DictReader(lines)}
    sent = {each["content"]["code_id"]: each for each in messages(site)}
    for each in made["letters"]:
        file = out / each["file"]
        assert file.name.startswith("brief-")
        assert oct(file.stat().st_mode & 0o777) == "0o600"
        content = sent[each["code_id"]]["content"]
        row = database.execute(
            "SELECT handle, party, proof_key FROM letter WHERE code_id = ?", (each["code_id"],)
        ).fetchone()
        number = digits[each["code_id"]]["number"]
        assert row[0] == site.handles.handle(number)
        assert content["handle"] == handle_text(row[0])
        assert letters.second_proves(
            content["second_verifier"], row[2], digits[each["code_id"]]["digits"]
        )
        # Neither number nor digits are known to the hub or stand in this database.
        assert number not in json.dumps(content)
    dump = "\n".join(database.iterdump())
    assert "nummer" not in dump
    for row in digits.values():
        assert not re.search(rf"(?<![0-9A-Za-z_-]){row['digits']}(?![0-9A-Za-z_-])", dump)
    assert audit.first_break(database) is None
    assert [each["seq"] for each in messages(site)] == [1, 2]


def test_a_letter_is_one_the_hub_understands_and_its_secret_is_nowhere(site, database):
    made = done("invite", site, "--number", "P1", "--study", "onco")["letters"][0]
    code = letters.read_code(made["letter"].lower())
    content = messages(site)[0]["content"]

    assert letters.proves(content["verifier"], code.code_id, code.secret)
    wrong = code.secret[:-1] + ("0" if code.secret[-1] != "0" else "1")
    assert not letters.proves(content["verifier"], code.code_id, wrong)
    key = proof_key(code.code_id, code.secret)
    assert letters.second_proves(content["second_verifier"], key, made["digits"])
    assert database.execute("SELECT proof_key FROM letter").fetchone()[0] == key
    assert code.secret not in "\n".join(database.iterdump())
    assert content["party"] == content["role"] == "self"

    again = done("invite", site, "--number", "P1", "--study", "onco", "--no-second")["letters"][0]
    assert again["digits"] is None
    assert messages(site)[1]["content"]["second_verifier"] is None
    ended = dict(database.execute("SELECT code_id, ended_at IS NOT NULL FROM letter"))
    assert ended == {code.code_id: 1, again["code_id"]: 0}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--number", "P99", "--study", "onco"],
        ["--number", "P1", "--study", "x"],
        ["--number", "P1", "--study", "onco", "--party", "p-0123456789abcdef"],
        ["--number", "P1", "--study", "onco", "--out", "OUT"],  # no address, no telephone
    ],
)
def test_a_letter_that_cannot_be_made_leaves_nothing(site, database, tmp_path, wrong):
    wrong = [str(tmp_path / "out") if word == "OUT" else word for word in wrong]
    found = run("invite", site, *wrong)
    assert found.exit_code == 2
    assert found.stderr
    assert database.execute("SELECT count(*) FROM letter").fetchone() == (0,)
    assert messages(site) == []


def test_any_number_may_be_written_to_when_asked(site):
    done("invite", site, "--number", "P99", "--study", "onco", "--any-number")


def test_a_no_on_paper_works_at_once_and_a_yes_after_a_second_person(site, database):
    entered = done(
        *("paper enter", site, "--number", "P1", "--study", "onco", "--signed-on", TODAY),
        *("--yes", "use.record", "--yes", "use.network", "--no", "use.ai", "--text", TEXT),
        *("--by", "Anna Bakker"),
    )
    form, handle = entered["form"], site.handles.handle("P1")
    assert entered["works_now"] == ["use.ai"]
    rows = database.execute("SELECT handle, study, item FROM denial").fetchall()
    assert rows == [(handle, "onco", "use.ai")]
    act = act_of(f"{form}-yes")
    assert vouched(database, act) is None
    first = messages(site)
    assert [each["content"]["answers"] for each in first] == [{"use.ai": "no"}]
    assert len(first[0]["content"]["checked_by"]) == 1

    same = run("paper confirm", site, form, "--by", " anna  BAKKER")
    assert same.exit_code == 2
    assert "another person" in same.stderr
    assert len(messages(site)) == 1
    assert done("paper list", site)[0]["form"] == form

    done("paper confirm", site, form, "--by", "Bram Smit")
    sent = messages(site)[1]["content"]
    assert sent["answers"] == {"use.network": "yes", "use.record": "yes"}
    assert sent["form"] == f"{form}-yes"
    assert len(set(sent["checked_by"])) == 2
    assert not any(name in json.dumps(sent) for name in ("Anna", "Bram"))
    found = vouched(database, act)
    assert (found.handle, found.yes) == (handle, ("use.network", "use.record"))
    assert found.at <= NOW
    assert done("paper list", site) == []
    assert run("paper confirm", site, form, "--by", "Carla").exit_code == 2

    done("paper end", site, form, "--reason", "wrong_person", "--by", "Bram Smit")
    assert vouched(database, act) is None
    assert messages(site)[2]["kind"] == "invalidate"
    assert messages(site)[2]["content"]["act"] == act
    assert audit.first_break(database) is None


@pytest.mark.parametrize(
    "wrong",
    [
        ["--study", "onco", "--yes", "use.record"],  # no text
        ["--study", "onco", "--yes", "use.record", "--text", TEXT, "--how", "phone"],
        ["--study", "onco", "--yes", "use.record", "--no", "use.record", "--text", TEXT],
        ["--study", "onco"],
        ["--all-studies", "--yes", "use.record", "--text", TEXT],
        ["--study", "onco", "--no", "Use Record"],
        ["--study", "other", "--stop"],
        ["--study", "onco", "--stop", "--party", "p-0123456789abcdef"],
        ["--study", "onco", "--stop", "--signed-on", "2099-01-01"],
    ],
)
def test_a_form_that_cannot_be_right_is_not_entered(site, database, wrong):
    given = ["--number", "P1", "--signed-on", TODAY, "--by", "Anna", *wrong]
    found = run("paper enter", site, *given)
    assert found.exit_code == 2, found.stdout
    assert database.execute("SELECT count(*) FROM paper_act").fetchone() == (0,)
    assert database.execute("SELECT count(*) FROM denial").fetchone() == (0,)


def test_a_list_dated_far_ahead_does_not_keep_a_later_yes_from_counting(site, database):
    """A no at the desk is later than the list in use, but never much later than now."""
    body = b"h." + b64(canonical({"issued": 4_070_908_800})).encode() + b".s"
    with transaction(database):
        database.execute(
            "INSERT INTO snapshot VALUES (1, 1, ?, ?, NULL)", (body, milliseconds(NOW))
        )
    no = ("--study", "onco", "--stop", "--how", "phone", "--signed-on", TODAY, "--by", "Anna")
    done("paper enter", site, "--number", "P1", *no)
    [(said,)] = database.execute("SELECT at FROM denial")
    # NOW is when this file was read, which may be long ago in a whole run.
    assert milliseconds(NOW) <= said <= milliseconds(datetime.now(UTC) + timedelta(minutes=10))


def test_whose_no_it_is_must_be_said_where_others_speak_too(site, database):
    """A patient's own no is lifted by nobody else: a parent's call must not become one."""
    child = ("--number", "P1", "--by", "Anna")
    done("person", site, *child, "--born", f"{NOW.year - 8}-05")
    parent = done("person", site, *child, "--add", "parent")["representatives"][0]["party"]
    no = ("--study", "onco", "--stop", "--how", "phone", "--signed-on", TODAY)
    refused = run("paper enter", site, *child, *no)
    assert refused.exit_code == 2
    assert "--party self" in refused.stderr
    done("paper enter", site, *child, *no, "--party", parent)
    assert database.execute("SELECT count(*) FROM own_denial").fetchone() == (0,)
    done("paper enter", site, *child, *no, "--party", "self")
    assert database.execute("SELECT count(*) FROM own_denial").fetchone() == (1,)


def test_stopping_by_phone_closes_everything_and_never_goes_away(site, database):
    done(
        *("paper enter", site, "--number", "P1", "--all-studies", "--how", "phone"),
        *("--signed-on", TODAY, "--by", "Anna"),
    )
    assert database.execute("SELECT study, item FROM denial").fetchall() == [("*", "*")]
    for statement in ("DELETE FROM denial", "UPDATE denial SET at = 0"):
        with pytest.raises(Exception, match=r"forgotten|forward"):
            database.execute(statement)


def test_parents_children_and_the_hub_hear_the_same(site, database):
    month = f"{NOW.year - 13}-01"
    made = done("person", site, "--number", "P1", "--born", month, "--by", "Anna")
    assert made["age_class"] == "12-15"
    assert made["needed_now"] == ["nobody", "self"]
    made = done("person", site, "--number", "P1", "--add", "parent", "--by", "Anna")
    party = made["representatives"][0]["party"]
    assert made["needed_now"] == sorted([party, "self"])
    handle = site.handles.handle("P1")
    assert needs(database, NOW + timedelta(minutes=1)) == {handle: frozenset({party, "self"})}
    sixteen = datetime(NOW.year + 3, 1, 1, tzinfo=UTC)
    assert needs(database, sixteen) == {handle: frozenset({"self"})}
    assert [each["kind"] for each in messages(site)] == ["age_class", "representative"]
    assert month not in json.dumps(messages(site))

    letter = done("invite", site, "--number", "P1", "--study", "onco", "--party", party)
    assert letter["letters"][0]["party"] == party
    assert messages(site)[-1]["content"]["role"] == "parent"

    made = done("person", site, "--number", "P1", "--end", party, "--by", "Anna")
    assert made["needed_now"] == ["nobody", "self"]
    assert database.execute("SELECT ended_at IS NOT NULL FROM letter").fetchone() == (1,)
    assert done("person", site, "--number", "P2")["needed_now"] == ["self"]
    assert run("person", site, "--number", "P2", "--died").exit_code == 2  # nobody says so


def test_who_turns_sixteen_soon_is_listed_until_there_is_a_letter(site):
    soon = (NOW + timedelta(days=40)).date()
    late = (NOW + timedelta(days=400)).date()
    for number, day in (("P1", soon), ("P2", late)):
        month = f"{day.year - 16}-{day.month:02d}"
        done("person", site, "--number", number, "--born", month, "--by", "Anna")
    month = f"{soon.year}-{soon.month:02d}"
    assert done("due", site) == [{"number": "P1", "from_month": month}]
    assert len(done("due", site, "--months", "18")) == 2
    done("invite", site, "--number", "P1", "--study", "onco")
    assert done("due", site) == []


def test_a_mentor_takes_over_and_an_end_in_the_past_leaves_nobody(site):
    yesterday = (NOW - timedelta(days=1)).date().isoformat()
    made = done(
        "person", site, "--number", "P1", "--add", "mentor", "--until", yesterday, "--by", "Anna"
    )
    assert made["needed_now"] == []
    made = done("person", site, "--number", "P1", "--decides", "--by", "Anna")
    assert made["needed_now"] == ["self"]


def test_after_death_no_letter_and_no_yes_and_the_hub_hears_no_reason(site):
    done("invite", site, "--number", "P1", "--study", "onco")
    given = ("--number", "P1", "--study", "onco", "--signed-on", TODAY, "--by", "Anna")
    yes = ("--yes", "use.record", "--text", TEXT)
    waits = done("paper enter", site, *given, *yes)["form"]
    done("person", site, "--number", "P1", "--died", "--by", "Anna")
    last = messages(site)[-1]
    assert (last["kind"], set(last["content"])) == ("closed", {"handle"})
    assert run("invite", site, "--number", "P1", "--study", "onco").exit_code == 2
    assert run("paper enter", site, *given, *yes).exit_code == 2
    assert "has died" in run("paper confirm", site, waits, "--by", "Bram Smit").stderr
    done("paper enter", site, *given, "--stop")


def _order(site, days, **more):
    return {
        "order": "0" * 31 + "1",
        "handle": handle_text(site.handles.handle("P1")),
        "study": "onco",
        "what": ["bio.store"],
        "grace_until": milliseconds(NOW + timedelta(days=days)),
        "cancelled": False,
        **more,
    }


def _take(site, *given):
    with opened(site.path) as desk, desk.act():
        Orders(desk.database, desk.outbox).take({"destroy": list(given)}, NOW)


def test_an_order_is_answered_once_after_the_days_of_thought(site, database):
    order = "0" * 31 + "1"
    _take(site, _order(site, -1))  # a hub that would have it done at once
    [found] = orders(database)
    assert found.grace_until == moment(milliseconds(NOW + timedelta(days=14)))
    assert run("destroy done", site, order, "--by", "Anna").exit_code == 2
    with transaction(database):
        database.execute("UPDATE destroy_order SET grace_until = 1")
    assert done("destroy list", site, "--numbers")[0]["number"] == "P1"
    assert run("destroy partly", site, order, "--by", "Anna").exit_code == 2  # without a reason
    assert run("destroy partly", site, order, "--reason", "x", "--by", "Anna").exit_code == 2
    done("destroy partly", site, order, "--reason", "care_record", "--by", "Anna")
    assert messages(site)[-1]["content"] == {
        "order": order, "status": "partly", "reason_code": "care_record",
    }  # fmt: skip
    assert run("destroy done", site, order, "--by", "Anna").exit_code == 2
    assert done("destroy list", site) == []
    assert len(done("destroy list", site, "--all")) == 1


def test_an_order_that_is_taken_back_or_cannot_be_read_is_not_carried_out(site, database):
    _take(site, _order(site, -1))
    _take(site, _order(site, -1, cancelled=True))
    assert orders(database)[0].cancelled
    assert run("destroy done", site, "0" * 31 + "1", "--by", "Anna").exit_code == 2
    odd = [None, 3, [], {}, _order(site, 1, order="x\n"), _order(site, 1, handle="zz")]
    odd += [_order(site, 1, what=["<b>"]), _order(site, 1, grace_until=2**70)]
    odd += [_order(site, 1, cancelled="no", order="0" * 31 + "2")]
    _take(site, *odd)
    assert len(orders(database)) == 1
