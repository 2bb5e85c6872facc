"""Imports every module that defines tables, so that the one metadata is complete."""

import consent.models
import consent.models_joining
import consent.models_people
import consent.models_trust
import federation.runs.models
import registry.accounts.models
import registry.api.answers_kept
import registry.audit
import registry.health
import registry.mail.models
import registry.site_links
import registry.vantage6.models
import studies.models
import studies.models_inbox
import studies.models_library
import studies.models_network
import studies.models_participants
import studies.models_sites
from studies.base import Base

MODULES = (
    studies.models,
    studies.models_sites,
    studies.models_inbox,
    studies.models_library,
    studies.models_network,
    studies.models_participants,
    registry.accounts.models,
    registry.api.answers_kept,
    registry.audit,
    registry.health,
    registry.mail.models,
    registry.site_links,
    registry.vantage6.models,
    consent.models,
    consent.models_joining,
    consent.models_people,
    consent.models_trust,
    federation.runs.models,
)
METADATA = Base.metadata
