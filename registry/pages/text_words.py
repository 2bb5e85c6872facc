"""How pages speak of texts for patients: classes of change, parts, what is wrong with a class."""

from __future__ import annotations

from collections.abc import Sequence

from consent.items import ITEMS, LANGUAGES
from consent.models import CHANGE_CLASSES
from registry.translate import language
from registry.translate import translate as _


def class_label(code: str) -> str:
    """A class of change in a word or two."""
    return {
        "first": _("First text"),
        "editorial": _("Editorial"),
        "clarifying": _("Clearer"),
        "wider": _("Wider"),
        "narrower": _("Narrower"),
        "urgent": _("Urgent"),
    }[code]


def class_meaning(code: str) -> str:
    """What a class does to earlier answers."""
    return {
        "first": _("There is no earlier text."),
        "editorial": _("A typing error or a phone number. Earlier answers stay valid."),
        "clarifying": _("Other words, the same meaning. Earlier answers stay valid."),
        "wider": _(
            "A new purpose, recipient or kind of data. An earlier yes stops counting for the "
            "subjects that mean more now, until the patient answers again."
        ),
        "narrower": _("Something is no longer asked. Earlier answers stay valid."),
        "urgent": _(
            "A mistake, a new risk or a decision from outside. Every earlier yes stops counting at "
            "once, until the patient answers again."
        ),
    }[code]


def classes(first: bool) -> list[tuple[str, str, str]]:
    """The classes to choose from, with their meaning: only one for a first text."""
    codes = ("first",) if first else tuple(code for code in CHANGE_CLASSES if code != "first")
    return [(code, class_label(code), class_meaning(code)) for code in codes]


def problem_words(code: str) -> str:
    """What cannot be right about the class of a draft (codes of consent.change_classes)."""
    return {
        "class_unknown": _("Choose what kind of change this is."),
        "class_first": _("“First text” is for a study without an earlier text only."),
        "widened_unknown": _("A subject that means more must be in the old and the new text."),
        "widened_not_wider": _("Only a wider text has subjects that mean more."),
        "wider_names_nothing": _("Say which subjects mean more, or choose another class."),
        "items_added": _("A subject was added, so the text is wider or urgent."),
        "items_removed": _("A subject was taken out, so the text is narrower, wider or urgent."),
        "more_than_editorial": _("More than spelling changed, so the text is not editorial."),
    }[code]


def part_label(code: str) -> str:
    """The name of a part of a text; for a question the item's label."""
    if code in ITEMS:
        return ITEMS[code].label(language())
    return {
        "title": _("Title"),
        "summary": _("In one sentence"),
        "story": _("The story"),
        "answers": _("Answers"),
        "stop": _("About stopping"),
        "after": _("What happens next"),
    }[code]


def difference_words(kind: str) -> str:
    """What happened to a part or a sentence."""
    return {
        "same": _("the same"),
        "changed": _("changed"),
        "added": _("added"),
        "removed": _("removed"),
    }[kind]


def item_labels(codes: Sequence[str]) -> str:
    """Labels of items, with commas between them."""
    return ", ".join(ITEMS[code].label(language()) if code in ITEMS else code for code in codes)


def mistake_words(field: str, code: str, lacking: Sequence[str] = ()) -> str:
    """What to do about a field of the form (codes of registry.forms.text_form), with its name: a
    form with forty fields says which one."""
    said = {
        "empty": _("Fill in this text"),
        "too_long": _("Write less: at most 20,000 letters"),
        "story": _("Start each block with a heading, and put at least one sentence below it"),
        "lengths": _("Write as many blocks and lines in Dutch as in English; both say the same"),
        "no_items": _("Choose at least one subject to ask about"),
        "required": _("This study needs an answer on: %(items)s", items=item_labels(lacking)),
    }[code]
    name = field_label(field)
    return f"{name}: {said}" if name else said


def field_label(field: str) -> str:
    """The name of a text field of the form with its language; "" for one that needs none."""
    language_code, _dash, rest = field.partition("-")
    if language_code not in LANGUAGES:
        return ""
    kind, _dash, item = rest.partition("-")
    if kind == "answer":
        name = answer_label(item)
    elif item:
        asked = _("Question") if kind == "legend" else _("Explanation")
        name = f"{part_label(item)}, {asked.lower()}"
    else:
        name = part_label(kind)
    return f"{name} ({language_name(language_code)})"


def answer_label(code: str) -> str:
    """Which of the three answers a field is about."""
    return {
        "yes": _("The answer yes"),
        "no": _("The answer no"),
        "later": _("The answer “I do not know yet”"),
    }[code]


def language_name(code: str) -> str:
    """A language, in the reader's own."""
    return {"nl": _("Dutch"), "en": _("English")}[code]
