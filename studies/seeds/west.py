"""Regionaal Oncologienetwerk West with its tumour groups.

Real: the seven hospitals and the groups (the network's own page), that it started on 12 December
2017 with six groups, that liver-pancreas and melanoma came in February 2019 (reference 8 of
domain.md), and that there were nine by September 2021. Recalled and to be checked: the kind of each
hospital. Invented and marked so: all people, agreements and studies.
"""

from typing import Final

from studies.seeds.group_shapes import group_of
from studies.seeds.people import filled, names
from studies.seeds.portfolio import portfolio
from studies.seeds.shape import (
    AgreementSeed,
    InstitutionSeed,
    MeetingSeed,
    NetworkSeed,
    OfficeSeed,
    PersonSeed,
)

INSTITUTIONS: Final = (
    InstitutionSeed("alrijne", "Alrijne Ziekenhuis", "general", "Leiderdorp"),
    InstitutionSeed("groene-hart", "Groene Hart Ziekenhuis", "general", "Gouda"),
    InstitutionSeed("haga", "HagaZiekenhuis", "top_clinical", "Den Haag"),
    InstitutionSeed("hmc", "Haaglanden Medisch Centrum", "top_clinical", "Den Haag"),
    InstitutionSeed("langeland", "LangeLand Ziekenhuis", "general", "Zoetermeer"),
    InstitutionSeed("lumc", "Leids Universitair Medisch Centrum", "university", "Leiden"),
    InstitutionSeed("reinier-de-graaf", "Reinier de Graaf Gasthuis", "top_clinical", "Delft"),
)
_START: Final = "2017-12-12"
_drawn = names("west-chairs")
_GROUPS: Final = tuple(
    group_of(slug, PersonSeed(next(_drawn), discipline, seat, role="chair"), since=since)
    for slug, discipline, seat, since in (
        ("gynaecology", "gynaecology", "lumc", _START),
        ("breast", "surgical_oncology", "haga", _START),
        ("lung", "pulmonology", "hmc", _START),
        ("colorectal", "surgical_oncology", "reinier-de-graaf", _START),
        ("oesophagus-stomach", "gastroenterology", "lumc", _START),
        ("urology", "urology", "alrijne", _START),
        ("liver-pancreas", "surgical_oncology", "lumc", "2019-02-01"),
        ("skin", "dermatology", "lumc", "2019-02-01"),
        ("neuro-oncology", "neurology", "hmc", "2021-09-01"),
    )
)

WEST: Final = NetworkSeed(
    slug="west",
    name="Regionaal Oncologienetwerk West",
    region_nl="West-Nederland",
    region_en="West Netherlands",
    since=_START,
    source=(
        "Hospitals and groups: the network's own page and its news of 2018 and 2021. People, "
        "agreements and studies are invented."
    ),
    institutions=INSTITUTIONS,
    groups=filled(_GROUPS, INSTITUTIONS, "west"),
    studies=(),
    agreements=(
        AgreementSeed(
            "queries",
            "2023-1",
            "Overeenkomst over vragen van het netwerk: alleen totalen",
            "Agreement on queries of the network: only totals",
            "2023-01-01",
            "raad van bestuur (verzonnen / invented)",
        ),
    ),
    offices=(
        OfficeSeed("client_council", "Corrie Cliënt"),
        OfficeSeed("gp_circle", "Henny Huisarts"),
    ),
    # The second plenary session was on 19 June 2018; what it decided is invented.
    meetings=(
        MeetingSeed(
            "breast",
            "2018-06-19",
            ("Uitkomstmetingen", "Gezamenlijke studies"),
            (("De groep maakt plannen voor gezamenlijke studies (verzonnen).", ()),),
        ),
    ),
    trials=portfolio(_GROUPS, INSTITUTIONS, 18, "west"),
)
