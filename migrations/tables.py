"""Imports every module that defines tables, so that the one metadata is complete."""

import consent.models
import consent.models_joining
import consent.models_people
import consent.models_reports
import consent.models_trust
import federation.indicators.models
import federation.rounds.benchmark_models
import federation.rounds.models
import federation.runs.match_models
import federation.runs.models
import registry.accounts.models
import registry.api.answers_kept
import registry.audit
import registry.health
import registry.mail.models
import registry.site_links
import registry.vantage6.models
import studies.hospitals.models
import studies.models
import studies.models_inbox
import studies.network.models
import studies.participants.models
import studies.register.models
from studies.base import Base

MODULES = (
    studies.models,
    studies.hospitals.models,
    studies.models_inbox,
    studies.register.models,
    studies.network.models,
    studies.participants.models,
    registry.accounts.models,
    registry.api.answers_kept,
    registry.audit,
    registry.health,
    registry.mail.models,
    registry.site_links,
    registry.vantage6.models,
    federation.runs.match_models,
    consent.models,
    consent.models_joining,
    consent.models_people,
    consent.models_reports,
    consent.models_trust,
    federation.runs.models,
    federation.indicators.models,
    federation.rounds.benchmark_models,
    federation.rounds.models,
)
METADATA = Base.metadata
