"""What a seed of a network holds: pure data, written by studies.loading.load_network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class InstitutionSeed:
    """A hospital or institute by its real name. `agb` stays empty where it is not known."""

    slug: str
    name: str
    kind: str
    city: str
    agb: str | None = None
    phone: str = ""


@dataclass(frozen=True)
class PersonSeed:
    """Someone in a working group. `invented`: made up for a demonstration."""

    name: str
    discipline: str
    institution: str | None
    role: str = "member"
    invented: bool = True


@dataclass(frozen=True)
class GroupSeed:
    """A tumour working group."""

    slug: str
    name_nl: str
    name_en: str
    members: tuple[PersonSeed, ...] = ()


@dataclass(frozen=True)
class StudySeed:
    """A study. `text` is the content of its form (consent.texts.check_content), published by the
    caller; `codebook` the name of a YAML file beside this one; `sites` slug -> state to reach.
    """

    slug: str
    title_nl: str
    title_en: str
    question_nl: str
    question_en: str
    purpose_nl: str
    purpose_en: str
    group: str
    lead: str
    lead_name: str
    requires: tuple[str, ...]
    codebook: str
    sites: Mapping[str, str]
    text: Mapping[str, Any]
    text_approved_by: tuple[str, ...]
    output_by_site: bool = False


@dataclass(frozen=True)
class NetworkSeed:
    """A network with all in it. `since` is an ISO date; `source` says where facts are from."""

    slug: str
    name: str
    region_nl: str
    region_en: str
    since: str
    source: str
    institutions: tuple[InstitutionSeed, ...]
    groups: tuple[GroupSeed, ...]
    studies: tuple[StudySeed, ...]
