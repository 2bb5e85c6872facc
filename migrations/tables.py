"""Imports every module that defines tables, so that the one metadata is complete."""

import consent.models
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
    federation.runs.models,
)
METADATA = Base.metadata
