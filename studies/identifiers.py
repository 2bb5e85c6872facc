"""Numbers of a study in public registers: how each is written, and its place there.

- EU CT: `2022-500001-23-00`, year, number, check digits, and the submission (CTIS, Regulation (EU)
  536/2014).
- EudraCT: `2019-001234-56` (the register before it).
- ABR: `NL81234.058.22`, file number, number of the committee, year (CCMO; ToetsingOnline).
- NCT: `NCT01234567` (ClinicalTrials.gov).
- OMON: `NL-OMON51234`, or a number of the Netherlands Trial Register that it took over
  (`NL9876`, `NTR5678`).
"""

import re
from collections.abc import Mapping
from typing import Final

from studies.errors import StudiesError

# code -> name, how it is written, where it is looked up ({} is the number).
REGISTERS: Final[Mapping[str, tuple[str, str, str]]] = {
    "eu_ct": (
        "EU CT",
        r"20[2-9]\d-5\d{5}-\d{2}(-\d{2})?",
        "https://euclinicaltrials.eu/search-for-clinical-trials/?lang=en&EUCT={}",
    ),
    "eudract": (
        "EudraCT",
        r"(200[4-9]|201\d|202[0-3])-\d{6}-\d{2}",
        "https://www.clinicaltrialsregister.eu/ctr-search/search?query={}",
    ),
    "abr": ("ABR (NL)", r"NL\d{5}\.\d{3}\.\d{2}", ""),
    "nct": ("NCT", r"NCT\d{8}", "https://clinicaltrials.gov/study/{}"),
    "omon": ("OMON", r"NL-OMON\d{5}|(NL|NTR)\d{1,4}", "https://onderzoekmetmensen.nl/nl/trial/{}"),
}


def check_identifiers(given: Mapping[str, str]) -> dict[str, str]:
    """The numbers as they are kept: spaces away, letters large, empty ones left out.

    Raises StudiesError `bad_identifier` for an unknown register or a number that is not written as
    that register writes it.
    """
    kept = {}
    for register, text in given.items():
        number = re.sub(r"\s", "", text).upper()
        if not number:
            continue
        if register not in REGISTERS or not re.fullmatch(REGISTERS[register][1], number):
            raise StudiesError("bad_identifier")
        kept[register] = number
    return kept


def address(register: str, number: str) -> str:
    """Where the study is found in that register; empty when it has no address per study."""
    return REGISTERS[register][2].format(number)
