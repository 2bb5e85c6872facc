"""The desk's pages about questionnaires: what is asked, asking somebody, and asking no more."""

from collections.abc import Mapping, Sequence

from federation.prom.schedule import Pathway, Window
from federation.site.desk.forms import day_text
from federation.site.desk.layout import DeskFrame, Typed
from federation.site.desk.parts import button, choices, hidden, summary, text_field
from federation.site.desk.prom_acts import STATES, Wanted, counted, state_of
from federation.site.prom.asking import Line
from federation.site.steward.html import Child, Html, el, pairs, table

PLACE = "questionnaires"
MOST_LISTED = 100
_TYPED = ("number", "any", "pathway", "start", "forget")


class PromPages(DeskFrame):
    """Questionnaires of one hospital, for one person."""

    def overview(self, found: Sequence[Line], told: str = "") -> Html:
        """How many stand where, and which are open; `told`: what was done just now."""
        say = self._say
        done = el("p", el("strong", say[told])) if told else None
        content: list[Child] = [
            el("div", done, cls="banner banner-good", role="status") if done else None,
            el("p", say["prom.intro"], cls="intro"),
            el(
                "p",
                self._button_link("ask", "button"),
                " ",
                self._button_link("end", "button button-second"),
                cls="cluster",
            ),
            el("p", say["prom.watch"], cls="banner"),
        ]
        if not found:
            content.append(el("p", say["prom.none"]))
        else:
            content += [*self._counts(found), *self._open(found)]
        return self._page(PLACE, say["prom.title"], *content, address=PLACE)

    def _button_link(self, what: str, kind: str) -> Html:
        return el("a", self._say[f"prom.{what}"], href=self._address(f"{PLACE}/{what}"), cls=kind)

    def _counts(self, found: Sequence[Line]) -> list[Child]:
        say = self._say
        heads = [
            say["prom.instrument"], say["prom.timepoint"], *(say[f"prom.{s}"] for s in STATES)
        ]  # fmt: skip
        rows = [
            [
                each.instrument,
                say[each.timepoint],
                *(self._number(each.of.get(s, 0)) for s in STATES),
            ]
            for each in counted(found)
        ]
        return [el("h2", say["prom.counts"]), table(heads, rows, say["prom.counts"])]

    def _open(self, found: Sequence[Line]) -> list[Child]:
        say = self._say
        due = [each for each in found if state_of(each) == "due"]
        due.sort(key=lambda each: each.window.closes)
        heads = [say["number"], say["prom.instrument"], say["prom.timepoint"], say["prom.closes"]]
        rows = [
            [
                each.number,
                each.window.instrument,
                say[each.window.timepoint],
                day_text(each.window.closes),
            ]
            for each in due[:MOST_LISTED]
        ]
        more = say["prom.first"].format(n=MOST_LISTED, all=len(due))
        return [
            el("h2", say["prom.open"]),
            table(heads, rows, say["prom.open"]) if rows else el("p", say["prom.open.none"]),
            el("p", more) if len(due) > MOST_LISTED else None,
        ]

    def ask(
        self,
        key: str,
        known: Mapping[str, Pathway],
        typed: Typed,
        chosen: Sequence[str],
        found: Mapping[str, str],
        posted: str,
    ) -> Html:
        """Of whom, which schedule, from when. `posted`: the place that made this page."""
        say, errors = self._say, self.sentences(found)
        instruments = list(dict.fromkeys(i for each in known.values() for i in each.instruments))
        return self._form_page(
            "prom.ask",
            errors,
            posted,
            el("p", say["prom.ask.intro"], cls="intro"),
            self._form(
                key,
                f"{PLACE}/ask",
                summary(say, errors),
                self._number_field(typed, errors),
                choices(
                    "pathway",
                    say["prom.pathway"],
                    [(name, self._schedule(each)) for name, each in known.items()],
                    chosen=[typed.get("pathway", "")],
                    hint=say["prom.pathway.hint"],
                    error=errors.get("pathway", ""),
                ),
                choices(
                    "instrument",
                    say["prom.which"],
                    [(each, each) for each in instruments],
                    chosen=chosen,
                    error=errors.get("instrument", ""),
                    many=True,
                ),
                text_field(
                    "start",
                    say["prom.start"],
                    value=typed.get("start", ""),
                    hint=say["prom.start.hint"],
                    error=errors.get("start", ""),
                ),
                el("div", button(say["next"])),
            ),
        )

    def _schedule(self, pathway: Pathway) -> str:
        points = ", ".join(self._say[each.code] for each in pathway.timepoints)
        listed = ", ".join(pathway.instruments)
        told = self._say["prom.points"].format(instruments=listed, points=points)
        return f"{pathway.id} ({told})"

    def review(self, key: str, wanted: Wanted, windows: Sequence[Window], typed: Typed) -> Html:
        """Everything that will be asked, with its days."""
        say = self._say
        heads = [
            say["prom.instrument"],
            say["prom.timepoint"],
            say["prom.opens"],
            say["prom.closes"],
        ]
        rows = [
            [each.instrument, say[each.timepoint], day_text(each.opens), day_text(each.closes)]
            for each in windows
        ]
        facts = [(say["number"], wanted.number), (say["prom.pathway"], wanted.pathway)]
        return self._page(
            PLACE,
            say["prom.review"],
            el("section", pairs(facts), cls="card"),
            table(heads, rows, say["prom.review"]),
            self._form(
                key,
                f"{PLACE}/ask/record",
                hidden({name: value for name, value in typed.items() if name in _TYPED}),
                hidden({"instrument": list(wanted.instruments)}),
                self._review_buttons("prom.record", f"{PLACE}/ask/change"),
            ),
            switch=self._switch(f"{PLACE}/ask"),
        )

    def end(self, key: str, typed: Typed, found: Mapping[str, str], posted: str) -> Html:
        """Of whom, and what becomes of what came in."""
        say, errors = self._say, self.sentences(found)
        return self._form_page(
            "prom.end",
            errors,
            posted,
            el("p", say["prom.end.intro"], cls="intro"),
            self._form(
                key,
                f"{PLACE}/end",
                summary(say, errors),
                self._number_field(typed, errors),
                choices(
                    "forget",
                    say["prom.forget"],
                    [(each, say[f"prom.forget.{each}"]) for each in ("no", "yes")],
                    chosen=[typed.get("forget", "")],
                    error=errors.get("forget", ""),
                ),
                el("div", button(say["next"])),
            ),
        )

    def end_review(self, key: str, typed: Typed) -> Html:
        """What stops when the button is pressed."""
        say = self._say
        facts = [
            (say["number"], typed.get("number", "").strip()),
            (say["prom.forget"], say[f"prom.forget.{typed.get('forget', 'no')}"]),
        ]
        return self._page(
            PLACE,
            say["prom.end.review"],
            el("section", pairs(facts), cls="card"),
            self._form(
                key,
                f"{PLACE}/end/record",
                hidden({name: value for name, value in typed.items() if name in _TYPED}),
                self._review_buttons("prom.end.record", f"{PLACE}/end/change", stop=True),
            ),
            switch=self._switch(f"{PLACE}/end"),
        )

    def _form_page(
        self, title: str, errors: Mapping[str, str], posted: str, *content: Child
    ) -> Html:
        say = self._say
        return self._page(
            PLACE,
            say[title],
            *content,
            address=f"{PLACE}/{title.partition('.')[2]}",
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say[title]}" if errors else "",
        )
