"""``oncokring try`` from files to printed result, over real site processes."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lifelines
import pandas
import pytest
from trying import (
    BASE,
    COUNT,
    COX,
    SURVIVAL,
    Tried,
    cells,
    expected_cells,
    patients,
    split,
    write_csv,
)

from federation.disclosure.policy import Policy
from studies.seeds.loading import shipped_codebook

#: Data sets that come with lifelines (MIT licence).
DATA = Path(lifelines.__file__).parent / "datasets"
#: Patients, deaths and median survival by ECOG score: survival-Ex.Rout.save of R's survival.
LUNG = {"0": (63, 37, 394), "1": (113, 82, 306), "2": (50, 44, 199), "3": (1, 1, 118)}
Try = Callable[..., Tried]


class TestAnyNumberOfSites:
    @pytest.mark.parametrize("sites", [3, 10])
    def test_strict(self, sites: int, folder: Path, tried: Try) -> None:
        split(folder, sites)
        done = tried(COUNT)
        assert done.code == 0
        assert done.answer["status"] == "complete"
        assert done.answer["sites"]["asked"] == sites
        assert cells(done.answer) == expected_cells()

    @pytest.mark.parametrize("sites", [1, 2])
    def test_too_few_sites_for_a_protected_answer(
        self, sites: int, folder: Path, tried: Try
    ) -> None:
        split(folder, sites)
        done = tried(COUNT)
        assert (done.code, done.answer["code"]) == (3, "ROSTER")

    @pytest.mark.parametrize("sites", [1, 2, 3, 10])
    def test_open_data_equals_the_pooled_rows(self, sites: int, folder: Path, tried: Try) -> None:
        split(folder, sites)
        done = tried(COUNT, SURVIVAL, COX, options=("--json", "--policy", "open-data"))
        count, survival, cox = done.answer
        frame = pandas.DataFrame(patients())
        frame["hormone"] = (frame["hormone"] == "yes").astype(int)
        frame["site"] = frame.index % sites

        assert done.code == 0
        assert all(answer["protection"] == "none" for answer in done.answer)
        assert cells(count) == expected_cells()
        for level, group in frame.groupby("hormone"):
            curve = lifelines.KaplanMeierFitter().fit(group["rfs_days"], group["relapse"])
            ours = survival["result"]["groups"][level]
            assert math.isclose(ours["at"][0]["s"], curve.predict(365), rel_tol=1e-9)
            assert ours["median"] == curve.median_survival_time_
        fit = lifelines.CoxPHFitter().fit(
            frame[["age", "hormone", "rfs_days", "relapse", "site"]],
            "rfs_days",
            "relapse",
            strata=["site"],
        )
        estimates = {term["term"]: term["estimate"] for term in cox["result"]["terms"]}
        assert math.isclose(estimates["age"], fit.params_["age"], abs_tol=1e-6)
        assert math.isclose(estimates["hormone[yes]"], fit.params_["hormone"], abs_tol=1e-6)

    def test_fifty(self, folder: Path, tried: Try) -> None:
        split(folder, 50)
        done = tried(COUNT)
        assert (done.code, done.answer["sites"]["answered"]) == (0, 50)
        assert cells(done.answer) == expected_cells()

    def test_fifty_one_is_too_many(self, folder: Path, tried: Try) -> None:
        split(folder, 51)
        done = tried(COUNT)
        assert done.code == 2
        assert "51" in done.words


class TestPublishedData:
    """The German breast cancer trial and the North Central lung trial, split over sites."""

    def test_lung_medians(self, folder: Path, tried: Try) -> None:
        with (DATA / "lung.csv").open() as file:
            rows = [{"id": number, **row} for number, row in enumerate(csv.DictReader(file))]
        book = {
            "codebook": "lung/1",
            "key": "id",
            "variables": {
                "time": {"type": "duration", "unit": "days", "min": 0, "max": 5000},
                "status": {"type": "category", "levels": ["0", "1"]},
                "dead": {"type": "boolean"},
                "ph_ecog": {"type": "category", "levels": ["0", "1", "2", "3"]},
            },
        }
        (folder / "codebook.json").write_text(json.dumps(book))
        for number in range(4):
            write_csv(folder / "data" / f"Lung site {number}.csv", rows[number::4])
        mapping = folder / "mapping.yaml"
        mapping.write_text(
            "codebook: lung/1\nkey: id\nvariables:\n"
            "  time: {column: time}\n"
            "  dead: {column: status, map: {'0': false, '1': true}}\n"
            "  ph_ecog: {column: ph.ecog, map: {'0.0': '0', '1.0': '1', '2.0': '2', '3.0': '3'}}\n"
        )
        query = {
            "version": 1,
            "codebook": "lung/1",
            "analysis": {"kind": "survival", "time": "time", "event": "dead", "by": "ph_ecog"},
        }
        done = tried(query, options=("--json", "--policy", "open-data", "--mapping", str(mapping)))
        assert done.code == 0, done.words
        groups = {group["level"]: group for group in done.answer["result"]["groups"]}
        for level, published in LUNG.items():
            found = groups[level]
            assert (found["n"], found["events"], found["median"]) == published

    def test_shipped_codebook_and_lymph_node_data(self, folder: Path, tried: Try) -> None:
        """The files as a hospital would have them: other names, dates, decimals, separators."""
        (folder / "codebook.json").write_text(json.dumps(shipped_codebook("gbsg")))
        with (DATA / "lymph_node.csv").open() as file:
            rows = list(csv.DictReader(file))
        for number in range(3):
            write_csv(folder / "data" / f"s{number}.csv", rows[number::3], ";")
        mapping = folder / "mapping.yaml"
        mapping.write_text(
            "codebook: gbsg/1\nkey: id\nvariables:\n"
            "  age: {column: age}\n"
            "  hormone: {column: hormone, map: {'1': 'no', '2': 'yes'}}\n"
        )
        query = {**BASE, "analysis": {"kind": "count", "by": ["hormone"]}}
        done = tried(query, options=("--json", "--mapping", str(mapping)))
        assert done.code == 0, done.words
        counted = {c["by"]["hormone"]: c["n"] for c in done.answer["result"]["cells"]}
        assert counted == {"no": 440, "yes": 246}


class TestSeveralQueries:
    @pytest.fixture(autouse=True)
    def _three_sites(self, folder: Path) -> None:
        split(folder, 3)

    def test_sites_remember_what_they_answered(self, tried: Try) -> None:
        older = {"var": "age", "op": ">=", "value": 60}
        done = tried(COUNT, COUNT, {**COUNT, "cohort": {"all": [older]}})
        first, again, other = done.answer
        assert first["replayed"] is False
        assert again["replayed"] is True
        assert (again["result"], again["as_of"]) == (first["result"], first["as_of"])
        assert other["status"] == "complete"

    def test_differencing_is_refused_in_its_place_in_the_list(
        self, folder: Path, tried: Try
    ) -> None:
        """All, then all but four patients of one site: the second answer would single them out."""
        rows = [
            {**row, "age": 92 if n in (0, 3, 6, 9) else row["age"]}
            for n, row in enumerate(patients())
        ]
        split(folder, 3, rows)
        most = {
            **COUNT,
            "analysis": {"kind": "count"},
            "cohort": {"all": [{"var": "age", "op": "<", "value": 90}]},
        }
        done = tried({**COUNT, "analysis": {"kind": "count"}}, most, COUNT)
        assert [answer["status"] for answer in done.answer] == ["complete", "refused", "complete"]
        assert done.answer[1]["code"] == "SMALL_GROUP"
        assert done.answer[1]["message"]
        assert done.code == 3


class TestOutput:
    @pytest.fixture(autouse=True)
    def _three_sites(self, folder: Path) -> None:
        split(folder, 3)

    def test_a_readable_table(self, tried: Try) -> None:
        done = tried(COUNT, SURVIVAL, COX, options=())
        assert done.code == 0
        for words in ("A question", "hormone", "Hospitals: 3 asked, 3 answered", "Thresholds:"):
            assert words in done.out
        assert "\x1b" not in done.out

    def test_a_refusal_in_words(self, tried: Try) -> None:
        nobody = {**COUNT, "cohort": {"all": [{"var": "age", "op": ">=", "value": 85}]}}
        done = tried(nobody, options=())
        assert done.code == 3
        assert "SMALL_GROUP" in done.out
        assert "broader categories" in done.out

    def test_by_site_where_the_policy_allows_it(self, tried: Try) -> None:
        query = {**COUNT, "output": "by_site"}
        open_data = tried(query, options=("--json", "--policy", "open-data"))
        assert open_data.code == 0
        own = open_data.answer["by_site"]
        assert sorted(own) == ["h00", "h01", "h02"]
        assert sum(site["n"] for site in own.values()) == open_data.answer["result"]["n"] == 686

        strict = tried(query)
        assert (strict.code, strict.answer["code"]) == (3, "INSTITUTION_HIDDEN")

    def test_by_site_with_a_boards_form(self, folder: Path, tried: Try) -> None:
        policy = replace(
            Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True
        )
        (folder / "policy.yaml").write_text(policy.to_yaml())
        done = tried(
            {**COUNT, "output": "by_site"},
            options=("--json", "--policy", str(folder / "policy.yaml")),
        )
        assert (done.code, done.answer["result"]) == (0, {})
        assert sum(site["n"] for site in done.answer["by_site"].values()) == 686

    def test_only_some_sites(self, tried: Try) -> None:
        done = tried(
            {**COUNT, "sites": ["h02", "h00"]}, options=("--json", "--policy", "open-data")
        )
        assert done.answer["sites"]["asked"] == 2
        assert sorted(done.answer["provenance"]["snapshots"]) == ["h00", "h02"]


class TestExplainAndSchema:
    def call(self, *arguments: str) -> Tried:
        command = [sys.executable, "-m", "registry.cli", *arguments]
        return Tried(subprocess.run(command, capture_output=True, text=True, timeout=60))

    @pytest.mark.parametrize("lang", ["en", "nl"])
    def test_explain(self, lang: str, folder: Path) -> None:
        (folder / "q.json").write_text(json.dumps(COX))
        book = str(folder / "codebook.json")
        done = self.call("explain", str(folder / "q.json"), "--codebook", book, "--lang", lang)
        assert done.code == 0, done.words
        assert "10" in done.out
        assert "rfs_days" in done.out

    def test_explain_with_a_shipped_codebook(self, folder: Path) -> None:
        (folder / "q.json").write_text(json.dumps(COUNT))
        assert self.call("explain", str(folder / "q.json")).code == 0
        (folder / "q.json").write_text(json.dumps({**COUNT, "codebook": "../gbsg/1"}))
        done = self.call("explain", str(folder / "q.json"))
        assert (done.code, done.out) == (2, "")
        assert "--codebook" in done.words

    def test_explain_a_wrong_query(self, folder: Path) -> None:
        (folder / "q.json").write_text(json.dumps({**COX, "codebook": "other/1"}))
        book = str(folder / "codebook.json")
        done = self.call("explain", str(folder / "q.json"), "--codebook", book)
        assert (done.code, done.out) == (2, "")

    def test_schema(self) -> None:
        done = self.call("schema")
        assert done.code == 0
        assert "analysis" in done.answer["properties"]


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_it_is_interrupted(ended: signal.Signals, folder: Path) -> None:
    split(folder, 3)
    (folder / "q.json").write_text(json.dumps(COUNT))
    temporary = folder / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "registry.cli", "try", str(folder / "q.json")),
            *("--codebook", str(folder / "codebook.json"), "--data", str(folder / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
        # A whole run under nohup hands down that the signal is ignored, which is then right.
        preexec_fn=lambda: signal.signal(ended, signal.SIG_DFL),
    )
    # Not the first file of all: Python itself tries out the folder with one of its own.
    while not list(temporary.glob("oncokring-try-*")):
        assert process.poll() is None
    process.send_signal(ended)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + ended, b"")
    assert list(temporary.iterdir()) == []
