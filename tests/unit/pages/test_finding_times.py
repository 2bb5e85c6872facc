"""The findings on trends of hospitals, in words."""

from __future__ import annotations

import pytest
from flask import Flask

from registry.pages.finding_times import per_hospital
from registry.translate import COOKIE


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "The CUSUM gives a signal in 1 of 2; chance alone gives one in about 0.3."),
        ("nl", "De CUSUM geeft een signaal bij 1 van de 2; toeval alleen geeft er ongeveer 0,3."),
    ],
)
def test_beside_the_signals_stands_what_chance_gives(lang: str, words: str) -> None:
    """Review 8b.21: of ten hospitals two to four signal while nothing changes."""
    with Flask("pages").test_request_context(headers={"Cookie": f"{COOKIE}={lang}"}):
        parts = [
            {
                "n": 500,
                "quarters": [
                    {"quarter": f"2024-Q{q}", "n": 125, "observed": 25, "expected": 25.0}
                    | {"cusum": {"max": high, "signal": high > 4.5}}
                    for q in (1, 2, 3, 4)
                ],
            }
            for high in (1.0, 5.0)
        ]
        assert words in per_hospital(parts, 4.5)
        assert not [said for said in per_hospital(parts) if "CUSUM" in said]
        for part in parts:  # of a hidden expected number nothing is worked out
            part["quarters"][0]["expected"] = None  # type: ignore[index]
        assert not [said for said in per_hospital(parts, 4.5) if "CUSUM" in said]
