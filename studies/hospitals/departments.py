"""Departments of a hospital that look at a study before its board signs."""

from collections.abc import Mapping
from typing import Final

# Departments whose annex the board wants to see before it signs the VGO.
DEPARTMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "pharmacy": ("Pharmacy", "Apotheek"),
    "laboratory": ("Laboratory", "Laboratorium"),
    "microbiology": ("Medical microbiology", "Medische microbiologie"),
    "pathology": ("Pathology", "Pathologie"),
    "cardiology": ("Cardiology", "Cardiologie"),
    "radiology": ("Radiology and nuclear medicine", "Radiologie en nucleaire geneeskunde"),
    "radiotherapy": ("Radiotherapy", "Radiotherapie"),
    "nursing": ("Nursing", "Verpleging"),
    "data": ("Data and ICT", "Gegevens en ICT"),
}
