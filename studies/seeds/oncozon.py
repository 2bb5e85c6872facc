"""OncoZON, the oncology network of the south-east of the Netherlands, as the demonstration uses it.

Real: the network and its ten institutions by name (its own pages), their kinds (OECI: one
university, four top clinical, four general hospitals, one radiotherapy institute) and that there
are sixteen tumour working groups. Made up for the demonstration: how those groups are called, who
sits in them, the study and who leads it. No AGB code is given, because none was in the sources.
"""

from typing import Final

from studies.seeds.group_shapes import shaped
from studies.seeds.hormone_therapy_text import CONTENT
from studies.seeds.shape import (
    AgreementSeed,
    GroupSeed,
    InstitutionSeed,
    NetworkSeed,
    PersonSeed,
    StudySeed,
)

INSTITUTIONS: Final[tuple[InstitutionSeed, ...]] = (
    InstitutionSeed("catharina", "Catharina Ziekenhuis", "top_clinical", "Eindhoven"),
    InstitutionSeed("elkerliek", "Elkerliek Ziekenhuis", "general", "Helmond"),
    InstitutionSeed("laurentius", "Laurentius Ziekenhuis", "general", "Roermond"),
    InstitutionSeed("maastricht-umc", "Maastricht UMC+", "university", "Maastricht"),
    InstitutionSeed("maxima-mc", "Máxima Medisch Centrum", "top_clinical", "Veldhoven"),
    InstitutionSeed("sjg-weert", "SJG Weert", "general", "Weert"),
    InstitutionSeed("st-anna", "St. Anna Ziekenhuis", "general", "Geldrop"),
    InstitutionSeed("viecuri", "VieCuri Medisch Centrum", "top_clinical", "Venlo"),
    InstitutionSeed("zuyderland", "Zuyderland", "top_clinical", "Heerlen en Sittard-Geleen"),
    InstitutionSeed("maastro", "MAASTRO clinic", "radiotherapy", "Maastricht"),
)


def _group(slug: str, name_nl: str, name_en: str, *members: tuple[str, str, str]) -> GroupSeed:
    chair, *others = members
    return GroupSeed(
        slug,
        name_nl,
        name_en,
        (
            PersonSeed(*chair, role="chair"),
            *(PersonSeed(*other) for other in others),
        ),
    )


_SURGEON: Final = "surgical_oncology"
_ONCOLOGIST: Final = "medical_oncology"
_NURSE: Final = "nurse_specialist"
_RADIOTHERAPIST: Final = "radiotherapy"
_PATIENT: Final = "patient"

# Every person below is invented.
_BREAST: Final = GroupSeed(
    "breast",
    "Borstkanker",
    "Breast cancer",
    (
        PersonSeed("Marieke Voorbeeld-Janssen", _ONCOLOGIST, "maastricht-umc", role="chair"),
        PersonSeed("Tom van Verzonnen", _SURGEON, "catharina", role="secretary"),
        PersonSeed("Anja Denkbeeld", _SURGEON, "zuyderland"),
        PersonSeed("Pieter Bedacht", _ONCOLOGIST, "viecuri"),
        PersonSeed("Fatima el Voorbeeld", _ONCOLOGIST, "maxima-mc"),
        PersonSeed("Loes Fictief", _NURSE, "elkerliek"),
        PersonSeed("Ruud Schijnbaar", _SURGEON, "laurentius"),
        PersonSeed("Ilse Proefmans", "radiology", "sjg-weert"),
        PersonSeed("Karim Bijvoorbeeld", "pathology", "st-anna"),
        PersonSeed("Hanneke Straalman", _RADIOTHERAPIST, "maastro"),
        PersonSeed("Gerda Zogenaamd", _PATIENT, None, role="patient"),
    ),
)

_GROUPS: Final[tuple[GroupSeed, ...]] = (
    _BREAST,
    _group(
        "colorectal",
        "Darmkanker",
        "Colorectal cancer",
        ("Bas Verzinsel", _SURGEON, "maxima-mc"),
        ("Sanne Denkbeeld", _ONCOLOGIST, "zuyderland"),
    ),
    _group(
        "lung",
        "Longkanker",
        "Lung cancer",
        ("Joost van Bedenken", "pulmonology", "maastricht-umc"),
        ("Nadia Voorbeeld", _RADIOTHERAPIST, "maastro"),
    ),
    _group(
        "urology",
        "Urologische tumoren",
        "Urological cancers",
        ("Wim Fictief", "urology", "catharina"),
        ("Carla Proefmans", _NURSE, "viecuri"),
    ),
    _group(
        "gynaecology",
        "Gynaecologische tumoren",
        "Gynaecological cancers",
        ("Esther Schijnbaar", "gynaecology", "maastricht-umc"),
        ("Bram van Verzonnen", "gynaecology", "catharina"),
    ),
    _group(
        "head-neck",
        "Hoofd-halstumoren",
        "Head and neck cancers",
        ("Kees Zogenaamd", "ent", "maastricht-umc"),
        ("Yara Bedacht", _RADIOTHERAPIST, "maastro"),
    ),
    _group(
        "skin",
        "Huidkanker en melanoom",
        "Skin cancer and melanoma",
        ("Olga Denkbeeld", "dermatology", "zuyderland"),
        ("Mark Verzinsel", "dermatology", "elkerliek"),
    ),
    _group(
        "haematology",
        "Bloed- en lymfeklierkanker",
        "Blood and lymph cancers",
        ("Stefan Bijvoorbeeld", "haematology", "maastricht-umc"),
        ("Inge van Bedenken", "haematology", "maxima-mc"),
    ),
    _group(
        "neuro-oncology",
        "Hersentumoren",
        "Brain tumours",
        ("Roos Fictief", "neurology", "maastricht-umc"),
        ("Daan Proefmans", _RADIOTHERAPIST, "maastro"),
    ),
    _group(
        "oesophagus-stomach",
        "Slokdarm- en maagkanker",
        "Cancer of oesophagus and stomach",
        ("Henk Voorbeeld", _SURGEON, "catharina"),
        ("Els Schijnbaar", "gastroenterology", "viecuri"),
    ),
    _group(
        "liver-pancreas",
        "Tumoren van lever, alvleesklier en galwegen",
        "Cancers of liver, pancreas and bile ducts",
        ("Lotte Verzinsel", _SURGEON, "maastricht-umc"),
        ("Paul Bedacht", "gastroenterology", "laurentius"),
    ),
    _group(
        "thyroid",
        "Schildklier- en bijniertumoren",
        "Cancers of thyroid and adrenal gland",
        ("Miriam Zogenaamd", "endocrinology", "maxima-mc"),
        ("Jan van Verzonnen", "nuclear_medicine", "zuyderland"),
    ),
    _group(
        "sarcoma",
        "Sarcomen",
        "Sarcomas",
        ("Thijs Denkbeeld", _SURGEON, "maastricht-umc"),
        ("Femke Bijvoorbeeld", "pathology", "catharina"),
    ),
    _group(
        "neuroendocrine",
        "Neuro-endocriene tumoren",
        "Neuroendocrine tumours",
        ("Arjan Proefmans", _ONCOLOGIST, "maxima-mc"),
        ("Vera Fictief", _NURSE, "st-anna"),
    ),
    _group(
        "hereditary",
        "Erfelijke tumoren",
        "Hereditary cancers",
        ("Sophie van Bedenken", "clinical_genetics", "maastricht-umc"),
        ("Lucas Voorbeeld", "genetic_counselling", "viecuri"),
    ),
    _group(
        "unknown-primary",
        "Kanker met onbekende oorsprong",
        "Cancer of unknown primary",
        ("Ahmed Verzinsel", _ONCOLOGIST, "zuyderland"),
        ("Nel Schijnbaar", "pathology", "sjg-weert"),
    ),
)

GROUPS: Final[tuple[GroupSeed, ...]] = tuple(map(shaped, _GROUPS))

HORMONE_THERAPY: Final = StudySeed(
    slug="hormone-therapy",
    title_nl="Hormoontherapie en terugkeer bij borstkanker met uitzaaiing in de lymfeklieren",
    title_en="Hormone therapy and recurrence in node-positive breast cancer",
    question_nl="Komt borstkanker minder vaak terug bij mensen die hormoontherapie krijgen?",
    question_en="Does breast cancer come back less often in people who get hormone therapy?",
    purpose_nl=(
        "Wij rekenen uit hoe lang mensen zonder kanker leven, met en zonder hormoontherapie. "
        "Daarbij letten wij ook op leeftijd, overgang en hoe ver de kanker was."
    ),
    purpose_en=(
        "We calculate how long people live without cancer, with and without hormone therapy. "
        "In doing so we also look at age, menopause and how far the cancer had come."
    ),
    group="breast",
    lead="maastricht-umc",
    lead_name="Marieke Voorbeeld-Janssen (verzonnen / invented)",
    requires=("use.record", "use.network", "study.join"),
    codebook="gbsg",
    sites={institution.slug: "open" for institution in INSTITUTIONS},
    text=CONTENT,
    text_approved_by=("Gerda Zogenaamd (invented)", "Tom van Verzonnen (invented)"),
)

# That there is a contract, and that all signed it, stands on MAASTRO's page; the days and the
# agreement about queries are invented.
_SIGNATORY: Final = "raad van bestuur (verzonnen / invented)"
AGREEMENTS: Final[tuple[AgreementSeed, ...]] = (
    AgreementSeed(
        "cooperation",
        "2016-1",
        "Samenwerkingsovereenkomst: dezelfde procedures en werkwijzen",
        "Co-operation agreement: the same procedures and ways of working",
        "2016-07-01",
        _SIGNATORY,
    ),
    AgreementSeed(
        "queries",
        "2016-2",
        "Overeenkomst over vragen van het netwerk: alleen totalen",
        "Agreement on queries of the network: only totals",
        "2016-07-01",
        _SIGNATORY,
    ),
)

ONCOZON: Final = NetworkSeed(
    slug="oncozon",
    name="OncoZON",
    region_nl="Zuidoost-Nederland",
    region_en="South-east Netherlands",
    since="2016-07-01",
    source=(
        "Names of the network and its institutions: the network's own pages and those of MAASTRO "
        "clinic (founded in the second half of 2016). Kinds and the number of working groups: "
        "OECI. Names of the groups, all people and the study are invented."
    ),
    institutions=INSTITUTIONS,
    groups=GROUPS,
    studies=(HORMONE_THERAPY,),
    agreements=AGREEMENTS,
)
