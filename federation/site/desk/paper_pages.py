"""The pages on which a form on paper is entered, and on which somebody stops."""

from collections.abc import Mapping, Sequence

from consent.parties import Speaker
from federation.site.desk.forms import LANGUAGES, STOPS, Head, Stop, day_text
from federation.site.desk.layout import ANSWER, DeskFrame, Typed
from federation.site.desk.paper import HOW, LATER, NO, YES
from federation.site.desk.parts import button, choices, summary, text_field
from federation.site.desk.words import FormText, Question
from federation.site.steward.html import Child, Html, el, pairs


class PaperPages(DeskFrame):
    """A form on paper in three pages: whose and which, the answers, a last look."""

    def head(
        self, key: str, studies: Sequence[str], typed: Typed, found: Mapping[str, str], posted: str
    ) -> Html:
        """Whose form, of which study and text. `posted`: the place that made this page, ""
        when it was opened."""
        say, errors = self._say, self.sentences(found)
        fields = ("number", "any", "study", "signed_on", "text", "language")
        return self._page(
            "paper",
            say["paper.title"],
            el("p", say["paper.intro"], cls="intro"),
            self._form(
                key,
                "paper",
                summary(say, errors),
                self._number_field(typed, errors),
                self._study_field(studies, typed, errors),
                self._day_field("signed_on", typed, errors),
                text_field(
                    "text",
                    say["text"],
                    value=typed.get("text", ""),
                    hint=say["text.hint"],
                    error=errors.get("text", ""),
                    wide=True,
                ),
                self._choice("language", LANGUAGES, typed, errors, legend="language.form"),
                self._rest(typed, fields),
                el("div", button(say["next"])),
            ),
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say['paper.title']}" if errors else "",
        )

    def answers(
        self,
        key: str,
        text: FormText,
        speakers: Sequence[Speaker],
        typed: Typed,
        found: Mapping[str, str],
        posted: str,
    ) -> Html:
        """Every question of the text, as the form has them; none answered beforehand."""
        say, errors = self._say, self.sentences(found)
        named = [f"{ANSWER}{each.item}" for each in text.questions]
        return self._page(
            "paper",
            say["answers.title"],
            el("p", self._title(text), cls="intro"),
            el("p", say["answers.known" if text.known else "answers.unknown"]),
            el("p", say["answers.open"]),
            self._form(
                key,
                "paper/answers",
                summary(say, errors),
                self._party_field(speakers, typed, errors),
                [self._question(each, typed, errors) for each in text.questions],
                self._rest(typed, ["party", *named]),
                el(
                    "div",
                    button(say["next"]),
                    button(say["change"], kind="second", formaction=self._address("paper/again")),
                    cls="cluster",
                ),
            ),
            switch=self._switch(posted),
            named=f"{say['errors.title']}{say['answers.title']}" if errors else "",
        )

    def review(
        self,
        key: str,
        head: Head,
        text: FormText,
        answers: Mapping[str, str],
        party: str,
        speakers: Sequence[Speaker],
        typed: Typed,
    ) -> Html:
        """What will be written down, and what of it works when."""
        say = self._say
        by = {kind: [i for i, said in answers.items() if said == kind] for kind in (YES, NO, LATER)}
        left = len(text.questions) - len(answers)
        return self._page(
            "paper",
            say["review.title"],
            el("section", pairs(self._head_facts(head, text, party, speakers)), cls="card"),
            self._said(say["review.now"], by[NO], NO),
            self._said(say["review.waits"], by[YES], YES),
            self._said(say["review.later"], by[LATER], LATER),
            el("p", say["review.left"].format(n=left), cls="quiet") if left else None,
            self._form(
                key,
                "paper/record",
                self._rest(typed, ()),
                self._review_buttons("review.record", "paper/change"),
            ),
            switch=self._switch("paper/answers"),
        )

    def _head_facts(
        self, head: Head, text: FormText, party: str, speakers: Sequence[Speaker]
    ) -> list[tuple[str, Child]]:
        say = self._say
        return [
            (say["number"], head.number),
            (say["study"], head.study),
            (say["party"], self._who(party, speakers)),
            (say["signed_on"], day_text(head.signed_on)),
            (say["text"], [el("span", self._title(text)), " ", el("code", text.number)]),
            (say["language.form"], say[f"language.{head.language}"]),
        ]

    def _title(self, text: FormText) -> str:
        return text.title.get(self._lang, text.study)

    def _question(self, question: Question, typed: Typed, errors: Mapping[str, str]) -> Html:
        field, say = f"{ANSWER}{question.item}", self._say
        values = [(kind, say[f"answer.{kind}"]) for kind in (YES, NO, LATER)]
        return choices(
            field,
            question.words[self._lang],
            [*values, ("", say["answer.open"])],
            chosen=[typed[field]] if field in typed else (),
            error=errors.get(field, ""),
            row=True,
        )


class StopPages(DeskFrame):
    """Somebody stops: one page, and a last look."""

    def stop(
        self,
        key: str,
        studies: Sequence[str],
        speakers: Sequence[Speaker],
        typed: Typed,
        found: Mapping[str, str],
        posted: str,
    ) -> Html:
        """Who stops with what; who says so where others may speak too."""
        say, errors = self._say, self.sentences(found)
        return self._page(
            "stop",
            say["stop.title"],
            el("p", say["stop.intro"], cls="intro"),
            self._form(
                key,
                "stop",
                summary(say, errors),
                self._number_field(typed, errors),
                self._party_field(speakers, typed, errors, legend="party.said"),
                self._choice("what", STOPS, typed, errors),
                self._study_field(studies, typed, errors, say["stop.study"]),
                self._choice("how", sorted(HOW), typed, errors),
                self._day_field("said_on", typed, errors),
                el("div", button(say["next"])),
            ),
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say['stop.title']}" if errors else "",
        )

    def review(self, key: str, stop: Stop, speakers: Sequence[Speaker], typed: Typed) -> Html:
        """What stops when the button is pressed."""
        say = self._say
        facts = [
            (say["number"], stop.number),
            (say["party.said"], self._who(stop.party, speakers)),
            (say["what"], say[f"what.{stop.what}"]),
            (say["study"], stop.study or None),
            (say["how"], say[f"how.{stop.how}"]),
            (say["said_on"], day_text(stop.signed_on)),
        ]
        return self._page(
            "stop",
            say["review.title"],
            el("section", pairs(facts), cls="card"),
            self._form(
                key,
                "stop/record",
                self._rest(typed, ()),
                self._review_buttons("stop.record", "stop/change", stop=True),
            ),
            switch=self._switch("stop"),
        )
