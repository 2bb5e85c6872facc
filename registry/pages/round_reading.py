"""What a page of a round is made of for one reader: the round, its group, and the view they get.

People of the hospitals see every hospital, the others by letter; representatives of patients and
observers see all hospitals together, in words without jargon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook
from federation.rounds import reading
from federation.rounds.errors import RoundError
from federation.rounds.models import EvaluationRound
from federation.rounds.states import READABLE, UNDER_EMBARGO
from federation.rounds.view import for_hospitals, for_patients
from registry.access import ROUND_READERS, may_see_round, reach, reaches, reaches_any
from registry.pages.naming import Names
from registry.pages.round_labels import Places
from registry.pages.round_words import Row, title
from registry.transaction import current_session
from registry.translate import language
from studies.models import Study, WorkingGroup
from studies.network.groups import find_group

#: For whom the view of all hospitals together is meant; every other reader of a round is inside.
FOR_PATIENTS = frozenset({"representative", "observer"})
INSIDE_ROUND = ROUND_READERS - FOR_PATIENTS


@dataclass(frozen=True)
class Reading:
    """A round as the person of this request may see it."""

    round: EvaluationRound
    group: WorkingGroup
    study: Study

    @property
    def released(self) -> bool:
        """Whether there is a snapshot that people may read."""
        return self.round.state in READABLE

    @property
    def lay(self) -> bool:
        """Whether the reader is here for the patients only."""
        return not may_see_round(g.actor, self.round, INSIDE_ROUND)

    @property
    def chair(self) -> bool:
        """Whether the reader writes for the group: its chair, or who coordinates the study."""
        return reaches(g.actor, "chair", "group", self.group.key) or self.coordinator

    @property
    def coordinator(self) -> bool:
        """Whether the reader coordinates the study."""
        return reaches(g.actor, "coordinator", "study", self.round.study)

    @property
    def judges(self) -> bool:
        """Whether the reader sits in the study's committee."""
        return reaches(g.actor, "committee", "study", self.round.study)

    @property
    def open_group(self) -> bool:
        """Whether the reader may open the page of the group."""
        roles = ("chair", "group", "representative", "coordinator")
        return reaches_any(g.actor, roles, "group", self.group.key)

    @cached_property
    def view(self) -> dict[str, Any]:
        """The released snapshot, as this reader may see it. NotFound before the release."""
        try:
            found = reading.snapshot(current_session(), self.round)
        except RoundError:
            raise NotFound from None
        return for_patients(found) if self.lay else for_hospitals(found, self.own)

    @cached_property
    def own(self) -> frozenset[str]:
        """The hospitals of the round that the reader is of."""
        mine: set[str] = set()
        for role in ("board", "steward"):
            mine |= reach(g.actor, role, "site") or frozenset()
        return frozenset(mine) & frozenset(self.round.plan["sites"])

    @cached_property
    def places(self) -> Places:
        """What the hospitals are called here."""
        return Places.of(self.view)

    @property
    def codebook(self) -> Codebook | None:
        """The built-in codebook of the definitions, else that of the study."""
        names = {each["codebook"] for each in self.round.plan["indicators"]}
        found = builtin_codebook(str(min(names))) if names else None
        if found is None and self.study.codebook:
            return Codebook.from_dict(self.study.codebook)
        return found

    def level_name(self, variable: str, level: object) -> str:
        """The label of a level of a variable, in the reader's language; of the variable itself
        for None."""
        names = self.names
        if names is None:
            return str(variable if level is None else level)
        return names.variable(variable) if level is None else names.level(variable, level)

    @cached_property
    def names(self) -> Names | None:
        """The labels of the codebook; None where there is no codebook."""
        book = self.codebook
        return None if book is None else Names(book, language())

    @property
    def may_help(self) -> bool:
        """Whether the reader can offer help: for their own hospital, or as chair for any."""
        return bool(self.helpers) and not self.lay

    @property
    def hospital_options(self) -> list[tuple[str, str]]:
        """The hospitals to choose from: letter and label."""
        return [
            (str(h["letter"]), self.places.label(str(h["site"]))) for h in self.places.hospitals
        ]

    @property
    def site_options(self) -> list[tuple[str, str]]:
        """The hospitals of a round with names to choose from: short name and label."""
        return [(str(h["site"]), self.places.label(str(h["site"]))) for h in self.places.hospitals]

    @property
    def helpers(self) -> list[tuple[str, str]]:
        """For which hospitals the reader may offer help."""
        ours = {str(h["letter"]) for h in self.places.ours}
        return [pair for pair in self.hospital_options if self.chair or pair[0] in ours]

    @property
    def indicator_options(self) -> list[tuple[str, str]]:
        """The indicators to choose from: id and title."""
        return [(str(i["id"]), title(i)) for i in self.view["indicators"]]

    def causes_asked(self, indicator: str) -> list[EvaluationRound]:
        """Looks at groups of patients for an indicator that are not released yet."""
        return [
            each
            for each in reading.additions(current_session(), self.round)
            if each.kind == "strata"
            and each.state in UNDER_EMBARGO
            and any(one["id"] == indicator for one in each.plan["indicators"])
        ]

    def groups_asked(self, cause: EvaluationRound) -> str:
        """By which groups of patients a cause was asked, in words."""
        return ", ".join(self.level_name(str(name), None) for name in cause.plan["strata"])

    def strata_options(self, indicator: Row) -> list[tuple[str, str, str]]:
        """The groups of patients that the definition names and that were not asked yet."""
        there = {str(part["variable"]) for part in indicator.get("strata") or ()}
        for each in self.causes_asked(str(indicator["id"])):
            there |= {str(name) for name in each.plan["strata"]}
        names = [str(each) for each in indicator["definition"].get("strata") or ()]
        return [(each, self.level_name(each, None), "") for each in names if each not in there]

    def site_of(self, letter: str) -> str | None:
        """The hospital behind a letter of this round; None for no letter of it."""
        real = reading.snapshot(current_session(), self.round)
        return next((h.site for h in real.hospitals if h.letter == letter), None)

    def indicator(self, identity: str) -> Row:
        """The indicator with this id in the view. NotFound without one."""
        for each in self.view["indicators"]:
            if each["id"] == identity:
                return dict(each)
        raise NotFound


def read(number: object) -> Reading:
    """The round of an address; the rule's scope has seen to it that this person may look."""
    session = current_session()
    found = session.get(EvaluationRound, str(number))
    if found is None:
        raise NotFound
    return reading_of(session, found)


def reading_of(session: Session, found: EvaluationRound) -> Reading:
    """A round with its group and its study."""
    group = find_group(session, str(found.plan["group"]))
    if group is None:
        raise NotFound
    return Reading(found, group, session.get_one(Study, found.study))
