"""What a seed of a network holds: pure data, written by studies.seeds.loading.load_network."""

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
    contact: str = ""


@dataclass(frozen=True)
class PersonSeed:
    """Someone in a working group; `discipline` and `role` are codes of studies.network.words.

    `invented`: made up for a demonstration. `since` and `until` are ISO dates; without them the
    seat lasts as long as the network.
    """

    name: str
    discipline: str
    institution: str | None
    role: str = "member"
    invented: bool = True
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class GroupSeed:
    """A tumour working group: its ICD-10 ranges and the disciplines it wants at its table."""

    slug: str
    name_nl: str
    name_en: str
    members: tuple[PersonSeed, ...] = ()
    tumours: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True)
class SubnetworkSeed:
    """A part of a network; `members` are (institution, role)."""

    slug: str
    name: str
    members: tuple[tuple[str, str], ...]
    since: str
    region_nl: str = ""
    region_en: str = ""


@dataclass(frozen=True)
class AgreementSeed:
    """A version of an agreement, signed on one day by the board of every member but `unsigned`."""

    kind: str
    version: str
    title_nl: str
    title_en: str
    since: str
    signatory: str
    until: str = ""
    unsigned: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpertiseSeed:
    """A place in the division of care."""

    institution: str
    tumour: str
    treatment: str
    since: str
    until: str = ""
    source: str = ""


@dataclass(frozen=True)
class OfficeSeed:
    """Someone on a board, or an observer for a client council or GP circle."""

    kind: str
    name: str
    institution: str | None = None
    invented: bool = True


@dataclass(frozen=True)
class MeetingSeed:
    """A meeting of a group with what it decided: (text, studies that the decision is about)."""

    group: str
    held_on: str
    agenda: tuple[str, ...]
    decisions: tuple[tuple[str, tuple[str, ...]], ...] = ()


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
class PartSeed:
    """A hospital's way in an invented study: (state, days ago), oldest first. `reason` is that of
    the last step, where it needs one."""

    institution: str
    investigator: str
    steps: tuple[tuple[str, int], ...]
    reason: str | None = None

    @property
    def state(self) -> str:
        """The state that it has reached."""
        return self.steps[-1][0]


@dataclass(frozen=True)
class TrialSeed:
    """An invented study that asks no hospital's data: its kind and how far each hospital is.

    `proposed` and `decided` are days ago; `decided` None while the committee has said nothing.
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
    kind: str
    phase: str | None
    design: str | None
    proposed: int
    decided: int | None
    parts: tuple[PartSeed, ...]
    stages: tuple[str, ...] = ()


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
    subnetworks: tuple[SubnetworkSeed, ...] = ()
    needs: tuple[str, ...] = ("queries",)
    agreements: tuple[AgreementSeed, ...] = ()
    expertise: tuple[ExpertiseSeed, ...] = ()
    offices: tuple[OfficeSeed, ...] = ()
    meetings: tuple[MeetingSeed, ...] = ()
    trials: tuple[TrialSeed, ...] = ()
