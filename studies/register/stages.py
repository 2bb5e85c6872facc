"""How far a cancer has come, in words that patients use; a study says for which of them it is.

Not a staging system: TNM and stage groups differ per tumour and change with each edition, and a
patient who looks for a study knows these five things about themselves.
"""

from collections.abc import Mapping
from typing import Final

# Code -> English, Dutch.
STAGES: Final[Mapping[str, tuple[str, str]]] = {
    "local": ("Only in the place where it began", "Alleen op de plek waar het begon"),
    "nodes": ("Also in lymph nodes nearby", "Ook in lymfeklieren dichtbij"),
    "spread": ("Spread to other parts of the body", "Uitgezaaid naar andere delen van het lichaam"),
    "again": ("Came back after treatment", "Teruggekomen na de behandeling"),
    "after": ("The treatment is over", "De behandeling is klaar"),
}
