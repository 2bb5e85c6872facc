"""Counts per arm of one hospital, for the lower half of the CONSORT diagram."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response

from registry.access import rule
from registry.pages.coordinator_accrual import flow_page
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_flow import arm_fields, arm_lines
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.recruitment.consort import ARM_FAULTS, ArmCounts, record_arm
from studies.recruitment.screening import CountsDiffer

blueprint = Blueprint("coordinator_arms", __name__, url_prefix="/c/study/<slug>/consort")
Answer = Response | tuple[str, int]


@blueprint.post("")
@rule(roles={"coordinator"}, scope="study")
def record(slug: str) -> Answer:
    """Write down the counts of every arm at one hospital; all of them or none."""
    session, study = current_session(), study_of(slug)
    site = request.form.get("hospital", "")
    errors: dict[str, str] = {}
    for line in arm_lines(session, slug, site, {}):
        given = {name: request.form.get(f"{line.code}.{name}", "").strip() for name in arm_fields()}
        wrong = [name for name, text in given.items() if text and whole(text) is None]
        for name in wrong:
            errors[f"{line.code}-{name}"] = _("Give a whole number, 0 or more")
        if wrong or (not any(given.values()) and not line.version):
            continue
        try:
            record_arm(
                session,
                study,
                site,
                line.code,
                ArmCounts(**{name: whole(text) or 0 for name, text in given.items()}),
                actor=g.actor,
                now=g.now,
                expected=whole(request.form.get(f"{line.code}.version", "")) or 0,
            )
        except CountsDiffer as error:
            words = [ARM_FAULTS[code][language() == "nl"] for code in error.faults]
            errors[f"{line.code}-allocated"] = f"{line.name}: {' '.join(words)}"
        except StudiesError as error:
            if error.code == "not_found":
                raise
            said = _(error.message)
            if error.code == "changed_meanwhile":
                said = _(
                    "Somebody else wrote down %(theirs)s for %(arm)s in the meantime. Yours stand "
                    "in the form; save again to put them over it.",
                    theirs=", ".join(line.values.values()),
                    arm=line.name,
                )
            errors[f"{line.code}-allocated"] = said
    if errors:
        session.rollback()
        return flow_page(slug, site, request.form, errors), 422
    return redirect(url_for("coordinator_accrual.flow", slug=slug, hospital=site, saved=1), 303)
