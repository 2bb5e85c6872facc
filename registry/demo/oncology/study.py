"""The demo's second study: the hospitals of OncoZON compare their care. Invented, as its people."""

from typing import Final

from registry.demo.oncology.form_text import CONTENT
from studies.seeds.oncozon import INSTITUTIONS
from studies.seeds.shape import GroupSeed, PersonSeed, StudySeed

GROUP: Final = "quality"
#: Beside the groups per tumour, one that looks at all of them together; every person is invented.
QUALITY_GROUP: Final = GroupSeed(
    GROUP,
    "Kwaliteit van zorg",
    "Quality of care",
    (
        PersonSeed("Bas Verzinsel", "surgical_oncology", "maxima-mc", role="chair"),
        PersonSeed("Sanne Denkbeeld", "medical_oncology", "zuyderland", role="secretary"),
        PersonSeed("Joost van Bedenken", "pulmonology", "maastricht-umc"),
        PersonSeed("Tom van Verzonnen", "surgical_oncology", "catharina"),
        PersonSeed("Carla Proefmans", "nurse_specialist", "viecuri"),
        PersonSeed("Hanneke Straalman", "radiotherapy", "maastro"),
        PersonSeed("Ria Denkbeeld", "patient", None, role="patient"),
    ),
)
#: The agreement by which the boards let their hospitals be compared, and each board's form.
BENCHMARK: Final = "Overeenkomst kwaliteitsronden OncoZON, 3 maart 2025 (verzonnen)"
BOARD_FORM: Final = "RvB-kwaliteit-2025-{slug}"

QUALITY: Final = StudySeed(
    slug="quality-of-care",
    title_nl="Kwaliteit van zorg bij kanker: ziekenhuizen vergelijken hun zorg",
    title_en="Quality of cancer care: hospitals compare their care",
    question_nl="Hoe lang wachten patiënten en hoe gaat het na de behandeling, in elk ziekenhuis?",
    question_en="How long do patients wait and how do they fare after treatment, in each hospital?",
    purpose_nl=(
        "De ziekenhuizen vergelijken wachttijden en uitkomsten van zorg. "
        "Blijft er een achter, dan zoeken zij samen de oorzaak en helpen zij elkaar."
    ),
    purpose_en=(
        "The hospitals compare waiting times and outcomes of care. "
        "If one lags behind, they look for the cause together and help each other."
    ),
    group=GROUP,
    lead="maxima-mc",
    lead_name="Bas Verzinsel (verzonnen / invented)",
    requires=("use.record", "use.network"),
    codebook="oncomin/1",
    sites={institution.slug: "open" for institution in INSTITUTIONS},
    text=CONTENT,
    text_approved_by=("Gerda Zogenaamd (invented)", "Sanne Denkbeeld (invented)"),
)
