"""What the pages of the desk have in common: head, forms, who speaks, what was said."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from consent.parties import SELF, Speaker
from consent.rule import ANY, COLLECT_NEW
from federation.site.desk.counted_texts import COUNTED_TEXTS
from federation.site.desk.notices_texts import NOTICE_TEXTS
from federation.site.desk.parts import button, choices, hidden, text_field
from federation.site.desk.prom_texts import PROM_TEXTS
from federation.site.desk.texts import TEXTS
from federation.site.desk.words import label
from federation.site.steward.html import Child, Html, el, lines
from federation.site.steward.layout import Frame

KEY: Final = "key"
FIELDS: Final = ("number", "any", "study", "signed_on", "text", "language", "party", "what", "how")
ANSWER: Final = "answer-"
FORM: Final = "desk"
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    lang: {**words, **PROM_TEXTS[lang], **NOTICE_TEXTS[lang], **COUNTED_TEXTS[lang]}
    for lang, words in TEXTS.items()
}
LANG_OF: Final = {"nl": "en", "en": "nl"}

Typed = Mapping[str, str]


class DeskFrame(Frame):
    """Pages of one person at one desk. `by`: that person."""

    places = ("start", "paper", "stop", "check", "letter", "questionnaires", "notices", "counted")
    texts = WORDS
    styles = ("page.css", "desk.css")

    def __init__(self, name: str, by: str, base: str, lang: str) -> None:
        super().__init__(name, base, lang)
        self._by = by

    def told(self, code: int, sentence: str = "") -> Html:
        """A page instead of the one that was asked for: 403, 404, 409 or 500. `sentence`: in
        English, from the program, when there is no own text for it."""
        say = self._say
        return self._page(
            "",
            say[f"error.{code}"],
            el("p", say[f"error.{code}.text"]),
            el("p", say["error.setup"], " ", el("span", sentence, lang="en")) if sentence else None,
            el("p", self._link("start", say["back"])) if code != 403 else None,
        )

    def closed(self) -> Html:
        """The last page of a desk."""
        say = self._say
        return self._page("", say["closed.title"], el("p", say["closed.text"], cls="intro"))

    def sentences(self, errors: Mapping[str, str]) -> dict[str, str]:
        """The words for each mistake; a text that is no key stands for itself."""
        return {field: self._say.get(key, key) for field, key in errors.items()}

    def _foot(self) -> str:
        return self._say["foot"].format(by=self._by)

    def _switch(self, place: str) -> Html:
        """The other language, with everything that was typed. `place`: what made this page."""
        other = LANG_OF[self._lang]
        return el(
            "button",
            self._say["other"],
            form=FORM,
            formaction=self._in(other, place),
            lang=other,
            cls="switch",
        )

    def _form(self, key: str, place: str, *children: Child) -> Html:
        return el(
            "form",
            hidden({KEY: key}),
            children,
            method="post",
            action=self._address(place),
            id=FORM,
            novalidate=True,
            autocomplete="off",
            cls="stack-l",
        )

    def _rest(self, typed: Typed, shown: Iterable[str]) -> Html:
        """What was typed on other pages of the same form."""
        seen = set(shown)
        return hidden(
            {
                name: value
                for name, value in typed.items()
                if name not in seen and (name in FIELDS or name.startswith(ANSWER))
            }
        )

    def _number_field(self, typed: Typed, errors: Mapping[str, str]) -> list[Child]:
        """The patient's number; after one that is not in the data also the box to go on anyway."""
        say = self._say
        asked = errors.get("number") == say["error.number_unknown"] or "any" in typed
        return [
            text_field(
                "number",
                say["number"],
                value=typed.get("number", ""),
                hint=say["number.hint"],
                error=errors.get("number", ""),
            ),
            choices(
                "any",
                say["any.legend"],
                [("yes", say["any"])],
                chosen=["yes"] if typed.get("any") == "yes" else [],
                many=True,
            )
            if asked
            else None,
        ]

    def _choice(
        self,
        field: str,
        values: Sequence[str],
        typed: Typed,
        errors: Mapping[str, str],
        *,
        legend: str = "",
        row: bool = False,
    ) -> Html:
        """One of a few, none chosen beforehand; the words stand under "field.value"."""
        say = self._say
        return choices(
            field,
            say[legend or field],
            [(value, say[f"{field}.{value}"]) for value in values],
            chosen=[typed.get(field, "")],
            error=errors.get(field, ""),
            row=row,
        )

    def _study_field(
        self,
        studies: Sequence[str],
        typed: Typed,
        errors: Mapping[str, str],
        hint: str = "",
    ) -> Html:
        return choices(
            "study",
            self._say["study"],
            [(study, study) for study in studies],
            chosen=[typed.get("study", "")],
            hint=hint,
            error=errors.get("study", ""),
        )

    def _day_field(self, label: str, typed: Typed, errors: Mapping[str, str]) -> Html:
        return text_field(
            "signed_on",
            self._say[label],
            value=typed.get("signed_on", ""),
            hint=self._say["signed_on.hint"],
            error=errors.get("signed_on", ""),
        )

    def _party_field(
        self,
        speakers: Sequence[Speaker],
        typed: Typed,
        errors: Mapping[str, str],
        *,
        legend: str = "party",
    ) -> Html | None:
        """Who it is; nothing where the patient alone may speak."""
        if not speakers:
            return None
        options = [(SELF, self._say["party.self"])]
        options += [(each.party, self._speaker(each)) for each in speakers]
        return choices(
            "party",
            self._say[legend],
            options,
            chosen=[typed.get("party", "")],
            error=errors.get("party", ""),
        )

    def _speaker(self, speaker: Speaker) -> str:
        until = "" if speaker.end is None else f", – {speaker.end.astimezone():%d-%m-%Y}"
        return f"{self._say[f'role.{speaker.role}']} ({speaker.party}{until})"

    def _who(self, party: str, speakers: Iterable[Speaker]) -> str:
        for each in speakers:
            if each.party == party:
                return self._speaker(each)
        return self._say["party.self"] if party == SELF else party

    def _said(self, heading: str, items: Sequence[str], kind: str) -> Html | None:
        """A group of answers under its heading; nothing for none."""
        if not items:
            return None
        words = [self._item(item) for item in items]
        mark = el("span", self._say[f"answer.{kind}"], cls=f"tag tag-{kind}")
        return el(
            "section", el("h2", heading, " ", mark), lines(words), cls=f"card stack-s said-{kind}"
        )

    def _item(self, item: str) -> str:
        if item == ANY:
            return self._say["review.all"]
        if item == COLLECT_NEW:
            return self._say["what.new"]
        return label(item, self._lang)

    def _review_buttons(self, record: str, again: str, *, stop: bool = False) -> Html:
        say = self._say
        return el(
            "div",
            button(say[record], kind="stop" if stop else ""),
            button(say["change"], kind="second", formaction=self._address(again)),
            cls="cluster",
        )
