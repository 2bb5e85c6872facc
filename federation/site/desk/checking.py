"""The desk's first page, the forms that wait, and one form with the second person's decision."""

from collections.abc import Mapping, Sequence

from federation.site.desk.acts import FormHere
from federation.site.desk.forms import day_text
from federation.site.desk.layout import DeskFrame, Typed
from federation.site.desk.paper import LATER, NO, REASONS, YES
from federation.site.desk.parts import button, choices, hidden, summary, text_field
from federation.site.desk.two_people import same_person
from federation.site.steward.html import Child, Html, el, pairs
from federation.site.steward.sent_report import when


class CheckPages(DeskFrame):
    """What was entered, and the second look at it."""

    def start(self, key: str, forms: Sequence[FormHere]) -> Html:
        """What can be done here, and what was entered last."""
        say = self._say
        waiting = sum(each.waits for each in forms)
        words = say["start.check.more"].format(n=waiting)
        if waiting < 2:
            words = say["start.check.one" if waiting else "start.check.none"]
        tiles = [
            el("li", el("h2", self._link(place, say[f"start.{place}"])), el("p", text), cls="card")
            for place, text in (
                ("paper", say["start.paper.text"]),
                ("stop", say["start.stop.text"]),
                ("check", words),
                ("letter", say["start.letter.text"]),
                ("questionnaires", say["start.questionnaires.text"]),
                ("notices", say["start.notices.text"]),
                ("counted", say["start.counted.text"]),
            )
        ]
        return self._page(
            "start",
            say["start.title"],
            el("ul", tiles, cls="tiles"),
            el("h2", say["start.newest"]),
            self._rows(forms) or el("p", say["start.none"]),
            self._form(
                key,
                "close",
                el("p", say["start.close"]),
                el("div", button(say["close"], kind="second")),
            ),
        )

    def check(self, forms: Sequence[FormHere]) -> Html:
        """The forms that wait for a second person, the oldest first."""
        say = self._say
        waiting = [each for each in reversed(forms) if each.waits]
        return self._page(
            "check",
            say["check.title"],
            el("p", say["check.intro"] if waiting else say["check.none"], cls="intro"),
            self._rows(waiting),
        )

    def form(
        self,
        key: str,
        form: FormHere,
        typed: Typed,
        found: Mapping[str, str],
        *,
        done: bool,
        posted: str,
    ) -> Html:
        """One form: what stands in it, and for a second person the question whether it is right.

        `done`: it was entered just now.
        """
        say, errors = self._say, self.sentences(found)
        own = same_person(form.entered_by, self._by)
        ask = form.waits and not own and not done
        return self._page(
            "check",
            say["form.title"],
            summary(say, errors),
            self._done(form) if done else None,
            el("section", pairs(self._facts(form)), cls="card"),
            self._said(say["review.now"], form.no, NO),
            self._said(say["review.waits" if form.waits else "answer.yes"], form.yes, YES),
            self._said(say["review.later"], form.later, LATER),
            el("p", say["check.own"], cls="banner") if form.waits and own and not done else None,
            self._confirm(key, form, typed, errors) if ask else None,
            self._end(key, form, typed, errors, whole=not ask)
            if form.yes and not form.ended_why and not done
            else None,
            el("p", self._link("start", say["back"])),
            address=f"form/{form.form}",
            switch=self._switch(posted) if posted else None,
            named=f"{say['errors.title']}{say['form.title']}" if errors else "",
        )

    def _confirm(self, key: str, form: FormHere, typed: Typed, errors: Mapping[str, str]) -> Html:
        say = self._say
        return self._form(
            key,
            f"form/{form.form}/confirm",
            el("p", say["check.how"]),
            text_field(
                "number",
                say["check.number"],
                value=typed.get("number", ""),
                error=errors.get("number", ""),
            ),
            choices(
                "same",
                say["check.paper"],
                [("yes", say["check.same"])],
                chosen=[typed.get("same", "")],
                error=errors.get("same", ""),
                many=True,
            ),
            el("div", button(say["check.confirm"])),
        )

    def _end(
        self, key: str, form: FormHere, typed: Typed, errors: Mapping[str, str], *, whole: bool
    ) -> Html:
        say = self._say
        reasons = [(reason, say[f"reason.{reason}"]) for reason in REASONS]
        return el(
            "form",
            hidden({"key": key}),
            el("h2", say["end.title"]),
            el("p", say["end.text"]),
            choices(
                "reason",
                say["end.reason"],
                reasons,
                chosen=[typed.get("reason", "")],
                error=errors.get("reason", ""),
            ),
            el("div", button(say["end.button"], kind="second")),
            method="post",
            action=self._address(f"form/{form.form}/end"),
            novalidate=True,
            id="desk" if whole else "end",
            cls="card stack",
        )

    def _done(self, form: FormHere) -> Html:
        say = self._say
        told: list[Child] = [el("p", el("strong", say["form.done"]))]
        if form.no:
            told.append(el("p", say["form.done.no"]))
        if form.yes:
            told.append(el("p", say["form.done.yes"]))
        return el("div", told, cls="banner banner-good stack-s", role="status")

    def _facts(self, form: FormHere) -> list[tuple[str, Child]]:
        say, lang = self._say, self._lang
        by = say["on"].format(who=form.entered_by, when=when(form.entered_at, lang))
        ended = say.get(f"reason.{form.ended_why}", form.ended_why)
        return [
            (say["form.state"], self._state(form)),
            (say["study"], say["what.all"] if form.study == "*" else form.study),
            (say["party"], say["party.self"] if form.party == "self" else form.party),
            (say["signed_on"], day_text(form.signed_on.date())),
            (say["text"], el("code", form.text) if form.text else None),
            (say["form.entered"], by),
            (say["form.confirmed"], form.confirmed_by or None),
            (say["form.ended"], f"{ended} ({form.ended_by})" if form.ended_why else None),
            (say["form.number"], el("code", form.form)),
        ]

    def _state(self, form: FormHere) -> str:
        state = "confirmed" if form.confirmed_by else "done"
        if form.ended_why:
            state = "ended"
        elif form.waits:
            state = "waits"
        return self._say[f"state.{state}"]

    def _rows(self, forms: Sequence[FormHere]) -> Html | None:
        lang = self._lang
        rows = [
            el(
                "li",
                el(
                    "div",
                    self._link(f"form/{each.form}", when(each.entered_at, lang)),
                    el("span", self._state(each), cls="tag" if each.waits else "tag tag-good"),
                    cls="row-head",
                ),
                " · ".join(
                    (
                        self._say["what.all"] if each.study == "*" else each.study,
                        each.entered_by,
                        each.form[-8:],
                    )
                ),
            )
            for each in forms
        ]
        return el("ol", rows, cls="rows") if rows else None
