"""/api/v1/studies/<study>/texts: writing a text for patients, judging it, publishing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, g, jsonify

from consent import drafts
from consent.models import TextVersion
from consent.models_trust import TextDraft
from consent.texts import versions
from registry.access import rule
from registry.api import conditions, once, schemas_texts
from registry.api.part import Part
from registry.text_roles import APPROVERS, WRITERS
from registry.transaction import current_session
from studies.days import beginning
from studies.reading import get_study

blueprint = Part("api-texts", __name__, description="Writing texts for patients")
READERS = WRITERS | APPROVERS
DRAFT = schemas_texts.Draft()
_AT = "/studies/<study>/texts"


@blueprint.get(_AT)
@rule(roles=READERS, scope="text")
@blueprint.also(404)
@blueprint.gives(200, schemas_texts.Texts)
def list_texts(study: str) -> Mapping[str, Any]:
    """The texts of a study: what was published, and what is being written."""
    session = current_session()
    return {
        "study": get_study(session, study).slug,
        "versions": versions(session, study),
        "drafts": [
            {
                "draft": each.id,
                "change_class": each.change_class,
                "changed_at": each.changed_at,
                "approvals": len(drafts.agreed(session, each)),
            }
            for each in drafts.drafts_of(session, study)
        ],
    }


@blueprint.post(f"{_AT}/drafts")
@rule(roles=WRITERS, scope="text")
@once.once
@blueprint.takes(schemas_texts.NewDraft)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_texts.Draft)
def create(form: Mapping[str, Any], study: str) -> Response:
    """Begin a draft, with words of one's own or as a copy of the newest text."""
    made = drafts.start(current_session(), study=study, actor=g.actor, now=g.now, **form)
    return _whole(made, 201)


@blueprint.get(f"{_AT}/drafts/<draft>")
@rule(roles=READERS, scope="text")
@blueprint.also(404)
@blueprint.gives(200, schemas_texts.Draft)
def show(study: str, draft: str) -> Response:
    """A draft. The ETag is the hash that is approved, to send back as If-Match."""
    return _whole(_found(study, draft))


@blueprint.put(f"{_AT}/drafts/<draft>")
@rule(roles=WRITERS, scope="text")
@once.once
@blueprint.takes(schemas_texts.ChangedDraft)
@blueprint.says(parameters=[conditions.HASH_PARAMETER, once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_texts.Draft)
def change(form: Mapping[str, Any], study: str, draft: str) -> Response:
    """Other words for a draft; who approved it before has to look again."""
    session, found = current_session(), _found(study, draft)
    conditions.check_hash(drafts.draft_sha256(session, found))
    drafts.change(session, found, actor=g.actor, now=g.now, **form)
    return _whole(found)


@blueprint.post(f"{_AT}/drafts/<draft>/approve")
@rule(roles=APPROVERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.Judgement)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_texts.Draft)
def approve(form: Mapping[str, Any], study: str, draft: str) -> Response:
    """Judge the class of a draft, by its hash; needs a sign-in of less than ten minutes ago."""
    found = _found(study, draft)
    drafts.approve(
        current_session(),
        found,
        seen_sha256=form["sha256"],
        judged_class=form["judged_class"],
        actor=g.actor,
        now=g.now,
    )
    return _whole(found)


@blueprint.post(f"{_AT}/drafts/<draft>/publish")
@rule(roles=WRITERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.PublishText)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_texts.PublishedText)
def publish(form: Mapping[str, Any], study: str, draft: str) -> TextVersion:
    """Publish what two others approved; needs a sign-in of less than ten minutes ago."""
    begins = form["begins"]
    return drafts.publish(
        current_session(),
        _found(study, draft),
        actor=g.actor,
        now=g.now,
        valid_from=None if begins is None else beginning(begins),
    )


def _found(study: str, draft: str) -> TextDraft:
    return drafts.find(current_session(), draft, study)


def _whole(found: TextDraft, status: int = 200) -> Response:
    session = current_session()
    sha256 = drafts.draft_sha256(session, found)
    names = ("study", "content", "change_class", "widened", "changes", "ethics_reference")
    shown = {name: getattr(found, name) for name in (*names, "changed_at", "published")}
    told = {
        **shown,
        "draft": found.id,
        "sha256": sha256,
        "approved_by": [each["name"] for each in drafts.agreed(session, found)],
        "objected_by": [each["name"] for each in drafts.objections(found)],
        "problems": [] if found.published else drafts.class_problems(session, found),
    }
    answer = jsonify(DRAFT.dump(told))
    answer.status_code = status
    answer.headers["ETag"] = f'"{sha256}"'
    return current_app.make_response(answer)
