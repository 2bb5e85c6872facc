"""The words that networks are described with: codes, each with its Dutch and English name.

A code is what is stored; a page shows the name. What is not in a list is shown as it is stored.
"""

from collections.abc import Mapping
from typing import Final

Words = Mapping[str, tuple[str, str]]

SUBNETWORK_ROLES: Final[Words] = {
    "lead": ("Hoofdvertegenwoordiger", "Lead representative"),
    "member": ("Lid", "Member"),
}
SEAT_ROLES: Final[Words] = {
    "chair": ("Voorzitter", "Chair"),
    "secretary": ("Secretaris", "Secretary"),
    "member": ("Lid", "Member"),
    "patient": ("Patiëntvertegenwoordiger", "Patient representative"),
    "observer": ("Toehoorder", "Observer"),
}
OFFICES: Final[Words] = {
    "board": ("Raad van bestuur", "Board"),
    "client_council": ("Cliëntenraad", "Client council"),
    "gp_circle": ("Huisartsenkring", "GP circle"),
}
AGREEMENT_KINDS: Final[Words] = {
    "cooperation": ("Samenwerking", "Co-operation"),
    "queries": ("Vragen van het netwerk", "Queries of the network"),
    "processing": ("Verwerking van gegevens", "Data processing"),
}

# Per hospital a group takes the gate specialty, the supporting and the oncological ones
# (Regionaal Oncologienetwerk West, reference 8 of the design).
DISCIPLINES: Final[Words] = {
    "surgical_oncology": ("Oncologisch chirurg", "Surgical oncologist"),
    "medical_oncology": ("Internist-oncoloog", "Medical oncologist"),
    "radiotherapy": ("Radiotherapeut-oncoloog", "Radiation oncologist"),
    "radiology": ("Radioloog", "Radiologist"),
    "nuclear_medicine": ("Nucleair geneeskundige", "Nuclear medicine physician"),
    "pathology": ("Patholoog", "Pathologist"),
    "nurse_specialist": ("Verpleegkundig specialist", "Nurse specialist"),
    "pulmonology": ("Longarts", "Pulmonologist"),
    "urology": ("Uroloog", "Urologist"),
    "gynaecology": ("Gynaecoloog", "Gynaecologist"),
    "ent": ("KNO-arts", "Ear, nose and throat surgeon"),
    "dermatology": ("Dermatoloog", "Dermatologist"),
    "haematology": ("Internist-hematoloog", "Haematologist"),
    "neurology": ("Neuroloog", "Neurologist"),
    "neurosurgery": ("Neurochirurg", "Neurosurgeon"),
    "gastroenterology": ("MDL-arts", "Gastroenterologist"),
    "endocrinology": ("Internist-endocrinoloog", "Endocrinologist"),
    "orthopaedics": ("Orthopedisch chirurg", "Orthopaedic surgeon"),
    "plastic_surgery": ("Plastisch chirurg", "Plastic surgeon"),
    "clinical_genetics": ("Klinisch geneticus", "Clinical geneticist"),
    "genetic_counselling": ("Genetisch consulent", "Genetic counsellor"),
    "general_practice": ("Huisarts", "General practitioner"),
    "client_council": ("Cliëntenraad", "Client council"),
    "patient": ("Patiëntvertegenwoordiger", "Patient representative"),
}
#: Seats that stand for nobody's hospital care: they fill no gap.
OUTSIDE_CARE: Final = frozenset({"patient", "client_council", "general_practice"})

TREATMENTS: Final[Words] = {
    "surgery": ("Operatie", "Surgery"),
    "radiotherapy": ("Bestraling", "Radiotherapy"),
    "systemic": ("Behandeling met medicijnen", "Systemic treatment"),
    "stem_cell": ("Stamceltransplantatie", "Stem cell transplant"),
    "aftercare": ("Nazorg na stamceltransplantatie", "Care after stem cell transplant"),
    "hyperthermia": ("Warmtebehandeling", "Hyperthermia"),
    "nuclear": ("Behandeling met radioactieve stof", "Radionuclide treatment"),
    "prehabilitation": ("Prehabilitatie", "Prehabilitation"),
}


def word(words: Words, code: str, language: str) -> str:
    """The name of a code in Dutch for "nl", in English otherwise; the code when it is unknown."""
    dutch, english = words.get(code, (code, code))
    return dutch if language == "nl" else english
