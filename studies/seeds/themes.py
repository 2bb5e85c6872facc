"""What the seeds' invented studies are about: a question per theme, asked of each tumour.

None of these studies exists. `{nl}` and `{en}` are the tumour in the two languages.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Theme:
    """One theme: `site` says which institutions can do it ("all", "radiotherapy", "wards"),
    `stages` for how far a cancer it is (studies/register/stages.py; empty for any)."""

    slug: str
    kind: str
    phase: str | None
    design: str
    site: str
    title_nl: str
    title_en: str
    question_nl: str
    question_en: str
    stages: tuple[str, ...] = ()


THEMES: Final[tuple[Theme, ...]] = (
    Theme(
        "immunotherapy-first",
        "wmo",
        "2",
        "randomised",
        "wards",
        "Immuuntherapie vóór de operatie bij {nl}",
        "Immunotherapy before surgery in {en}",
        "Blijft de ziekte langer weg als immuuntherapie vóór de operatie komt?",
        "Does the illness stay away longer when immunotherapy comes before surgery?",
        ("local", "nodes"),
    ),
    Theme(
        "short-radiotherapy",
        "wmo",
        "3",
        "randomised",
        "radiotherapy",
        "Kortere bestraling bij {nl}",
        "Shorter radiotherapy in {en}",
        "Werkt een kortere bestraling even goed, met minder reizen?",
        "Does shorter radiotherapy work as well, with less travelling?",
        ("local", "nodes"),
    ),
    Theme(
        "prehabilitation",
        "nwmo",
        None,
        "cohort",
        "wards",
        "Fitter de behandeling in bij {nl}",
        "Prehabilitation before treatment of {en}",
        "Krijgen mensen minder ernstige complicaties als zij zich vooraf voorbereiden?",
        "Do people get fewer severe complications when they prepare beforehand?",
        ("local", "nodes"),
    ),
    Theme(
        "exercise",
        "wmo",
        None,
        "randomised",
        "wards",
        "Bewegen tijdens de behandeling van {nl}",
        "Exercise during treatment of {en}",
        "Zijn mensen minder moe als zij tijdens de behandeling bewegen?",
        "Are people less tired when they exercise during treatment?",
    ),
    Theme(
        "follow-up-at-home",
        "nwmo",
        None,
        "cohort",
        "wards",
        "Nacontrole thuis na {nl}",
        "Follow-up at home after {en}",
        "Is nacontrole met een vragenlijst thuis even veilig als in het ziekenhuis?",
        "Is follow-up with a questionnaire at home as safe as in hospital?",
        ("after",),
    ),
    Theme(
        "targeted-drug",
        "wmo",
        "2",
        "single_arm",
        "wards",
        "Een gericht medicijn bij uitgezaaide {nl}",
        "A targeted drug in metastatic {en}",
        "Hoe lang houdt een gericht medicijn de ziekte tegen?",
        "For how long does a targeted drug hold the illness back?",
        ("spread",),
    ),
    Theme(
        "older-people",
        "data",
        None,
        "cohort",
        "all",
        "Ouderen met {nl}: welke behandeling past",
        "Older people with {en}: which treatment fits",
        "Hoe gaat het met ouderen na een lichtere of een zwaardere behandeling?",
        "How do older people fare after a lighter or a heavier treatment?",
    ),
    Theme(
        "blood-test",
        "wmo",
        None,
        "diagnostic",
        "wards",
        "Een bloedtest die terugkeer van {nl} eerder ziet",
        "A blood test that sees recurrence of {en} earlier",
        "Ziet een bloedtest eerder dat de ziekte terug is?",
        "Does a blood test see earlier that the illness is back?",
        ("after",),
    ),
    Theme(
        "less-surgery",
        "wmo",
        "3",
        "randomised",
        "wards",
        "Minder opereren bij {nl}",
        "Less surgery in {en}",
        "Kan een kleinere operatie even veilig zijn?",
        "Can a smaller operation be as safe?",
        ("local",),
    ),
    Theme(
        "adaptive-radiotherapy",
        "wmo",
        "2",
        "randomised",
        "radiotherapy",
        "Bestraling die elke dag wordt aangepast bij {nl}",
        "Radiotherapy adapted each day in {en}",
        "Geeft aangepaste bestraling minder schade aan gezonde organen?",
        "Does adapted radiotherapy do less harm to healthy organs?",
        ("local", "nodes"),
    ),
    Theme(
        "shared-decision",
        "nwmo",
        None,
        "implementation",
        "all",
        "Samen beslissen over de behandeling van {nl}",
        "Deciding together about treatment of {en}",
        "Voelen mensen zich beter betrokken met een keuzehulp?",
        "Do people feel more involved with a decision aid?",
    ),
    Theme(
        "quality-of-life",
        "nwmo",
        None,
        "questionnaire",
        "all",
        "Leven na {nl}: vijf jaar vragenlijsten",
        "Life after {en}: five years of questionnaires",
        "Hoe gaat het met mensen in de vijf jaar na de behandeling?",
        "How are people in the five years after treatment?",
    ),
    Theme(
        "stop-earlier",
        "wmo",
        "3",
        "randomised",
        "wards",
        "Eerder stoppen met medicijnen bij {nl}",
        "Stopping drugs earlier in {en}",
        "Kan de behandeling korter zonder dat de ziekte vaker terugkomt?",
        "Can treatment be shorter without more recurrence?",
    ),
    Theme(
        "tissue-bank",
        "data",
        None,
        "cohort",
        "wards",
        "Weefsel bewaren voor onderzoek naar {nl}",
        "Keeping tissue for research into {en}",
        "Welke kenmerken van het weefsel voorspellen hoe het verder gaat?",
        "Which features of the tissue predict how things go?",
    ),
    Theme(
        "nutrition",
        "wmo",
        None,
        "randomised",
        "wards",
        "Voeding rond de behandeling van {nl}",
        "Nutrition around treatment of {en}",
        "Herstellen mensen sneller met extra eiwit?",
        "Do people recover faster with extra protein?",
    ),
    Theme(
        "rehabilitation",
        "nwmo",
        None,
        "cohort",
        "all",
        "Weer aan het werk na {nl}",
        "Back to work after {en}",
        "Wat helpt mensen om weer aan het werk te gaan?",
        "What helps people to return to work?",
    ),
)
