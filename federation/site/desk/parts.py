"""Parts of the desk's forms: fields, answers, errors. As those of the hub's pages."""

from collections.abc import Iterable, Mapping, Sequence

from federation.site.steward.html import Child, Html, el, join

Option = tuple[str, str]
"""Value and words."""


def text_field(
    id_: str, label: str, *, value: str = "", hint: str = "", error: str = "", wide: bool = False
) -> Html:
    """A field for one line."""
    return el(
        "div",
        el("label", label, **{"for": id_}),
        _messages(id_, hint, error),
        el(
            "input",
            cls="input input-wide" if wide else "input",
            id=id_,
            name=id_,
            type="text",
            value=value,
            autocomplete="off",
            spellcheck="false",
            autocapitalize="off",
            **_described(id_, hint, error),
        ),
        cls="field field-error" if error else "field",
    )


def choices(
    id_: str,
    legend: str,
    options: Sequence[Option],
    *,
    chosen: Iterable[str] = (),
    hint: str = "",
    error: str = "",
    many: bool = False,
    row: bool = False,
) -> Html:
    """Radio buttons, or boxes to tick. The first has the id of the field, for the error above."""
    chosen = set(chosen)
    described = _described(id_, hint, error)
    described.pop("aria_invalid", None)
    made = []
    for at, (value, words) in enumerate(options):
        mark = id_ if at == 0 else f"{id_}-{at + 1}"
        box = el(
            "input",
            type="checkbox" if many else "radio",
            id=mark,
            name=id_,
            value=value,
            checked=value in chosen,
        )
        made.append(
            el(
                "div",
                box,
                el("label", words, **{"for": mark}),
                cls="answer answer-check" if many else "answer",
            )
        )
    return el(
        "fieldset",
        el("legend", legend),
        _messages(id_, hint, error),
        el("div", made, cls="answers answers-row" if row else "answers"),
        cls="field field-error" if error else "field",
        **described,
    )


def summary(say: Mapping[str, str], errors: Mapping[str, str]) -> Html | None:
    """The mistakes above the form, each a link to its field. Nothing for none."""
    if not errors:
        return None
    words = say["errors.one"] if len(errors) == 1 else say["errors.more"].format(n=len(errors))
    listed = [
        el("li", el("a", text, href=f"#{field}") if field else el("span", text))
        for field, text in errors.items()
    ]
    return el(
        "div",
        el("h2", words, id="error-heading"),
        el("ul", listed),
        cls="error-box",
        role="alert",
        tabindex="-1",
        autofocus=True,
        id="error-summary",
        aria_labelledby="error-heading",
    )


def hidden(values: Mapping[str, str | Sequence[str]]) -> Html:
    """What was typed on a page before."""
    pairs = [
        (name, each)
        for name, value in values.items()
        for each in ([value] if isinstance(value, str) else value)
    ]
    return join([el("input", type="hidden", name=name, value=value) for name, value in pairs])


def button(words: str, *, kind: str = "", **attributes: str | bool | None) -> Html:
    """A button that sends its form. `kind`: second or stop."""
    marks = f"button button-{kind}" if kind else "button button-large"
    return el("button", words, cls=marks, **attributes)


def _messages(id_: str, hint: str, error: str) -> Child:
    return [
        el("p", hint, cls="hint", id=f"{id_}-hint") if hint else None,
        el("p", error, cls="error-text", id=f"{id_}-error") if error else None,
    ]


def _described(id_: str, hint: str, error: str) -> dict[str, str]:
    ids = [f"{id_}-error"] * bool(error) + [f"{id_}-hint"] * bool(hint)
    marks = {"aria_describedby": " ".join(ids)} if ids else {}
    return marks | ({"aria_invalid": "true"} if error else {})
