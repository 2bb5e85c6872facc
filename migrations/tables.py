"""Imports every module that defines tables, so that the one metadata is complete."""

import consent.models
import consent.models_people
import consent.models_trust
import federation.runs.models
import registry.accounts.models
import registry.audit
import registry.health
import studies.models
from studies.base import Base

MODULES = (
    studies.models,
    registry.accounts.models,
    registry.audit,
    registry.health,
    consent.models,
    consent.models_people,
    consent.models_trust,
    federation.runs.models,
)
METADATA = Base.metadata
