"""OncoZON at its real size: 10 institutions, 16 working groups, 120 studies.

The sizes are OECI's (reference 1 of domain.md). Real in it: the institutions, that each takes part
in the groups, and what the network's own pages say of expertise (Maastricht UMC+ transplants stem
cells, Máxima MC gives the care afterwards and leads in prehabilitation, MAASTRO radiates). Invented
and marked so: all people, 119 of the studies, every date and decision, the rest of the map.
"""

from dataclasses import replace
from typing import Final

from studies.seeds.oncozon import GROUPS, INSTITUTIONS, ONCOZON
from studies.seeds.people import filled
from studies.seeds.portfolio import portfolio
from studies.seeds.shape import ExpertiseSeed, MeetingSeed, NetworkSeed, OfficeSeed

STUDIES: Final = 120
_OWN_PAGES: Final = "oncozon.nl, maastro.nl; dag verzonnen / day invented"
_INVENTED: Final = "verzonnen / invented"

EXPERTISE: Final = (
    ExpertiseSeed("maastricht-umc", "C81-C96", "stem_cell", "2016-07-01", source=_OWN_PAGES),
    ExpertiseSeed("maxima-mc", "C81-C96", "aftercare", "2022-01-01", source=_OWN_PAGES),
    ExpertiseSeed("maxima-mc", "C17-C21", "prehabilitation", "2018-01-01", source=_OWN_PAGES),
    ExpertiseSeed("maastro", "C50", "radiotherapy", "2016-07-01", source=_OWN_PAGES),
    ExpertiseSeed("maastro", "C70-C72", "radiotherapy", "2016-07-01", source=_OWN_PAGES),
    ExpertiseSeed("maastro", "C00-C14", "radiotherapy", "2016-07-01", source=_OWN_PAGES),
    ExpertiseSeed("maastricht-umc", "C22-C25", "surgery", "2017-01-01", source=_INVENTED),
    ExpertiseSeed("catharina", "C22-C25", "surgery", "2017-01-01", source=_INVENTED),
    ExpertiseSeed("catharina", "C15-C16", "surgery", "2017-01-01", source=_INVENTED),
    ExpertiseSeed("zuyderland", "C15-C16", "surgery", "2017-01-01", "2021-01-01", _INVENTED),
    ExpertiseSeed("maastricht-umc", "C40-C41", "surgery", "2018-01-01", source=_INVENTED),
    ExpertiseSeed("maastricht-umc", "C00-C14", "surgery", "2016-07-01", source=_INVENTED),
    ExpertiseSeed("maastricht-umc", "C51-C58", "surgery", "2016-07-01", source=_INVENTED),
    ExpertiseSeed("catharina", "C51-C58", "surgery", "2016-07-01", source=_INVENTED),
    ExpertiseSeed("zuyderland", "C43-C44", "systemic", "2019-01-01", source=_INVENTED),
    ExpertiseSeed("maxima-mc", "C73-C74", "nuclear", "2017-01-01", source=_INVENTED),
)
_BOARDS: Final = {
    "catharina": "Bea Bestuur",
    "elkerliek": "Bas Bestuurman",
    "laurentius": "Lia Leiding",
    "maastricht-umc": "Max Mandaat",
    "maxima-mc": "Mia Mandaat",
    "sjg-weert": "Sjoerd Stuur",
    "st-anna": "Anna Aanzet",
    "viecuri": "Vic Voorzet",
    "zuyderland": "Zita Zetel",
    "maastro": "Mo Mandaat",
}
OFFICES: Final = (
    *(OfficeSeed("board", name, institution) for institution, name in _BOARDS.items()),
    OfficeSeed("client_council", "Cor Cliënt"),
    OfficeSeed("gp_circle", "Hans Huisarts"),
)
MEETINGS: Final = (
    MeetingSeed(
        "breast",
        "2023-03-14",
        ("Jaarplan 2023", "Lopend onderzoek"),
        (
            (
                "De groep doet samen de studie naar hormoontherapie; ieder wordt gevraagd.",
                ("hormone-therapy",),
            ),
        ),
    ),
    MeetingSeed(
        "breast",
        "2024-06-04",
        ("Lopend onderzoek", "Toegangstijd"),
        (("De groep kijkt elk half jaar naar de toegangstijd.", ()),),
    ),
    MeetingSeed(
        "colorectal",
        "2024-02-06",
        ("Lopend onderzoek", "Prehabilitatie"),
        (("Alle ziekenhuizen nemen de werkwijze van Máxima MC voor prehabilitatie over.", ()),),
    ),
)

ONCOZON_WHOLE: Final[NetworkSeed] = replace(
    ONCOZON,
    groups=filled(GROUPS, INSTITUTIONS, "oncozon", {"neuro-oncology": ("sjg-weert", "st-anna")}),
    expertise=EXPERTISE,
    offices=OFFICES,
    meetings=MEETINGS,
    trials=portfolio(GROUPS, INSTITUTIONS, STUDIES - len(ONCOZON.studies), "oncozon"),
)
