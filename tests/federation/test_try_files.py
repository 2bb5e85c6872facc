"""The files, columns and queries that ``oncokring try`` takes, and how it refuses the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trying import BASE, COUNT, cells, expected_cells, patients, split, write_csv

Try = Callable[..., Any]


class TestFiles:
    def test_spellings_of_the_same_values(self, folder: Path, tried: Try) -> None:
        spelled = [
            {**row, "grade": f"{row['grade']}.0", "relapse": word, "age": f"{row['age']}.0"}
            for row, word in zip(
                patients()[:300], ["1", "0", "true", "FALSE", "yes", "No"] * 50, strict=True
            )
        ]
        write_csv(folder / "data" / "Eén.csv", spelled[0::3], ";")
        write_csv(folder / "data" / "two.csv", spelled[1::3], "\t")
        write_csv(folder / "data" / "three.CSV", spelled[2::3])
        query = {**BASE, "analysis": {"kind": "count", "by": ["relapse", "grade"]}}
        answer = tried(query, options=("--json", "--policy", "open-data")).answer
        assert (answer["result"]["n"], answer["result"]["missing"]) == (300, 0)
        relapsed = sum(
            cell["n"] for cell in answer["result"]["cells"] if cell["by"]["relapse"] == "true"
        )
        assert relapsed == 150

    def test_parquet(self, folder: Path, tried: Try) -> None:
        duckdb = pytest.importorskip("duckdb")
        for number in range(3):
            write_csv(folder / "one.csv", patients()[number::3])
            target = folder / "data" / f"h{number}.parquet"
            duckdb.sql(f"COPY (FROM '{folder / 'one.csv'}') TO '{target}'")
        done = tried(COUNT)
        assert done.code == 0
        assert cells(done.answer) == expected_cells()

    def test_without_a_key_the_row_number_serves_and_that_is_said(
        self, folder: Path, tried: Try
    ) -> None:
        rows = [{k: v for k, v in row.items() if k != "patient_id"} for row in patients()]
        split(folder, 3, rows)
        done = tried(COUNT)
        assert done.code == 0
        assert "number of the row" in done.words
        assert cells(done.answer) == expected_cells()

    def test_a_column_of_no_variable_is_left_alone(self, folder: Path, tried: Try) -> None:
        split(folder, 3, [{**row, "BSN": "canary-123456782"} for row in patients()])
        done = tried(COUNT)
        assert done.code == 0
        assert "canary" not in done.out + done.words


class TestWrongUse:
    @pytest.fixture(autouse=True)
    def _three_sites(self, folder: Path) -> None:
        split(folder, 3)

    def test_a_missing_column_is_named_with_its_file(self, folder: Path, tried: Try) -> None:
        rows = [{k: v for k, v in row.items() if k != "grade"} for row in patients()[:50]]
        write_csv(folder / "data" / "h01.csv", rows)
        done = tried(COUNT)
        assert (done.code, done.out) == (2, "")
        assert "'grade'" in done.words
        assert "h01.csv" in done.words

    def test_a_missing_column_that_no_query_needs_is_no_matter(
        self, folder: Path, tried: Try
    ) -> None:
        rows = [{k: v for k, v in row.items() if k != "rfs_days"} for row in patients()[:50]]
        write_csv(folder / "data" / "h01.csv", rows)
        assert tried(COUNT).code == 0

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({**COUNT, "analysis": {"kind": "count", "by": ["hormon"]}}, "hormone"),
            ({**COUNT, "analysis": {"kind": "cuont"}}, "count"),
            ({**COUNT, "cohrt": {}}, "cohort"),
            ({**COUNT, "sites": ["h00", "h09"]}, "h09"),
            ("{not json", "q0.json"),
            ("[1]", "q0.json"),
        ],
    )
    def test_a_wrong_query(self, query: Any, words: str, tried: Try) -> None:
        done = tried(query)
        assert (done.code, done.out) == (2, "")
        assert words in done.words

    def test_two_files_of_one_site(self, folder: Path, tried: Try) -> None:
        write_csv(folder / "data" / "H 00.csv", patients()[:20])
        write_csv(folder / "data" / "h-00.csv", patients()[20:40])
        done = tried(COUNT)
        assert (done.code, done.out) == (2, "")
        assert "rename" in done.words

    def test_the_same_patient_twice_in_a_file(self, folder: Path, tried: Try) -> None:
        write_csv(folder / "data" / "h00.csv", [patients()[0], patients()[0]])
        done = tried(COUNT)
        assert (done.code, done.out) == (2, "")
        assert "h00.csv" in done.words
        assert "P0" not in done.words

    @pytest.mark.parametrize("content", [b"", b"\x00\x01PAR1", "age\nä\n".encode("latin-1")])
    def test_an_unreadable_file(self, content: bytes, folder: Path, tried: Try) -> None:
        (folder / "data" / "h00.csv").write_bytes(content)
        done = tried(COUNT)
        assert (done.code, done.out) == (2, "")
        assert "h00.csv" in done.words

    def test_no_folder(self, folder: Path, tried: Try) -> None:
        done = tried(COUNT, options=("--data", str(folder / "nowhere")))
        assert (done.code, done.out) == (2, "")

    def test_a_policy_below_the_floor(self, folder: Path, tried: Try) -> None:
        (folder / "policy.yaml").write_text("policy_version: 1\nt_cell: 1\n")
        done = tried(COUNT, options=("--policy", str(folder / "policy.yaml")))
        assert (done.code, done.out) == (2, "")
