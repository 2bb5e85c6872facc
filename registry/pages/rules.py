"""The rules that every answer of a study obeys, in words: the strictest of hospitals and study."""

from __future__ import annotations

from federation.query.terms import Terms
from registry.translate import translate as _
from studies.models import Study

_GRIDS = {"day": 0, "month": 1, "year": 2}


def rules_of(terms: Terms) -> list[tuple[str, str]]:
    """What each threshold means and its value, for the study's page."""
    if terms.protection == "none":
        return [(_("Protection"), _("none: public or invented data"))]
    grids = (_("one day"), _("one month"), _("one year"))
    percent = f"{terms.group_share_max:.0%}"
    return [
        (_("Smallest group of which a number is shown"), str(terms.t_cell)),
        (
            _("With fewer suitable patients a hospital does not contribute"),
            str(terms.t_cohort_site),
        ),
        (_("Hospitals in one question, at least"), str(terms.min_sites)),
        (_("A group is hidden when more than this share of it has one value"), percent),
        (_("Smallest step in age, years"), str(terms.age_grid_years)),
        (_("Smallest step in dates"), grids[_GRIDS[terms.date_grid]]),
        (_("Smallest step in survival times, days"), str(terms.time_grid_days)),
        (_("Patients per term of a model, at least"), str(terms.model.n_per_param)),
        (_("Two answers differ by no patient, or by at least"), str(terms.diff.t_diff)),
        (_("Days in which the same question gets the stored answer"), str(terms.diff.replay_days)),
    ]


def by_hospital(study: Study, terms: Terms) -> str:
    """Whether, and how, results of single hospitals reach this study."""
    if not study.output_by_site:
        return _("There are no results per hospital.")
    if terms.protection == "none":
        return _("Results per hospital are shown.")
    if study.delivery == "sealed":
        return _("Results per hospital are sealed: only the study itself can open them.")
    if study.delivery == "hub":
        return _("Results per hospital are shown to the participants of this study only.")
    return _("There are no results per hospital.")
