"""From a place about notices of a yes and what was typed to a page or an act of the desk."""

from datetime import datetime

from federation.site.choices.notices import Owed, Tellings, of, owed
from federation.site.desk.acts import Acts
from federation.site.desk.doing import Desk, opened
from federation.site.desk.forms import Errors
from federation.site.desk.gate import Gate
from federation.site.desk.notices_pages import PLACE, WHAT, NoticePages
from federation.site.desk.places import Asked, Place
from federation.site.desk.telling import find_numbers, not_theirs
from federation.site.errors import DataError, SetupError
from federation.site.steward.html import Html

_MOST_DIGITS = 12


class NoticeRoutes:
    """The pages and acts about notices of one desk in one language."""

    def __init__(self, acts: Acts, gate: Gate, base: str, lang: str) -> None:
        self._acts = acts
        self._gate = gate
        self._pages = NoticePages(acts.settings.name, acts.by, base, lang)

    def get(self, place: str, now: datetime) -> Html | None:
        """A page that changes nothing; None when there is none. `place`: behind notices."""
        if place in ("", *WHAT):
            with opened(self._acts.path, self._acts.by, now) as desk:
                waiting = owed(desk.database)
                numbers = self._numbers(desk, waiting)
            found = [(each, numbers.get(each.handle, "")) for each in waiting]
            return self._pages.overview(found, f"notices.done.{place}" if place else "")
        if place == "call":
            return self._pages.call(self._gate.new_form(), {}, {}, "")
        return None

    def post(self, place: str, asked: Asked, key: str) -> Html | Place | None:
        """What a form leads to: the same page with its mistakes, the next one, or an act."""
        what, _, step = place.partition("/")
        if what != "call" or step not in ("", "change", "record"):
            return None
        errors: Errors = {}
        number, about = asked.typed.get("notice", "").strip(), asked.typed.get("about", "")
        if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
            errors["notice"] = "error.notices.number"
        if about not in WHAT:
            errors["about"] = "error.notices.what"

        def page(found: Errors) -> Html:
            return self._pages.call(key, asked.typed, found, f"{PLACE}/call")

        if errors or step == "change":
            return page({} if step == "change" else errors)
        try:
            if step == "":
                return self._review(key, int(number), about, asked.now)
            return Place(self._gate.once(key, lambda: self._record(int(number), about, asked.now)))
        except SetupError as error:
            return page({"notice": f"error.{error.code}" if error.code else error.sentence})

    def _review(self, key: str, number: int, about: str, now: datetime) -> Html:
        with opened(self._acts.path, self._acts.by, now) as desk:
            found = of(desk.database, number)
            patient = self._numbers(desk, [found]).get(found.handle, "")
        return self._pages.review(key, found, patient, about)

    def _record(self, number: int, about: str, now: datetime) -> str:
        with opened(self._acts.path, self._acts.by, now) as desk, desk.act():
            tellings = Tellings(desk.database, self._acts.by)
            if about == "wrong":
                not_theirs(desk, number, now)
            elif about == "told":
                tellings.told(number, "phone", now)
            else:
                tellings.again(number, now)
        return f"{PLACE}/{about}"

    def _numbers(self, desk: Desk, waiting: list[Owed]) -> dict[bytes, str]:
        # A call can be taken while the data cannot be read.
        try:
            return dict(find_numbers(desk, waiting, ()))
        except DataError:
            return {}
