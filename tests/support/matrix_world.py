"""What of the authorization matrix is the same for everybody, and what is not in its network."""

from __future__ import annotations

from collections.abc import Mapping

NOWHERE = "00000000-0000-4000-8000-000000000000"
#: Routes whose own object is not in the test network, with the reason.
OWN_IS_ABSENT: Mapping[str, str] = {
    "/r/query/<uuid:id>/result.<any(csv, json, svg):form>": "the question has no result yet",
    "/mijn/vernietigen": "an empty form names no order",
    "/r/query/<uuid:id>/check": "the id is a draft's, kept with the session",
    **dict.fromkeys(
        (
            "/api/v1/fhir/Consent",
            "/api/v1/fhir/Consent/<consent_id>",
            "/api/v1/fhir/Provenance",
            "/api/v1/fhir/Provenance/<consent_id>",
            "/api/v1/dpv/<receipt_id>",
            "/api/v1/fhir/Subscription",
            "/api/v1/fhir/Subscription/<site>",
            "/api/v1/fhir/Subscription/<site>/$status",
            "/api/v1/fhir/Subscription/<site>/$events",
        ),
        "a hospital's own system reads with a token; a person's browser is shown nothing",
    ),
    **dict.fromkeys(
        (
            "/announcements/<notice>/mark",
            "/announcements/<notice>/withdraw",
            "/api/v1/announcements/<announcement>/mark",
            "/api/v1/announcements/<announcement>/withdrawal",
        ),
        "nothing was announced in the test network",
    ),
    "/api/v1/networks/<network>/groups/<group>/seats/<seat>/end": "the id is nobody's seat",
    "/c/study/<slug>/counts/<uuid:run>/withdraw": "nothing was counted for an idea",
    "/rounds/figures/<uuid:file>/withdraw": "nobody imported figures of others",
    "/network/<network>/agreement/<uuid:agreement>": "no agreement there has a paper",
    "/network/<network>/keep/office/<uuid:office>": "the id is nobody's office",
    "/inbox/done": "an empty form names nothing that waits",
    "/mijn/koppelen/<site>/<study>": "no hospital is linked",
    "/c/study/<slug>/consent/<int:n>/suspend/<uuid:asked>": "nobody asked to suspend a text",
    "/c/study/<slug>/consent/route/<uuid:decision>": "nobody proposed to use data without asking",
    "/api/v1/studies/<study>/texts/<n>/suspensions/<asked>": "nobody asked to suspend a text",
    "/api/v1/studies/<study>/use-without-asking/<decision>": "nobody proposed it",
    "/audit/alarms/<alarm>/seen": "nothing is wrong in the test network",
    "/api/v1/audit/alarms/<alarm>/seen": "nothing is wrong in the test network",
    "/c/study/<slug>/hospitals/<site>/documents/<uuid:document>": "nobody put a document there",
    "/c/study/<slug>/file/<uuid:document>": "nobody put a document there",
    "/api/v1/studies/<study>/documents/<document_id>": "nobody put a document there",
    "/c/study/<slug>/participants/<number>": "nobody is in the test study",
    **dict.fromkeys(
        (
            "/api/v1/studies/<study>/participants/<pseudonym>",
            "/api/v1/studies/<study>/participants/<pseudonym>/moves",
            "/api/v1/studies/<study>/participants/<pseudonym>/milestones",
            "/api/v1/studies/<study>/participants/<pseudonym>/departure",
        ),
        "nobody is in the test study",
    ),
    "/api/v1/studies/<study>/sites/<site>/screening/<month>": "nothing was counted that month",
    "/c/study/<slug>/results/<int:result>": "nothing has come out of the test study",
    "/c/study/<slug>/results/<int:result>/withdraw": "nothing has come out of the test study",
    "/c/study/<slug>/participants/<number>/<deed>": "nobody is in the test study",
    "/group/<network>/<group>/meeting/<uuid:meeting>": "nobody planned a meeting",
    "/board/<site>/document/<uuid:document>": "nobody put a document there",
    **dict.fromkeys(
        (
            "/mijn/vragenlijst/<instrument>/<timepoint>",
            "/mijn/vragenlijst/<instrument>/<timepoint>/<int:n>",
            "/mijn/vragenlijst/<instrument>/<timepoint>/nakijken",
            "/mijn/vragenlijst/<instrument>/<timepoint>/verstuurd",
            "/mijn/vragenlijst/<instrument>/<timepoint>/weg",
        ),
        "no hospital asks a patient of the test network anything: test_patient_prom.py",
    ),
    "/rounds/new": "an empty form names no working group",
    "/r/query/new": "an empty form names no study",
    "/r/query/new/json": "an empty form names no study",
}

#: Arguments that are the same for everybody: nothing of the test network, or no object of anybody.
SAME: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("decision", "notice", "meeting", "agreement", "office", "document"),
            *("document_id", "alarm", "asked", "round", "action", "announcement"),
            *("seat", "run", "file"),
        ),
        NOWHERE,
    ),
    "result": "1",
    "year": "2026",
    "pseudonym": "HT-0001",
    "month": "2026-01",
    "act": "confirm",
    "number": "HT-0001",
    "deed": "move",
    "table": "steps",
    "version": "r5",
    "kind": "csv",
    "form": "json",
    "n": "1",
    "instrument": "qlq-c30",
    "timepoint": "T0",
    "filename": "nothing.css",
    "day": "2026-03-09",
}
