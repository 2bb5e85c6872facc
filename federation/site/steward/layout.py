"""What all pages on this machine have in common: head, navigation, foot, addresses."""

import shlex
from collections.abc import Mapping

from federation.site.steward.html import Child, Html, el, join
from federation.site.steward.overview import Overview
from federation.site.steward.sent_report import moment_text
from federation.site.steward.sent_words import number
from federation.site.steward.texts import TEXTS
from federation.site.stopping import read_stop

PLACES = ("sent", "waiting", "policy", "status")

_LOGO = Html(
    '<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
    '<g stroke="#dfeceb" stroke-width="1.6"><path d="M16 16.6 16 5.4"/>'
    '<path d="M16 16.6 26.7 13.1"/><path d="M16 16.6 22.6 25.7"/><path d="M16 16.6 9.4 25.7"/>'
    '<path d="M16 16.6 5.3 13.1"/></g><g fill="#ffb92e"><circle cx="16" cy="5.4" r="3.1"/>'
    '<circle cx="26.7" cy="13.1" r="3.1"/><circle cx="22.6" cy="25.7" r="3.1"/>'
    '<circle cx="9.4" cy="25.7" r="3.1"/><circle cx="5.3" cy="13.1" r="3.1"/></g>'
    '<circle cx="16" cy="16.6" r="3.1" fill="#fff"/></svg>'
)


class Frame:
    """Pages of one hospital in one language. `base`: the path before every address."""

    places: tuple[str, ...] = PLACES
    texts: Mapping[str, Mapping[str, str]] = TEXTS
    styles: tuple[str, ...] = ("page.css",)

    def __init__(self, name: str, base: str, lang: str) -> None:
        self._name = name
        self._base = base
        self._lang = lang
        self._say: Mapping[str, str] = self.texts[lang]

    def error(self, code: int, sentence: str = "") -> Html:
        """A page for what cannot be shown; `sentence` instead of the usual one."""
        key = "error.404" if code == 404 else "error.500"
        return self._page("", self._say[key], el("p", sentence or self._say[f"{key}.text"]))

    def _number(self, value: int) -> str:
        return number(value, self._lang)

    def _address(self, place: str, **query: int) -> str:
        return self._in(self._lang, place, **query)

    def _in(self, lang: str, place: str, **query: int) -> str:
        asked = {**query, **({"lang": "en"} if lang == "en" else {})}
        tail = "&".join(f"{key}={value}" for key, value in asked.items())
        return f"{self._base}/{place}" + (f"?{tail}" if tail else "")

    def _link(self, place: str, text: str, *, current: bool = False, **query: int) -> Html:
        marked = "page" if current else None
        return el("a", text, href=self._address(place, **query), aria_current=marked)

    def _above(self) -> Html | None:
        """What stands above every page."""
        return None

    def _page(
        self,
        place: str,
        title: str,
        *content: Child,
        before: Child = None,
        address: str = "",
        switch: Html | None = None,
        named: str = "",
    ) -> Html:
        """A whole page. `place`: its entry in the navigation; `address`: its own when that is
        another one; `switch`: to the other language, in place of a link; `named`: the name of the
        window when it is not the title."""
        say, lang = self._say, self._lang
        other = "nl" if lang == "en" else "en"
        there = self._in(other, address or place or self.places[0])
        nav = [self._link(each, say[f"nav.{each}"], current=each == place) for each in self.places]
        head = el(
            "head",
            el("meta", charset="utf-8"),
            el("title", f"{named or title} – Oncokring"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("link", rel="icon", href=f"{self._base}/favicon.svg", type="image/svg+xml"),
            [el("link", rel="stylesheet", href=f"{self._base}/{each}") for each in self.styles],
        )
        mark = el(
            "span",
            _LOGO,
            el(
                "span",
                el("span", self._name, cls="mark-name"),
                el("span", say["mark"], cls="mark-line"),
            ),
            cls="mark",
        )
        link = switch or el("a", say["other"], href=there, lang=other, hreflang=other)
        body = el(
            "body",
            el("a", say["skip"], href="#content", cls="skip"),
            el(
                "header",
                el(
                    "div",
                    mark,
                    el("nav", nav, cls="nav", aria_label=say["main"]),
                    el("div", link, cls="head-end"),
                    cls="head-row",
                ),
                cls="head",
            ),
            el(
                "main",
                self._above(),
                before,
                el("h1", title),
                content,
                cls="page stack-l",
                id="content",
                tabindex="-1",
            ),
            el("footer", el("div", el("span", self._foot()), cls="foot-row"), cls="foot"),
        )
        return join(Html("<!doctype html>\n"), el("html", head, body, lang=lang))

    def _foot(self) -> str:
        return self._say["foot"]


class Layout(Frame):
    """The steward's pages."""

    def __init__(self, overview: Overview, base: str, lang: str) -> None:
        super().__init__(overview.settings.name, base, lang)
        self._overview = overview.speaking(lang)

    def _code(self, command: str) -> Html:
        return el("pre", el("code", command), cls="command", tabindex="0")

    def _above(self) -> Html | None:
        stop, say = read_stop(self._overview.path), self._say
        if stop is None:
            return None
        text = say["paused.hand"]
        if stop.by:
            text = say["paused.by"].format(
                by=stop.by, at=moment_text(stop.at, self._lang), reason=stop.reason
            )
        name = "naam" if self._lang == "nl" else "name"
        here = shlex.quote(str(self._overview.path))
        command = f'oncokring site resume {here} --by "{name}"'
        return el(
            "div",
            el("p", el("strong", say["paused"]), " ", text),
            el("p", say["resume"]),
            self._code(command),
            cls="banner stack-s",
        )
