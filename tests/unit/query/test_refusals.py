from __future__ import annotations

import re

import pytest

from federation.query.errors import BAD_VALUE, QueryError, check_keys, did_you_mean, shown
from federation.query.refusals import REFUSALS, Refused

# disclosure.md section 4.4 and 4.7, then the protocol's own
CODES = """STUDY_NOT_OPEN CONSENT_UNAVAILABLE NOT_IN_CATALOGUE TOO_FINE ROSTER SMALL_GROUP
MODEL_TOO_RICH MODEL_UNSTABLE INSTITUTION_HIDDEN BUDGET PAUSED_FOR_UPDATE INTERNAL_REFUSED
PROTOCOL SITE_UNREACHABLE QUERY_NOT_APPROVED DATA_MISMATCH PAUSED NO_MATCH""".split()


def test_every_public_code_has_texts() -> None:
    assert set(REFUSALS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("lang", ["en", "nl"])
def test_texts_are_sentences_without_numbers(code: str, lang: str) -> None:
    text = REFUSALS[code].message(lang)
    assert text.endswith(".")
    assert not re.search(r"[0-9]", text)
    assert REFUSALS[code].message("en") != REFUSALS[code].message("nl")


def test_refused_names_terms_and_nothing_else() -> None:
    refused = Refused("MODEL_TOO_RICH", ("grade[3]", "age:hormone[yes]"))
    assert refused.message("en").endswith("(grade[3], age:hormone[yes])")
    assert Refused("SMALL_GROUP").message("nl") == REFUSALS["SMALL_GROUP"].message("nl")


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(ValueError, match="not a public refusal code"):
        Refused("WHATEVER")
    with pytest.raises(ValueError, match="not a code"):
        QueryError("WHATEVER", "x")


def test_what_the_author_wrote_is_shown_on_one_short_line() -> None:
    assert shown("a\x1b[2Jb\nc") == "a?[2Jb?c"
    assert len(shown("x" * 10_000)) == 61


def test_the_nearest_name_or_all_names() -> None:
    assert did_you_mean("survivl", ["survival", "count"]) == "Did you mean 'survival'?"
    assert did_you_mean("zzz", ["b", "a"]) == "Use one of: a, b."
    assert did_you_mean("zzz", [f"n{i:02}" for i in range(30)]).endswith("n19, ….")
    assert did_you_mean("zzz", []) == "Nothing is allowed here."


def test_check_keys_names_the_missing_key() -> None:
    with pytest.raises(QueryError, match="'b' is missing") as caught:
        check_keys({"a": 1}, ("a", "b"), ("a", "b"), "here")
    assert (caught.value.code, str(caught.value)[:5]) == (BAD_VALUE, "here:")
