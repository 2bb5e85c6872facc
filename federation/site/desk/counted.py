"""The desk's page that says of one patient in which studies they count now, and why not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from federation.site import audit
from federation.site.choices.deciding import Decided, InUse, decide
from federation.site.desk.acts import Acts
from federation.site.desk.doing import opened
from federation.site.desk.forms import Errors, read_number
from federation.site.desk.gate import Gate
from federation.site.desk.layout import DeskFrame, Typed
from federation.site.desk.parts import button, summary
from federation.site.desk.places import Asked
from federation.site.errors import DataError, SetupError
from federation.site.steward.html import Child, Html, el, table
from federation.site.steward.sent_report import when
from federation.site.store import moment

PLACE: Final = "counted"
Found = tuple[InUse | None, Mapping[str, Decided]]


class CountedPages(DeskFrame):
    """Whether somebody counts, at one hospital, for one person of it."""

    def look(self, key: str, typed: Typed, errors: Mapping[str, str], found: Found | None) -> Html:
        """Whose number, and what was found for it."""
        say, told = self._say, self.sentences(errors)
        return self._page(
            PLACE,
            say["counted.title"],
            el("p", say["counted.intro"], cls="intro"),
            None if found is None else self._found(typed["number"], *found),
            self._form(
                key,
                PLACE,
                summary(say, told),
                self._number_field(typed, told),
                el("div", button(say["counted.look"])),
            ),
            address=PLACE,
            switch=self._switch(PLACE) if typed else None,
            named=f"{say['errors.title']}{say['counted.title']}" if errors else "",
        )

    def _found(self, number: str, used: InUse | None, decided: Mapping[str, Decided]) -> Html:
        say = self._say
        rows: list[Sequence[Child]] = [
            [
                study,
                el("strong", say["counted.yes" if each.counts else "counted.no"]),
                self._why(each),
            ]
            for study, each in decided.items()
        ]
        heads = [say["study"], say["counted.answer"], say["counted.why"]]
        by = None
        if used is not None:
            by = say["counted.list"].format(seq=used.seq, at=when(used.issued, self._lang))
        return el(
            "section",
            el("h2", say["counted.found"], ": ", number),
            table(heads, rows, say["counted.found"]),
            el("p", by) if by else None,
            cls="card stack-s",
            role="status",
        )

    def _why(self, decided: Decided) -> str:
        parts = [self._say[f"counted.why.{decided.reason}"]]
        for name, limit in (("since", decided.since), ("until", decided.until)):
            if limit is not None:
                day = f"{moment(limit).astimezone():%d-%m-%Y}"
                parts.append(self._say[f"counted.{name}"].format(day=day))
        return " ".join(parts)


class CountedRoutes:
    """From what was typed to the answer. Each look is written down, without the number."""

    def __init__(self, acts: Acts, gate: Gate, base: str, lang: str) -> None:
        self._acts = acts
        self._gate = gate
        self._pages = CountedPages(acts.settings.name, acts.by, base, lang)

    def get(self) -> Html:
        """The page before anybody was looked up."""
        return self._pages.look(self._gate.new_form(), {}, {}, None)

    def post(self, asked: Asked, key: str) -> Html:
        """The same page with what was found, or with what is wrong with the number."""
        errors: Errors = {}
        number = read_number(asked.typed, errors)
        found = None
        if not errors:
            try:
                any_number = asked.typed.get("any") == "yes"
                found = self._look(number, asked.now, any_number=any_number)
            except DataError:
                errors["number"] = "error.data"
            except SetupError as error:
                if error.code != "number_unknown":
                    raise
                errors["number"] = "error.number_unknown"
        return self._pages.look(key, {**asked.typed, "number": number}, errors, found)

    def _look(self, number: str, now: datetime, *, any_number: bool) -> Found:
        with opened(self._acts.path, self._acts.by, now) as desk:
            handle = desk.handle(number, any_number=any_number)
            used: InUse | None = None
            decided = {}
            for study in self._acts.studies:
                desk.check_study(study)
                used, (decided[study],) = decide(
                    desk.directory, desk.database, study, [handle], now
                )
            with desk.act():
                audit.record(desk.database, "PATIENT_LOOKED_UP", {"names": self._acts.by}, now)
        return used, decided
