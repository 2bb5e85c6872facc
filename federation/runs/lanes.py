"""Results per hospital, for ``output: by_site``.

A hospital's own result is a run of its own with that hospital alone as roster (a lane): the steps
of an iterative method depend on everybody's sums, so they cannot be taken from the pooled run.
Sites agree to this only where their policy allows results per hospital.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from federation.runs.driver import Outcome, RunPlan


def lane_plans(plan: RunPlan) -> dict[str, RunPlan]:
    """One plan per site of the roster; none unless the query asks for output by site."""
    if plan.query.output != "by_site":
        return {}
    return {site: _lane(plan, site, number) for number, site in enumerate(sorted(plan.roster))}


def _lane(plan: RunPlan, site: str, number: int) -> RunPlan:
    query = replace(plan.query, sites=(site,))
    return replace(
        plan,
        run_id=f"{plan.run_id}.{number}",
        query=query,
        roster={site: plan.roster[site]},
        min_snapshots={site: plan.min_snapshots[site]},
        # Who approved a question per hospital approved it for each of them.
        approval={**plan.approval, "query_sha256": query.sha256},
    )


def with_lanes(pooled: Mapping[str, Any], lanes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The pooled envelope with ``by_site``: each site's result, or why there is none.

    ``partial`` when a site that is in the pooled result has none of its own because it fell
    silent afterwards.
    """
    own: dict[str, Any] = {}
    silent = set(pooled["sites"]["silent"])
    for site, outcome in sorted(lanes.items()):
        found = outcome.envelope
        if outcome.status == "complete":
            hidden = {"hidden": found["hidden"]} if found["hidden"] else {}
            own[site] = {**found["result"], **hidden}
        else:
            own[site] = {key: found[key] for key in ("status", "code", "message")}
        if outcome.status == "insufficient":
            silent.add(site)
    return {
        **pooled,
        "status": "partial" if silent else pooled["status"],
        "sites": {**pooled["sites"], "silent": sorted(silent)},
        "by_site": own,
    }
