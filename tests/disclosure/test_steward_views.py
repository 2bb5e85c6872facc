"""The pages of the steward, made from what a real network did."""

import html
import re
from datetime import timedelta

import pytest

from federation.site.errors import SetupError
from federation.site.steward.deciding import refuse_query
from federation.site.steward.overview import Overview
from federation.site.steward.sent import MAX_QUERY, Register
from federation.site.steward.status import read_status, state
from federation.site.steward.views import PER_PAGE, Views
from federation.site.stopping import STOP_FILE

COUNT = {"kind": "count", "by": ["stage"]}


def views(net, lang="en"):
    return Views(Overview(net.folder / "h0"), "/word", lang)


def text(page):
    """What a reader sees, spaces flattened."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_more_questions_than_fit_on_a_page(net):
    for _ in range(PER_PAGE + 1):
        net.send("h0", b"garbage")
    first, second = views(net).sent(1), views(net).sent(2)

    assert 'href="/word/sent?page=2&amp;lang=en"' in first
    assert "Newer" not in text(first)
    assert 'href="/word/sent?page=1&amp;lang=en"' in second
    assert "Older" not in text(second)
    assert first.count("<li><div") == PER_PAGE
    assert views(net).sent(99).count("<li><div") == 0


def test_a_run_in_detail(net):
    net.ask(COUNT, title="Stage at diagnosis", purpose="To see who comes late.")
    (item, _), *_ = Overview(net.folder / "h0").items()
    page = views(net).run(item.run)
    said = text(page)

    assert "Stage at diagnosis" in said
    assert "To see who comes late." in said
    assert "Step 0: look" in said
    assert "Step 1: count.cells" in said
    assert "This number stays here." in said
    assert "below 10 is hidden" in said
    assert f"--bytes {item.run} 1" in said
    assert "Names of the numbers:" in said
    longest = max(page.replace("<", " ").split(), key=len)
    assert len(longest) < 300, "masked sums are cut: nobody reads them"
    assert f'href="/word/run/{item.run}"' in page, "the link to the other language"


def test_a_message_without_a_question_by_its_line(net):
    net.send("h0", b"garbage")
    line = Overview(net.folder / "h0").items()[0][0].last_line
    said = text(views(net).run(str(line)))

    assert "Refusal" in said
    assert "Reason in our log: BAD_MESSAGE" in said
    assert "What was asked" not in said
    net.ask(COUNT)
    (item, _), *_ = Overview(net.folder / "h0").items()
    assert views(net).run(str(item.last_line)) is None, "a run is found by its name"
    assert views(net).run("nothing") is None


def test_bytes_that_were_changed_are_shown_as_such(net):
    net.ask(COUNT)
    net.programs["h0"]._database.execute("UPDATE journal SET reply = x'00' WHERE step = 1")
    (item, _), *_ = Overview(net.folder / "h0").items()

    assert "These bytes are not those of the log" in text(views(net).run(item.run))
    assert "NOT the same as those of the log" in text(views(net).status(net.now))


def test_what_waits(build):
    net = build(study={"approve": "here"})
    net.ask(COUNT)
    net.ask({"kind": "count", "by": ["sex"]}, title="By sex")
    second = Overview(net.folder / "h0").waiting()[1].query_sha256
    refuse_query(net.folder / "h0", second, "Anna", "Too broad.", net.now)
    said = text(views(net).waiting())

    assert "Without a title (count)" in said
    assert "oncokring site approve" in said
    assert "By sex refused Anna" in said
    assert "Too broad." in said


def test_the_state_in_words(net):
    fresh = text(views(net).status(net.now + timedelta(minutes=3)))
    stale = text(views(net).status(net.now + timedelta(minutes=16)))

    assert "number 1, 3 minutes old; fresh enough" in fresh
    assert "too old; nobody is counted" in stale
    assert "the chain is unbroken" in fresh
    (net.folder / "h0" / STOP_FILE).touch()
    stopped = text(views(net).status(net.now))
    assert "paused" in stopped
    assert "A file STOP lies in the site's directory." in stopped


def test_the_state_of_a_site_that_never_ran(net):
    path = net.folder / "h0"
    net.programs.pop("h0").close()
    for file in path.glob("site.sqlite*"):
        file.unlink()

    assert "none; nobody is counted" in text(views(net).status(net.now))
    found = state(Overview(path), net.now)
    assert (found["snapshot"], found["snapshot_fresh"], found["sent"]) == (None, False, {})


def test_a_consent_list_of_another_hub(net):
    path = net.folder / "h0"
    file = path / "site.toml"
    file.write_text(file.read_text().replace('network = "testnet"', 'network = "another"'))

    for look in (lambda: state(Overview(path), net.now), lambda: read_status(path, net.now)):
        with pytest.raises(SetupError, match="consent snapshot"):
            look()


@pytest.mark.parametrize("content", [None, "t_cell: 3\n"])
def test_a_policy_that_is_none(net, content):
    file = net.folder / "h0" / "policy.yaml"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(SetupError, match=r"policy\.yaml"):
        Overview(net.folder / "h0")


def test_a_query_of_many_pages_is_not_kept(net, read):
    """A hub cannot fill the disk with texts that nobody reads; what left is noted all the same."""
    from federation.protocol.messages import TYP_STEP, sign

    claims = read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])
    codes = ["8140", "8500", "8502"] * (MAX_QUERY // 20)
    query = {**claims["query"], "cohort": {"var": "hist", "op": "in", "value": codes}}
    own = {
        key: value
        for key, value in {**claims, "query": query, "run": "large"}.items()
        if key not in ("v", "iss", "aud", "iat", "exp", "jti")
    }
    times = {"now": net.now, "lifetime": timedelta(hours=1)}
    message = sign(TYP_STEP, own, net.hub, issuer="hub", audience="h0", **times)
    reply = net.claims("h0", message)

    assert reply["status"] == "refused"
    register = Register(net.programs["h0"]._database)
    assert register.messages(run="large")[0].body in net.bodies
    kept = "SELECT max(length(query)) FROM question"
    longest = net.programs["h0"]._database.execute(kept).fetchone()[0]
    assert longest is None or longest <= MAX_QUERY
