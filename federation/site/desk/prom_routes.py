"""From a place about questionnaires and what was typed to a page or an act of the desk."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Final, TypeVar

from federation.site.desk.acts import Acts
from federation.site.desk.forms import Errors, read_number
from federation.site.desk.gate import Gate
from federation.site.desk.places import Asked, Place
from federation.site.desk.prom_acts import PromActs, Wanted
from federation.site.desk.prom_pages import PLACE, PromPages
from federation.site.errors import DataError, SetupError
from federation.site.steward.html import Html

Page = TypeVar("Page")
_DATE: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})")
_FIRST: Final = date(2000, 1, 1)
#: A first treatment is planned weeks ahead, and no schedule begins later than this.
_AHEAD: Final = timedelta(days=730)
_FIELD_OF: Final[Mapping[str, str]] = {
    "number_unknown": "number",
    "prom_not_written": "number",
    "prom_not_adult": "number",
    "prom_no_letter": "number",
    "prom_pathway": "pathway",
}
#: What the overview tells after an act, by the last part of its place.
_TOLD: Final[Mapping[str, str]] = {
    "asked": "prom.asked",
    "ended": "prom.ended.done",
    "nothing": "prom.ended.none",
}


class PromRoutes:
    """The pages and acts about questionnaires of one desk in one language."""

    def __init__(self, acts: Acts, gate: Gate, base: str, lang: str) -> None:
        self._acts = PromActs(acts)
        self._gate = gate
        self._pages = PromPages(acts.settings.name, acts.by, base, lang)

    def get(self, place: str, now: datetime) -> Html | None:
        """A page that changes nothing; None when there is none. `place`: behind questionnaires."""
        if place == "" or place in _TOLD:
            return self._pages.overview(self._acts.lines(now), _TOLD.get(place, ""))
        if place == "ask":
            return self._pages.ask(self._gate.new_form(), self._acts.pathways(), {}, (), {}, "")
        if place == "end":
            return self._pages.end(self._gate.new_form(), {}, {}, "")
        return None

    def post(self, place: str, asked: Asked, key: str) -> Html | Place | None:
        """What a form leads to: the same page with its mistakes, the next one, or an act."""
        what, _, step = place.partition("/")
        if what == "ask" and step in ("", "change", "record"):
            return self._ask(asked, key, step)
        if what == "end" and step in ("", "change", "record"):
            return self._end(asked, key, step)
        return None

    def _ask(self, asked: Asked, key: str, step: str) -> Html | Place:
        errors: Errors = {}
        chosen = list(asked.all.get("instrument", ()))
        wanted = self._wanted(asked, chosen, errors)

        def page(found: Errors) -> Html:
            known = self._acts.pathways()
            return self._pages.ask(key, known, asked.typed, chosen, found, f"{PLACE}/ask")

        if errors or step == "change":
            return page({} if step == "change" else errors)
        if step == "":
            return self._pages.review(key, wanted, self._acts.windows(wanted), asked.typed)

        def act() -> str:
            self._acts.ask(wanted, asked.now)
            return f"{PLACE}/asked"

        return self._do(key, act, page)

    def _wanted(self, asked: Asked, chosen: list[str], errors: Errors) -> Wanted:
        typed, known = asked.typed, self._acts.pathways()
        number = self._number(asked, errors)
        pathway = known.get(typed.get("pathway", ""))
        if pathway is None:
            errors["pathway"] = "error.prom.pathway"
        if not chosen or (pathway is not None and not set(chosen) <= set(pathway.instruments)):
            errors["instrument"] = "error.prom.which"
        start = _day(typed.get("start", ""), asked.now, errors)
        any_number = typed.get("any") == "yes"
        return Wanted(
            number, "" if pathway is None else pathway.id, start, tuple(chosen), any_number
        )

    def _end(self, asked: Asked, key: str, step: str) -> Html | Place:
        errors: Errors = {}
        number = self._number(asked, errors)
        if asked.typed.get("forget") not in ("yes", "no"):
            errors["forget"] = "error.prom.forget"

        def page(found: Errors) -> Html:
            return self._pages.end(key, asked.typed, found, f"{PLACE}/end")

        if errors or step == "change":
            return page({} if step == "change" else errors)
        if step == "":
            return self._pages.end_review(key, asked.typed)

        def act() -> str:
            forget, any_number = (asked.typed.get(name) == "yes" for name in ("forget", "any"))
            count = self._acts.end(number, asked.now, forget=forget, any_number=any_number)
            return f"{PLACE}/{'ended' if count else 'nothing'}"

        return self._do(key, act, page)

    def _number(self, asked: Asked, errors: Errors) -> str:
        number = read_number(asked.typed, errors)
        if "number" not in errors:
            try:
                self._acts.known(number, asked.now, any_number=asked.typed.get("any") == "yes")
            except DataError:
                errors["number"] = "error.data"
            except SetupError as error:
                if error.code != "number_unknown":
                    raise
                errors["number"] = "error.number_unknown"
        return number

    def _do(
        self, key: str, act: Callable[[], str], again: Callable[[Errors], Page]
    ) -> Place | Page:
        """The act, once for this form; its mistakes on the page where they can be mended."""
        try:
            return Place(self._gate.once(key, act))
        except DataError:
            return again({"": "error.data"})
        except SetupError as error:
            field = _FIELD_OF.get(error.code, "")
            return again({field: f"error.{error.code}" if error.code else error.sentence})


def _day(text: str, now: datetime, errors: Errors) -> date:
    found = _DATE.fullmatch(text.strip())
    try:
        if found:
            day = date(int(found[3]), int(found[2]), int(found[1]))
        else:
            day = date.fromisoformat(text.strip())
    except ValueError:
        errors["start"] = "error.prom.start"
        return _FIRST
    if not _FIRST <= day <= now.date() + _AHEAD:
        errors["start"] = "error.prom.start.far"
    return day
