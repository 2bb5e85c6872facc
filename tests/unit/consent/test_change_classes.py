"""What a change may be called: a heavier change under a lighter name is found."""

import copy

import pytest
from changed_texts import OLD, changed, with_item, without_item
from hypothesis import given
from hypothesis import strategies as st

from consent.change_classes import problems
from consent.differences import changed_items, compare
from consent.reading_level import sentences

TYPING_ERROR = changed(nl__summary="Komt borstkanker minder vaak terug na hormoon-therapie?")
NEGATED = changed(nl__stop__0="U mag niet altijd stoppen. U hoeft niet te zeggen waarom.")
PROMISE_GONE = changed(nl__stop__0="U mag altijd stoppen. U hoeft te zeggen waarom.")
LONGER = changed(nl__after__0="Wij leggen uw keuzes vast. Daarna gaan zij ook naar bedrijven.")
REWORDED = changed(nl__title="Een heel ander onderzoek naar iets anders bij borstkanker")

CASES = {
    "a first text": (None, OLD, "first", [], ()),
    "a first text that widens": (None, OLD, "first", ["use.record"], ("widened_not_wider",)),
    "no first text": (None, OLD, "wider", [], ("class_first",)),
    "a second first text": (OLD, REWORDED, "first", [], ("class_first",)),
    "unknown class": (OLD, REWORDED, "small", [], ("class_unknown",)),
    "a typing error": (OLD, TYPING_ERROR, "editorial", [], ()),
    "a not more": (OLD, NEGATED, "editorial", [], ("more_than_editorial",)),
    "a not fewer": (OLD, PROMISE_GONE, "editorial", [], ("more_than_editorial",)),
    "a sentence more": (OLD, LONGER, "editorial", [], ("more_than_editorial",)),
    "many words": (OLD, REWORDED, "editorial", [], ("more_than_editorial",)),
    "many words, clarifying": (OLD, REWORDED, "clarifying", [], ()),
    "an item more": (OLD, with_item(), "clarifying", [], ("items_added",)),
    "an item more, editorial": (
        OLD,
        with_item(),
        "editorial",
        [],
        ("items_added", "more_than_editorial"),
    ),
    "an item more, wider": (OLD, with_item(), "wider", [], ()),
    "an item more, narrower": (OLD, with_item(), "narrower", [], ("items_added",)),
    "an item fewer": (OLD, without_item(), "clarifying", [], ("items_removed",)),
    "an item fewer, narrower": (OLD, without_item(), "narrower", [], ()),
    "wider that names nothing": (OLD, REWORDED, "wider", [], ("wider_names_nothing",)),
    "wider by an item": (OLD, REWORDED, "wider", ["use.record"], ()),
    "wider by a new item": (OLD, with_item(), "wider", ["use.past"], ("widened_unknown",)),
    "clarifying that widens": (
        OLD,
        REWORDED,
        "clarifying",
        ["use.record"],
        ("widened_not_wider",),
    ),
    "urgent": (OLD, with_item(), "urgent", [], ()),
}


@pytest.mark.parametrize("name", CASES)
def test_problems_of_a_class(name: str) -> None:
    old, new, change_class, widened, expected = CASES[name]
    assert problems(old, new, change_class, widened) == expected


def test_nothing_differs_from_itself() -> None:
    for language in ("nl", "en"):
        parts = compare(OLD, OLD, language)
        assert {part.kind for part in parts} == {"same"}
        assert [part.code for part in parts] == [
            *("title", "summary", "story", "use.record", "use.network", "study.join"),
            *("answers", "stop", "after"),
        ]
    assert changed_items(OLD, OLD) == ()


def test_a_changed_sentence_shows_its_words() -> None:
    part = next(part for part in compare(OLD, PROMISE_GONE, "nl") if part.code == "stop")
    assert part.kind == "changed"
    line = next(line for line in part.lines if line.kind == "changed")
    assert [(piece.words, piece.new) for piece in line.old] == [
        ("U hoeft", False),
        ("niet", True),
        ("te zeggen waarom.", False),
    ]
    assert line.new_text == "U hoeft te zeggen waarom."
    assert [line.kind for line in part.lines].count("same") == len(part.lines) - 1
    assert all(part.kind == "same" for part in compare(OLD, PROMISE_GONE, "en"))


def test_added_and_removed_lines_stand_on_one_side() -> None:
    after = next(part for part in compare(OLD, LONGER, "nl") if part.code == "after")
    assert [line.kind for line in after.lines] == [
        "changed",
        "added",
        "same",
        "same",
        "same",
        "same",
    ]
    assert after.lines[1].old == ()
    assert after.lines[1].new_text == "Daarna gaan zij ook naar bedrijven."
    back = next(part for part in compare(LONGER, OLD, "nl") if part.code == "after")
    assert [line.kind for line in back.lines] == [
        "changed",
        "removed",
        "same",
        "same",
        "same",
        "same",
    ]


def test_items_that_came_and_went() -> None:
    new = compare(OLD, with_item(), "nl")
    assert next(part.kind for part in new if part.code == "use.past") == "added"
    gone = compare(OLD, without_item(), "nl")
    assert gone[-1].code == "study.join"
    assert gone[-1].kind == "removed"
    assert changed_items(OLD, with_item()) == ("use.past",)
    assert changed_items(OLD, without_item()) == ()
    reworded = copy.deepcopy(OLD)
    reworded["en"]["questions"]["study.join"]["legend"] = "Will you take part?"
    assert changed_items(OLD, reworded) == ("study.join",)


def test_a_first_text_is_all_new() -> None:
    assert {part.kind for part in compare(None, OLD, "nl")} == {"added"}


WORDS = st.lists(st.sampled_from("Wij vragen u niet anders. U kiest.".split()), max_size=6)
LINES = st.lists(WORDS.map(lambda words: " ".join(["Zin", *words])), min_size=1, max_size=6)


@given(old=LINES, new=LINES)
def test_nothing_is_lost_between_old_and_new(old: list[str], new: list[str]) -> None:
    parts = compare(changed(nl__stop=old), changed(nl__stop=new), "nl")
    part = next(part for part in parts if part.code == "stop")

    def split(texts: list[str]) -> list[str]:
        return [sentence for text in texts for sentence in sentences(text)]

    assert [line.old_text for line in part.lines if line.old] == split(old)
    assert [line.new_text for line in part.lines if line.new] == split(new)
    for line in part.lines:
        assert (line.kind == "same") == (line.old_text == line.new_text)
        assert not any(piece.new for piece in (*line.old, *line.new)) or line.kind != "same"
    assert (part.kind == "same") == (split(old) == split(new))
