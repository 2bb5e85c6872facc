"""Zuidwest: the regional oncology network with its two subnetworks, EMBRAZE and CONCORD.

Real: the network, its subnetworks, the institutions of each at their founding and that Erasmus MC
is lead representative in both (the network's own page; references 2 and 3 of domain.md). Recalled
and to be checked: kind and city of each institution, the year of CONCORD. Invented and marked so:
all people, the groups' names, every agreement and study, all days.
"""

from typing import Final

from studies.seeds.group_shapes import group_of
from studies.seeds.people import filled, names
from studies.seeds.portfolio import portfolio
from studies.seeds.shape import (
    AgreementSeed,
    InstitutionSeed,
    NetworkSeed,
    PersonSeed,
    SubnetworkSeed,
)

ERASMUS: Final = InstitutionSeed("erasmus-mc", "Erasmus MC", "university", "Rotterdam")
_EMBRAZE: Final = (
    InstitutionSeed("adrz", "Admiraal De Ruyter Ziekenhuis", "general", "Goes"),
    InstitutionSeed("amphia", "Amphia Ziekenhuis", "top_clinical", "Breda"),
    InstitutionSeed("bravis", "Bravis ziekenhuis", "general", "Bergen op Zoom"),
    InstitutionSeed("etz", "Elisabeth-TweeSteden Ziekenhuis", "top_clinical", "Tilburg"),
    InstitutionSeed("verbeeten", "Instituut Verbeeten", "radiotherapy", "Tilburg"),
    InstitutionSeed("jeroen-bosch", "Jeroen Bosch Ziekenhuis", "top_clinical", "'s-Hertogenbosch"),
    InstitutionSeed("zorgsaam", "ZorgSaam Ziekenhuis", "general", "Terneuzen"),
    InstitutionSeed("zri", "Zuidwest Radiotherapeutisch Instituut", "radiotherapy", "Vlissingen"),
)
_CONCORD: Final = (
    InstitutionSeed(
        "albert-schweitzer", "Albert Schweitzer Ziekenhuis", "top_clinical", "Dordrecht"
    ),
    InstitutionSeed("franciscus", "Franciscus Gasthuis & Vlietland", "top_clinical", "Rotterdam"),
    InstitutionSeed("ikazia", "Ikazia Ziekenhuis", "general", "Rotterdam"),
    InstitutionSeed("maasstad", "Maasstad Ziekenhuis", "top_clinical", "Rotterdam"),
    InstitutionSeed("ijsselland", "IJsselland Ziekenhuis", "general", "Capelle aan den IJssel"),
    InstitutionSeed("rivas", "Rivas (Beatrixziekenhuis)", "general", "Gorinchem"),
    InstitutionSeed("spijkenisse-mc", "Spijkenisse Medisch Centrum", "general", "Spijkenisse"),
    InstitutionSeed("van-weel-bethesda", "Van Weel-Bethesda Ziekenhuis", "general", "Dirksland"),
)
INSTITUTIONS: Final = (ERASMUS, *_EMBRAZE, *_CONCORD)

_drawn = names("zuidwest-chairs")
_GROUPS: Final = tuple(
    group_of(slug, PersonSeed(next(_drawn), discipline, "erasmus-mc", role="chair"))
    for slug, discipline in (
        ("breast", "surgical_oncology"),
        ("colorectal", "surgical_oncology"),
        ("lung", "pulmonology"),
        ("urology", "urology"),
        ("gynaecology", "gynaecology"),
        ("liver-pancreas", "surgical_oncology"),
        ("oesophagus-stomach", "surgical_oncology"),
        ("skin", "dermatology"),
    )
)
_SIGNATORY: Final = "raad van bestuur (verzonnen / invented)"

ZUIDWEST: Final = NetworkSeed(
    slug="zuidwest",
    name="Oncologienetwerk Zuidwest Nederland",
    region_nl="Zuidwest-Nederland",
    region_en="South-west Netherlands",
    since="2016-06-01",
    source=(
        "Names of the network, its subnetworks and institutions: the network's own page, EMBRAZE "
        "at its signing in 2016, CONCORD at its founding. Groups, people, agreements, studies and "
        "days are invented."
    ),
    institutions=INSTITUTIONS,
    groups=filled(_GROUPS, INSTITUTIONS, "zuidwest"),
    studies=(),
    subnetworks=(
        SubnetworkSeed(
            "embraze",
            "EMBRAZE",
            (("erasmus-mc", "lead"), *((each.slug, "member") for each in _EMBRAZE)),
            "2016-06-01",
            "Zeeland, West- en Midden-Brabant",
            "Zeeland, West and Central Brabant",
        ),
        SubnetworkSeed(
            "concord",
            "CONCORD",
            (("erasmus-mc", "lead"), *((each.slug, "member") for each in _CONCORD)),
            "2017-01-01",
            "Rotterdam en Dordrecht",
            "Rotterdam and Dordrecht",
        ),
    ),
    agreements=(
        AgreementSeed(
            "queries",
            "2023-1",
            "Overeenkomst over vragen van het netwerk: alleen totalen",
            "Agreement on queries of the network: only totals",
            "2023-01-01",
            _SIGNATORY,
            unsigned=("spijkenisse-mc",),
        ),
    ),
    trials=portfolio(_GROUPS, INSTITUTIONS, 24, "zuidwest"),
)
