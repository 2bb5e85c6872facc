"""Plans, arms and numbering by command, and what is shown, for people and for programs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import loaded_hub
import pytest
from click.testing import CliRunner, Result

from consent import joined, joining
from consent.joining import SignedForm
from registry.cli import cli
from registry.database import engine_of, open_database
from studies.actor import Actor
from studies.reading import get_participation, get_study
from studies.recruitment import screening

STUDY = "hormone-therapy"


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, ["recruitment", *arguments])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub with the network, two participants and one month of screening."""
    url = loaded_hub.copy(tmp_path / "hub.sqlite")
    monkeypatch.setenv("ONCOKRING_DATABASE", url)
    factory = open_database(url)
    yield factory
    engine_of(factory).dispose()


def test_what_is_planned_and_what_is_shown(hub) -> None:
    assert run("numbering", STUDY, "HT").stdout.startswith(f"{STUDY}: HT-0001")
    assert run("arms", STUDY, "a=Kort=Short", "b=Lang=Long").stdout == f"{STUDY}: a, b\n"
    done = run("plan", STUDY, "2026-01-01=0", "2027-01-01=40")
    assert done.stdout == f"{STUDY}: 40 participants by 2027-01-01\n"
    # A mistake is told in a sentence, and nothing is written.
    for wrong, why in (
        (("plan", STUDY, "2026-01-01=5", "2027-01-01=40"), "begins with 0"),
        (("plan", STUDY, "yesterday=0"), "DAY=NUMBER"),
        (("plan", STUDY, "2026-01-01=0", "2027-01-01=40", "--site", "elders"), "Check the name"),
        (("numbering", STUDY, "Ht"), "letters of the study"),
        (("arms", STUDY, "a"), "CODE=DUTCH=ENGLISH"),
        (("show", "no-study"), "There is no study 'no-study'"),
    ):
        found = run(*wrong)
        assert found.exit_code == 2
        assert why in found.stderr

    moment = datetime.now(UTC)
    nurse = Actor(kind="user", id="nurse")
    with hub() as session:
        study = get_study(session, STUDY)
        part = get_participation(session, STUDY, "zuyderland")
        form = SignedForm(moment.date(), joined.texts_on(session, part, moment.date())[0])
        for number in ("HT-0001", "HT-0002"):
            joining.enter(
                session,
                STUDY,
                "zuyderland",
                number,
                form,
                state="on-study",
                actor=nurse,
                now=moment,
            )
        counts = screening.Counts(
            screened=3, not_eligible={"age": 1}, eligible=2, approached=2, consented=2, registered=2
        )
        month = moment.strftime("%Y-%m")
        screening.record(session, study, "zuyderland", month, counts, actor=nurse, now=moment)
        session.commit()

    shown = run("show", STUDY).stdout
    assert f"{STUDY}: 2 of 40" in shown
    assert "zuyderland\topen\t2\t" in shown
    told = json.loads(run("show", STUDY, "--json").stdout)
    assert (told["n"], told["target"], len(told["sites"])) == (2, 40, 10)
    assert told["forecast"] is None or told["forecast"]["low"]
    assert "registered 2" in run("flow", STUDY).stdout
    assert json.loads(run("flow", STUDY, "--json").stdout)["total"]["not_eligible"] == {"age": 1}
    assert "open days lost: 0" in run("start-up", STUDY).stdout
    assert len(json.loads(run("start-up", STUDY, "--json").stdout)["sites"]) == 10
    assert "zuyderland\tscreened 3, eligible 2" in run("screening", STUDY).stdout
    assert json.loads(run("screening", STUDY, "--json").stdout)["total"]["registered"] == 2
    assert run("participants", STUDY).stdout.splitlines()[1].startswith("HT-0002\ton-study\t")
    assert json.loads(run("participants", STUDY, "--site", "maastro", "--json").stdout) == []
    assert run("fhir", STUDY).stdout.count('"resourceType": "ResearchSubject"') == 2
    alone = json.loads(run("fhir", STUDY, "--r4", "--without-participants").stdout)
    assert [one["resource"]["resourceType"] for one in alone["entry"]] == ["ResearchStudy"] * 11
