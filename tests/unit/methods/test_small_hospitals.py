"""Years of small hospitals taken together: nobody is dropped, nothing hidden is counted on."""

from __future__ import annotations

import pytest

from federation.methods.small_hospitals import JoinedYears, join_hospitals, join_years


@pytest.mark.parametrize(
    ("years", "wanted"),
    [
        ({2022: 40, 2023: 35, 2024: 60}, JoinedYears(2024, 2024, 60, True)),
        ({2022: 40, 2023: 35, 2024: 20}, JoinedYears(2023, 2024, 55, True)),
        ({2022: 12, 2023: 11, 2024: 10}, JoinedYears(2022, 2024, 33, False)),
        ({2022: 40, 2023: None, 2024: 20}, JoinedYears(2022, 2024, 60, True)),
        ({2021: 45, 2024: 20}, JoinedYears(2021, 2024, 65, True)),
        ({2024: None}, JoinedYears(2024, 2024, 0, False)),
        ({}, None),
    ],
)
def test_years(years: dict[int, int | None], wanted: JoinedYears | None) -> None:
    assert join_years(years, 50) == wanted


def test_no_hospital_is_dropped_and_the_order_stays() -> None:
    years = {"b": {2024: 3}, "a": {2023: 50, 2024: 50}, "c": {2023: 30, 2024: 30}}
    found = join_hospitals(years, 50)
    assert list(found) == ["b", "a", "c"]
    assert [one.enough for one in found.values()] == [False, True, True]
    assert [one.joined for one in found.values()] == [False, False, True]
