"""HTML that cannot be broken by a text: everything is escaped unless it was made here."""

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """Markup. A plain str is text and is escaped wherever it is put."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def el(tag: str, *children: Child, cls: str | None = None, **attributes: str | bool | None) -> Html:
    """One element. `cls` is its class; an attribute `aria_label` becomes `aria-label`; None and
    False leave an attribute out."""
    named = {"class": cls, **attributes}
    marks = "".join(_attribute(name, value) for name, value in named.items())
    if tag in _VOID:
        return Html(f"<{tag}{marks}>")
    return Html(f"<{tag}{marks}>{join(*children)}</{tag}>")


def join(*children: Child) -> Html:
    """Children one after the other, each text escaped."""
    made = []
    for child in children:
        if isinstance(child, Html):
            made.append(str(child))
        elif isinstance(child, str):
            made.append(escape(child))
        elif child is not None:
            made.append(join(*child))
    return Html("".join(made))


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    written = name.replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escape(value)}"'


def lines(texts: Iterable[str], cls: str | None = None) -> Html | None:
    """A list of sentences; nothing for none."""
    made = [el("li", text) for text in texts]
    return el("ul", made, cls=cls) if made else None


def pairs(rows: Iterable[tuple[str, Child]]) -> Html:
    """Names with their values."""
    made = [el("div", el("dt", name), el("dd", value)) for name, value in rows if value is not None]
    return el("dl", made, cls="pairs")


def table(heads: Iterable[str], rows: Iterable[Iterable[Child]], label: str) -> Html:
    """A table in a scroller that the keyboard can reach; the first cell of a row heads it."""
    head = el("thead", el("tr", [el("th", name, scope="col") for name in heads]))
    body = []
    for row in rows:
        first, *rest = row
        body.append(el("tr", el("th", first, scope="row"), [el("td", cell) for cell in rest]))
    made = el("table", head, el("tbody", body), cls="table")
    return el("div", made, cls="scroll", role="region", aria_label=label, tabindex="0")
