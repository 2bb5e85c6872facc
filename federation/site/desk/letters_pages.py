"""The pages on which a letter for one patient is made."""

from collections.abc import Mapping, Sequence

from consent.parties import Speaker
from federation.site.desk.acts import MadeLetter
from federation.site.desk.forms import DAYS, LANGUAGES, Invitation
from federation.site.desk.layout import DeskFrame, Typed
from federation.site.desk.parts import button, choices, hidden, summary
from federation.site.steward.html import Html, el, pairs
from federation.site.steward.sent_report import when

_TYPED = ("number", "any", "language", "party", "second", "days")


class LetterPages(DeskFrame):
    """A letter: one page, a last look, and what came of it."""

    def letter(
        self,
        key: str,
        studies: Sequence[str],
        speakers: Sequence[Speaker],
        typed: Typed,
        chosen: Sequence[str],
        found: Mapping[str, str],
        posted: str,
    ) -> Html:
        """To whom, about which studies, how."""
        say, errors = self._say, self.sentences(found)
        return self._page(
            "letter",
            say["letter.title"],
            el("p", say["letter.intro"], cls="intro"),
            self._form(
                key,
                "letter",
                summary(say, errors),
                self._number_field(typed, errors),
                self._party_field(speakers, typed, errors, legend="party.to"),
                choices(
                    "study",
                    say["studies"],
                    [(study, study) for study in studies],
                    chosen=chosen,
                    error=errors.get("study", ""),
                    many=True,
                ),
                self._choice("language", LANGUAGES, typed, errors),
                self._choice("second", ("yes", "no"), typed, errors),
                choices(
                    "days",
                    say["days"],
                    [(str(n), say["days.n"].format(n=n)) for n in DAYS],
                    chosen=[typed.get("days", "")],
                    error=errors.get("days", ""),
                    row=True,
                ),
                el("div", button(say["next"])),
            ),
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say['letter.title']}" if errors else "",
        )

    def review(
        self, key: str, asked: Invitation, speakers: Sequence[Speaker], typed: Typed
    ) -> Html:
        """The letter that will be made."""
        say = self._say
        facts = [
            (say["number"], asked.number),
            (say["party.to"], self._who(asked.party, speakers)),
            (say["studies"], ", ".join(asked.studies)),
            (say["language"], say[f"language.{asked.language}"]),
            (say["second"], say["second.yes" if asked.second else "second.no"]),
            (say["days"], say["days.n"].format(n=asked.days)),
        ]
        kept = {name: value for name, value in typed.items() if name in _TYPED}
        return self._page(
            "letter",
            say["letter.review"],
            el("section", pairs(facts), cls="card"),
            self._form(
                key,
                "letter/record",
                hidden(kept),
                hidden({"study": list(asked.studies)}),
                self._review_buttons("letter.record", "letter/change"),
            ),
            switch=self._switch("letter"),
        )

    def made(self, name: str, letter: MadeLetter | None) -> Html:
        """The letter to open and the digits to tell; for a while only."""
        say = self._say
        if letter is None:
            return self._page("letter", say["letter.title"], el("p", say["letter.gone"]))
        inside = letter.letter
        facts = [
            (say["number"], letter.number),
            (say["letter.until"], when(inside.expires, self._lang)),
        ]
        digits = [
            el("h2", say["letter.digits"]),
            el("p", inside.digits, cls="digits"),
            el("p", say["letter.digits.text"]),
        ]
        return self._page(
            "letter",
            say["letter.made"],
            el("section", pairs(facts), cls="card"),
            el(
                "p",
                el(
                    "a",
                    say["letter.file"],
                    href=f"{self._base}/letter/{name}/{letter.name}",
                    cls="button button-large",
                ),
            ),
            None if letter.is_pdf else el("p", say["letter.html"]),
            el("section", digits, cls="card stack-s") if inside.digits else None,
            el("p", self._link("start", say["back"])),
            address=f"letter/{name}",
        )
