"""Per tumour working group: its ICD-10 ranges and the disciplines that belong at its table.

Per hospital a group takes the gate specialty, radiology and pathology, and the oncological
specialties (Regionaal Oncologienetwerk West, reference 8 of domain.md). The ranges are chapter II
of ICD-10; which group takes which range differs between networks and can be changed.
"""

from dataclasses import replace
from typing import Final

from studies.seeds.shape import GroupSeed, PersonSeed

_ALWAYS: Final = (
    "radiology",
    "pathology",
    "surgical_oncology",
    "medical_oncology",
    "radiotherapy",
    "nurse_specialist",
)
_OWN_SURGEONS: Final = (
    "radiology",
    "pathology",
    "medical_oncology",
    "radiotherapy",
    "nurse_specialist",
)
# slug -> (ranges, disciplines, Dutch name, English name)
SHAPES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], str, str]]] = {
    "breast": (("C50", "D05"), _ALWAYS, "Borstkanker", "Breast cancer"),
    "colorectal": (
        ("C17-C21",),
        ("gastroenterology", *_ALWAYS),
        "Darmkanker",
        "Colorectal cancer",
    ),
    "lung": (("C33-C34", "C37-C39", "C45"), ("pulmonology", *_ALWAYS), "Longkanker", "Lung cancer"),
    "urology": (
        ("C60-C68",),
        ("urology", *_OWN_SURGEONS),
        "Urologische tumoren",
        "Urological cancers",
    ),
    "gynaecology": (
        ("C51-C58",),
        ("gynaecology", *_OWN_SURGEONS),
        "Gynaecologische tumoren",
        "Gynaecological cancers",
    ),
    "head-neck": (
        ("C00-C14", "C30-C32"),
        ("ent", *_OWN_SURGEONS),
        "Hoofd-halstumoren",
        "Head and neck cancers",
    ),
    "skin": (
        ("C43-C44", "D03-D04"),
        ("dermatology", "plastic_surgery", *_ALWAYS),
        "Huidkanker en melanoom",
        "Skin cancer and melanoma",
    ),
    "haematology": (
        ("C81-C96",),
        ("haematology", "pathology", "nuclear_medicine", "radiotherapy", "nurse_specialist"),
        "Bloed- en lymfeklierkanker",
        "Blood and lymph cancers",
    ),
    "neuro-oncology": (
        ("C70-C72",),
        ("neurology", "neurosurgery", *_OWN_SURGEONS),
        "Hersentumoren",
        "Brain tumours",
    ),
    "oesophagus-stomach": (
        ("C15-C16",),
        ("gastroenterology", *_ALWAYS),
        "Slokdarm- en maagkanker",
        "Cancer of oesophagus and stomach",
    ),
    "liver-pancreas": (
        ("C22-C25",),
        ("gastroenterology", *_ALWAYS),
        "Tumoren van lever, alvleesklier en galwegen",
        "Cancers of liver, pancreas and bile ducts",
    ),
    "thyroid": (
        ("C73-C74",),
        ("endocrinology", "nuclear_medicine", *_ALWAYS),
        "Schildklier- en bijniertumoren",
        "Cancers of thyroid and adrenal gland",
    ),
    "sarcoma": (
        ("C40-C41", "C46-C49"),
        ("orthopaedics", *_ALWAYS),
        "Sarcomen",
        "Sarcomas",
    ),
    "neuroendocrine": (
        ("C75",),
        ("gastroenterology", "nuclear_medicine", *_ALWAYS),
        "Neuro-endocriene tumoren",
        "Neuroendocrine tumours",
    ),
    "hereditary": (
        ("Z15", "Z80"),
        ("clinical_genetics", "genetic_counselling", "gynaecology", "surgical_oncology"),
        "Erfelijke tumoren",
        "Hereditary cancers",
    ),
    "unknown-primary": (
        ("C76-C80",),
        ("medical_oncology", "pathology", "radiology", "nuclear_medicine", "nurse_specialist"),
        "Kanker met onbekende oorsprong",
        "Cancer of unknown primary",
    ),
}


def shaped(group: GroupSeed) -> GroupSeed:
    """The group with the ranges and disciplines of its slug."""
    tumours, expected, _nl, _en = SHAPES[group.slug]
    return replace(group, tumours=tumours, expected=expected)


def group_of(slug: str, *members: PersonSeed, since: str = "") -> GroupSeed:
    """A group of this slug under the usual names."""
    _tumours, _expected, name_nl, name_en = SHAPES[slug]
    return shaped(GroupSeed(slug, name_nl, name_en, members, since=since))
