"""The states of a study and of a hospital's part in it, and which step may follow which.

One table each: services, pages, documentation and tests read the same data. The thirteen-step
start-up pipeline of the design is folded into six states here; each keeps its date and who.
"""

from collections.abc import Mapping

STUDY_STATES: tuple[str, ...] = ("draft", "open", "closed")
STUDY_STEPS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"open", "closed"}),
    "open": frozenset({"closed"}),
    "closed": frozenset(),
}

PARTICIPATION_STATES: tuple[str, ...] = (
    "invited",
    "feasibility",
    "approved",
    "open",
    "on_hold",
    "closed",
)
PARTICIPATION_STEPS: Mapping[str, frozenset[str]] = {
    "invited": frozenset({"feasibility", "closed"}),
    "feasibility": frozenset({"approved", "closed"}),
    "approved": frozenset({"open", "closed"}),
    "open": frozenset({"on_hold", "closed"}),
    "on_hold": frozenset({"open", "closed"}),
    "closed": frozenset(),
}

# Why a hospital holds or leaves; a code, so that no free text about people is kept.
NOTE_CODES: Mapping[str, tuple[str, str]] = {
    "no_capacity": ("Too few people to do it", "Te weinig mensen om het te doen"),
    "no_patients": ("Too few patients", "Te weinig patiënten"),
    "data_not_ready": ("The data are not ready", "De gegevens zijn nog niet klaar"),
    "agreement_missing": ("An agreement is missing", "Er ontbreekt een overeenkomst"),
    "agreement_ended": ("The agreement has ended", "De overeenkomst is afgelopen"),
    "committee_said_no": ("The committee said no", "De commissie heeft nee gezegd"),
    "study_finished": ("The study is finished", "De studie is klaar"),
}

INSTITUTION_KINDS: Mapping[str, tuple[str, str]] = {
    "university": ("University hospital", "Academisch ziekenhuis"),
    "top_clinical": ("Top clinical hospital", "Topklinisch ziekenhuis"),
    "general": ("General hospital", "Algemeen ziekenhuis"),
    "radiotherapy": ("Radiotherapy institute", "Radiotherapeutisch instituut"),
}
