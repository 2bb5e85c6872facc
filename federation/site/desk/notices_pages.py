"""The desk's pages about notices of a yes: who has none yet, and somebody who calls about one."""

from collections.abc import Mapping, Sequence
from typing import Any

from consent.parties import SELF
from federation.site.choices.notices import Owed
from federation.site.desk.layout import DeskFrame, Typed
from federation.site.desk.parts import button, choices, hidden, summary, text_field
from federation.site.steward.html import Child, Html, el, pairs, table
from federation.site.steward.sent_report import when

PLACE = "notices"
MOST_LISTED = 100
WHAT = ("wrong", "told", "again")


class NoticePages(DeskFrame):
    """Notices of one hospital, for one person."""

    def overview(self, found: Sequence[tuple[Owed, str]], told: str = "") -> Html:
        """Who has no notice yet, with the local number; `told`: what was done just now."""
        say = self._say
        done = el("p", el("strong", say[told])) if told else None
        content: list[Child] = [
            el("div", done, cls="banner banner-good", role="status") if done else None,
            el("p", say["notices.intro"], cls="intro"),
            el(
                "p",
                el("a", say["notices.call"], href=self._address(f"{PLACE}/call"), cls="button"),
            ),
            el("h2", say["notices.waiting"]),
        ]
        if not found:
            content.append(el("p", say["notices.none"]))
        else:
            heads = [say[f"notices.{name}"] for name in ("number", "patient", "who", "said")]
            rows: list[Sequence[Child]] = [
                [
                    str(each.numbers[0]),
                    number or say["notices.unknown"],
                    self._said_by(each),
                    when(each.said_at, self._lang),
                    say[f"notices.state.{each.kept_back or 'ready'}"],
                ]
                for each, number in found[:MOST_LISTED]
            ]
            more = say["notices.first"].format(n=MOST_LISTED, all=len(found))
            content += [
                table([*heads, say["notices.state"]], rows, say["notices.waiting"]),
                el("p", more) if len(found) > MOST_LISTED else None,
                el("p", say["notices.how"]),
            ]
        return self._page(PLACE, say["notices.title"], *content, address=PLACE)

    def call(self, key: str, typed: Typed, found: Mapping[str, str], posted: str) -> Html:
        """Which notice, and what it is. `posted`: the place that made this page."""
        say, errors = self._say, self.sentences(found)
        return self._page(
            PLACE,
            say["notices.call"],
            self._form(
                key,
                f"{PLACE}/call",
                summary(say, errors),
                text_field(
                    "notice",
                    say["notices.number"],
                    value=typed.get("notice", ""),
                    hint=say["notices.number.hint"],
                    error=errors.get("notice", ""),
                ),
                choices(
                    "about",
                    say["notices.what"],
                    [(each, say[f"notices.what.{each}"]) for each in WHAT],
                    chosen=[typed.get("about", "")],
                    error=errors.get("about", ""),
                ),
                el("div", button(say["next"])),
            ),
            address=f"{PLACE}/call",
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say['notices.call']}" if errors else "",
        )

    def review(self, key: str, about: Owed, number: str, what: str) -> Html:
        """What happens when the button is pressed."""
        say = self._say
        facts: list[Any] = [
            (say["notices.number"], str(about.numbers[0])),
            (say["notices.patient"], number or say["notices.unknown"]),
            (say["notices.who"], self._said_by(about)),
            (say["notices.said"], when(about.said_at, self._lang)),
            (say["notices.what"], say[f"notices.what.{what}"]),
            (say["notices.then"], say[f"notices.then.{what}"]),
        ]
        return self._page(
            PLACE,
            say["notices.review"],
            el("section", pairs(facts), cls="card"),
            self._form(
                key,
                f"{PLACE}/call/record",
                hidden({"notice": str(about.numbers[0]), "about": what}),
                self._review_buttons(
                    "notices.record", f"{PLACE}/call/change", stop=what == "wrong"
                ),
            ),
            switch=self._switch(f"{PLACE}/call"),
        )

    def _said_by(self, each: Owed) -> str:
        return self._say["party.self"] if each.party == SELF else each.party
