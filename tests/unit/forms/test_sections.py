"""One subject per page; what a "no" closes is not asked, and never becomes a "yes"."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from rich_text import RICH_ITEMS

from consent.items import ITEMS
from registry.forms.sections import (
    ANSWERS,
    MOST,
    basic,
    missing,
    not_asked,
    open_items,
    parents_in,
    said,
    sections,
)

EVERY = tuple(code for code, item in ITEMS.items() if item.regime == "consent")
YES = dict.fromkeys(EVERY, "yes")

some_answers = st.dictionaries(st.sampled_from(EVERY), st.sampled_from(ANSWERS))


def test_the_pages_of_a_text_with_several_subjects() -> None:
    assert [page.items for page in sections(RICH_ITEMS)] == [
        ("use.record",),
        ("use.network", "use.past", "use.images"),
        ("contact.questionnaire", "contact.newstudy"),
        ("design.twics",),
        ("bio.leftover", "bio.store"),
        ("bio.blood",),
        ("study.join",),
    ]


def test_each_item_once_never_with_what_it_rests_on_and_own_screens_alone() -> None:
    pages = sections(EVERY)
    assert sorted(itertools.chain(*(page.items for page in pages))) == sorted(EVERY)
    seen: set[str] = set()
    for page in pages:
        assert 1 <= len(page.items) <= MOST
        assert {ITEMS[item].group for item in page.items} == {page.group}
        for item in page.items:
            assert set(parents_in(item)) <= seen
            assert not ITEMS[item].own_screen or page.items == (item,)
        seen |= set(page.items)


def test_the_basic_questions_are_what_the_study_needs_but_no_own_screen() -> None:
    needed = ("use.network", "design.twics")
    assert basic(RICH_ITEMS, needed) == ("use.record", "use.network", "contact.newstudy")


@settings(max_examples=300)
@given(some_answers)
def test_nothing_becomes_a_yes_that_was_not_said_or_that_rests_on_a_no(
    answers: dict[str, str],
) -> None:
    whole = said(EVERY, answers)
    assert list(whole) == list(EVERY)
    for item, answer in whole.items():
        if answer == "yes":
            assert answers[item] == "yes"
            assert all(whole[parent] == "yes" for parent in parents_in(item))
        if answers.get(item) == "no":
            assert answer == "no"
    assert all(whole[item] == "later" for item in not_asked(EVERY, answers))
    assert said(EVERY, whole) == whole


@settings(max_examples=200)
@given(some_answers)
def test_what_is_missing_is_open_and_asked_on_some_page(answers: dict[str, str]) -> None:
    asked = {item for page in sections(EVERY) for item in open_items(page, answers)}
    assert set(missing(EVERY, answers)) <= asked - answers.keys()


def test_a_no_to_the_first_question_leaves_its_children_out() -> None:
    answers = {"use.record": "no"}
    assert not_asked(RICH_ITEMS, answers) >= {"use.network", "use.images", "bio.blood"}
    assert missing(RICH_ITEMS, answers) == (
        "contact.questionnaire",
        "contact.newstudy",
        "study.join",
    )
    assert missing(RICH_ITEMS, {item: "yes" for item in RICH_ITEMS}) == ()
