"""Numbers in public registers: as each register writes them, and nothing else."""

import pytest

from studies.errors import StudiesError
from studies.identifiers import REGISTERS, address, check_identifiers

GOOD = {
    "eu_ct": ["2022-500014-26-00", "2023-505432-11"],
    "eudract": ["2004-000001-12", "2019-001234-56"],
    "abr": ["NL81234.058.22", "nl 81234.058.22"],
    "nct": ["NCT01234567", "nct01234567"],
    "omon": ["NL-OMON51234", "NL9876", "NTR5678"],
}
BAD = {
    "eu_ct": ["2022-400014-26-00", "2019-500014-26-00", "2022-50014-26-00", "2022-500014-26-0"],
    "eudract": ["2003-001234-56", "2024-001234-56", "2019-001234"],
    "abr": ["NL8123.058.22", "81234.058.22", "NL81234-058-22"],
    "nct": ["NCT1234567", "NCT012345678", "01234567"],
    "omon": ["OMON51234", "NL-OMON512", "NL12345", "<b>NL9876</b>"],
    "isrctn": ["ISRCTN12345678"],
}


def test_every_register_has_examples() -> None:
    assert set(GOOD) == set(REGISTERS)


@pytest.mark.parametrize(("register", "number"), [(r, n) for r, ns in GOOD.items() for n in ns])
def test_a_number_is_kept_as_its_register_writes_it(register: str, number: str) -> None:
    kept = check_identifiers({register: f" {number} "})[register]
    assert kept == number.upper().replace(" ", "")
    assert check_identifiers({register: kept}) == {register: kept}
    link = address(register, kept)
    assert link == "" or (link.startswith("https://") and link.endswith(kept))


@pytest.mark.parametrize(("register", "number"), [(r, n) for r, ns in BAD.items() for n in ns])
def test_another_number_is_refused(register: str, number: str) -> None:
    with pytest.raises(StudiesError, match=r"^bad_identifier:"):
        check_identifiers({register: number})


def test_an_empty_number_is_none() -> None:
    assert check_identifiers({"nct": "  ", "abr": ""}) == {}
