"""The words for the states of a study and of a hospital's part in it, and for reasons.

Services, pages, documentation and tests read the same data.
"""

from collections.abc import Mapping

STUDY_STATES: tuple[str, ...] = ("draft", "open", "closed")
STUDY_STEPS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"open", "closed"}),
    "open": frozenset({"closed"}),
    "closed": frozenset(),
}

# The thirteen states of a hospital's part, in the order of the road; studies/hospitals/pathway.py
# says which may follow which, and what each asks for.
PARTICIPATION_STATES: tuple[str, ...] = (
    "invited",
    "declined",
    "feasibility",
    "local_review",
    "vgo_signed",
    "contract_signed",
    "approved",
    "initiated",
    "open",
    "on_hold",
    "closed_to_accrual",
    "follow_up_done",
    "closed",
)
# A hospital in one of these takes no part (any more).
PARTICIPATION_ENDED: frozenset[str] = frozenset({"declined", "closed"})

STUDY_KINDS: Mapping[str, tuple[str, str]] = {
    "wmo": ("Research under the WMO", "Onderzoek dat onder de WMO valt"),
    "nwmo": ("Research outside the WMO", "Onderzoek dat niet onder de WMO valt"),
    "data": ("Research with existing data", "Onderzoek met bestaande gegevens"),
}

STUDY_PHASES: Mapping[str, tuple[str, str]] = {
    "1": ("Phase 1", "Fase 1"),
    "1-2": ("Phase 1/2", "Fase 1/2"),
    "2": ("Phase 2", "Fase 2"),
    "2-3": ("Phase 2/3", "Fase 2/3"),
    "3": ("Phase 3", "Fase 3"),
    "4": ("Phase 4", "Fase 4"),
}
STUDY_DESIGNS: Mapping[str, tuple[str, str]] = {
    "randomised": ("Randomised trial", "Gerandomiseerd onderzoek"),
    "single_arm": ("One group with treatment", "Eén groep met behandeling"),
    "within_cohort": ("Trial within a cohort", "Onderzoek binnen een cohort"),
    "cohort": ("Cohort", "Cohort"),
    "registry": ("Registry", "Registratie"),
    "case_control": ("Patients and controls", "Patiënten en controles"),
    "diagnostic": ("Test of a diagnostic method", "Onderzoek naar een diagnostische methode"),
    "implementation": ("Change of care", "Verandering van zorg"),
    "questionnaire": ("Questionnaires", "Vragenlijsten"),
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
    "competing_study": (
        "Another study asks the same patients",
        "Een andere studie vraagt dezelfde patiënten",
    ),
    "not_interested": ("No interest in the question", "Geen belangstelling voor de vraag"),
    "no_equipment": ("A device or a drug is missing", "Een apparaat of middel ontbreekt"),
    "safety": ("The safety of patients", "De veiligheid van patiënten"),
    "target_reached": ("Enough patients take part", "Er doen genoeg patiënten mee"),
    "sponsor_stopped": (
        "The sponsor stopped the study",
        "De opdrachtgever is gestopt met de studie",
    ),
    "recorded_late": ("Written down later than it happened", "Later opgeschreven dan het gebeurde"),
    "taken_over": ("Taken over from earlier records", "Overgenomen uit eerdere gegevens"),
    "mistake": ("Written down by mistake", "Per ongeluk opgeschreven"),
}

INSTITUTION_KINDS: Mapping[str, tuple[str, str]] = {
    "university": ("University hospital", "Academisch ziekenhuis"),
    "top_clinical": ("Top clinical hospital", "Topklinisch ziekenhuis"),
    "general": ("General hospital", "Algemeen ziekenhuis"),
    "radiotherapy": ("Radiotherapy institute", "Radiotherapeutisch instituut"),
}
