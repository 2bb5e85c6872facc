"""How a file's values become a codebook's, and a file's name a site's."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from federation.query.codebook import Codebook
from registry.trial.files import WrongUse, find_files, site_slug, text

VARIABLES = Codebook.from_dict(
    {
        "codebook": "small/1",
        "variables": {
            "grade": {"type": "category", "levels": ["1", "2"]},
            "hormone": {"type": "category", "levels": ["no", "yes"]},
            "none": {"type": "category", "levels": ["NA", "other"]},
            "relapse": {"type": "boolean"},
            "age": {"type": "integer", "min": 0, "max": 120},
            "pgr": {"type": "number", "min": 0, "max": 9},
            "diagnosed": {"type": "date"},
        },
    }
).variables


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("grade", "1.0", "1"),
        ("grade", 2, "2"),
        ("grade", 2.0, "2"),
        ("grade", " 1 ", "1"),
        ("grade", "1.5", "1.5"),
        ("hormone", True, "yes"),
        ("hormone", False, "no"),
        ("none", "NA", "NA"),
        ("grade", "NA", ""),
        ("relapse", "YES", "true"),
        ("relapse", "0", "false"),
        ("relapse", 1.0, "true"),
        ("relapse", True, "true"),
        ("relapse", "maybe", "maybe"),
        ("relapse", None, ""),
        ("age", "63.0", "63"),
        ("age", "nan", ""),
        ("pgr", "1,5", "1.5"),
        ("pgr", "1.5", "1.5"),
        ("diagnosed", dt.datetime(2024, 5, 6, tzinfo=dt.UTC), "2024-05-06"),
        ("diagnosed", "2024-05-06", "2024-05-06"),
    ],
)
def test_values(name: str, value: Any, expected: str) -> None:
    assert text(value, VARIABLES[name]) == expected


@pytest.mark.parametrize(
    ("stem", "slug"),
    [("Site 1", "site-1"), ("a__b", "a-b"), ("Één", "n"), ("x" * 99, "x" * 63), ("-a-", "a")],
)
def test_slugs(stem: str, slug: str) -> None:
    assert site_slug(stem) == slug


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(WrongUse):
        site_slug("…")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("b.csv", "a.PARQUET", "notes.txt", ".hidden.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert [(file.slug, file.kind) for file in find_files(tmp_path)] == [
        ("a", "parquet"),
        ("b", "csv"),
    ]
