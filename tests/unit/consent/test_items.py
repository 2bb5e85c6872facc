"""The catalogue: what stands in it, what is refused at load, and that error codes are complete."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

import consent
from consent.catalogue import LOGIN_LEVELS, CatalogueError, document, read_catalogue
from consent.errors import CODES, ConsentError
from consent.items import CATALOGUE, GROUPS, ITEMS, in_groups, only_messages, with_parents

#: What each published number of the catalogue said. A changed word needs a new number and line.
PUBLISHED = {1: "aaf068099c5ffeeefa8ba5eec539e304553a16ee4e601ec17746fda4c8c2e522"}
CODES_OF_ITEMS = (
    "use.record use.network use.past use.images use.ai use.otherhealth contact.questionnaire "
    "contact.newstudy contact.results design.twics bio.leftover bio.blood bio.store dna.tumour "
    "dna.inherited finding.return link.nkr link.palga link.cbs link.primary share.company "
    "share.outside_eea after.death study.join object.reuse object.nkr optout.ehds"
).split()


def test_parents_come_first_and_once() -> None:
    assert with_parents(["use.network"]) == ("use.record", "use.network")
    assert with_parents(["study.join", "use.network", "use.record"]) == (
        "study.join",
        "use.record",
        "use.network",
    )
    assert with_parents(["bio.blood"]) == ("use.record", "bio.store", "bio.blood")


@pytest.mark.parametrize(
    ("codes", "code"), [([], "requirement_set_empty"), (["use.everything"], "unknown_item")]
)
def test_nothing_and_unknown_are_errors(codes: list[str], code: str) -> None:
    with pytest.raises(ConsentError) as failure:
        with_parents(codes)
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("codes", "only"),
    [
        (["contact.questionnaire"], True),
        (["contact.results", "object.reuse", "optout.ehds"], True),
        (["contact.results", "use.record"], False),
        (["study.join"], False),
        (["unknown.item"], False),  # it permits nobody, and says so elsewhere
        ([], False),
    ],
)
def test_messages_never_allow_the_use_of_data(codes: list[str], only: bool) -> None:
    assert only_messages(codes) is only


def test_the_catalogue_is_whole() -> None:
    assert list(ITEMS) == CODES_OF_ITEMS
    for item in ITEMS.values():
        assert item.label("nl") != item.label("en")
        assert item.text("nl").endswith((".", "?"))
        assert item.text("en").endswith((".", "?"))
        assert item.purposes
        assert all(purpose.startswith("dpv:") for purpose in item.purposes)
        labels = (*item.duo_granted, *item.duo_refused, *item.duo_replaces)
        assert all(label.startswith("DUO:00000") for label in labels)
        assert "DUO:0000005" not in labels, "obsolete"
        assert item.in_yes_to_all == (item.regime == "consent" and not item.own_screen)
    assert {group.label("nl") == group.label("en") for group in GROUPS.values()} == {False}


def test_a_word_of_the_catalogue_changes_only_with_its_number() -> None:
    assert PUBLISHED[CATALOGUE.version] == CATALOGUE.sha256
    assert document(CATALOGUE)["items"][0]["code"] == "use.record"
    assert len(document(CATALOGUE)["items"]) == 27


def test_what_the_design_asks_of_single_items() -> None:
    own_screens = {code for code, item in ITEMS.items() if item.own_screen}
    assert own_screens == {
        *("design.twics", "dna.inherited", "finding.return", "share.company", "share.outside_eea")
    }
    assert ITEMS["design.twics"].parents == ("use.record", "contact.newstudy")
    assert ITEMS["dna.tumour"].parents == ("bio.leftover",)
    assert {code for code, item in ITEMS.items() if item.regime != "consent"} == {
        *("object.reuse", "object.nkr", "optout.ehds")
    }
    for code in ("dna.inherited", "share.company"):
        assert LOGIN_LEVELS.index(ITEMS[code].level) >= 2
    # Messages and data are apart: neither kind of item rests on the other but for the lottery.
    for code, item in ITEMS.items():
        if item.contact:
            assert not item.parents
        elif code != "design.twics":
            assert not any(ITEMS[parent].contact for parent in item.parents)


def test_items_by_group_in_the_order_of_the_form() -> None:
    found = in_groups(["dna.tumour", "use.network", "use.record"])
    assert [(group.code, [item.code for item in items]) for group, items in found] == [
        ("data", ["use.network", "use.record"]),
        ("dna", ["dna.tumour"]),
    ]


def one(**changes: Any) -> dict[str, Any]:
    words = {"label": "Woord", "text": "Een zin."}
    entry = {
        "group": "data",
        "regime": "consent",
        "category": "record",
        "level": "letter",
        "purposes": ["dpv:AcademicResearch"],
        "nl": words,
        "en": words,
    }
    return {key: value for key, value in {**entry, **changes}.items() if value is not None}


def file(**items: Any) -> str:
    groups = {"data": {"nl": "Gegevens", "en": "Data"}}
    return yaml.safe_dump({"catalogue": 1, "groups": groups, "items": items}, sort_keys=False)


def test_a_small_catalogue_is_read() -> None:
    read = read_catalogue(file(a=one(), b=one(parents=["a"], own_screen=True)))
    assert read.items["b"].parents == ("a",)
    assert not read.items["b"].in_yes_to_all
    assert read.sha256 != read_catalogue(file(a=one(), b=one(parents=["a"]))).sha256


WRONG = {
    "circle of one": (file(a=one(parents=["a"])), "catalogue_cycle"),
    "circle of three": (
        file(a=one(parents=["b"]), b=one(parents=["c"]), c=one(parents=["a"])),
        "catalogue_cycle",
    ),
    "a way into a circle": (
        file(a=one(parents=["b"]), b=one(parents=["c"]), c=one(parents=["b"])),
        "catalogue_cycle",
    ),
    "unknown parent": (file(a=one(parents=["z"])), "catalogue_unknown_parent"),
    "not a mapping": ("- a", "catalogue_malformed"),
    "a key too many": ("catalogue: 1\ngroups: {}\nitems: {}\nmore: 1", "catalogue_malformed"),
    "no items": ("catalogue: 1\ngroups: {}\nitems: {}", "catalogue_malformed"),
    "no number": ("catalogue: a\ngroups: {}\nitems: {a: 1}", "catalogue_malformed"),
    "groups are a list": ("catalogue: 1\ngroups: []\nitems: {a: 1}", "catalogue_malformed"),
    "group without English": (
        "catalogue: 1\ngroups: {data: {nl: a}}\nitems: {a: 1}",
        "catalogue_malformed",
    ),
    "an item is a word": (file(a="yes"), "catalogue_malformed"),
    "no regime": (file(a=one(regime=None)), "catalogue_malformed"),
    "unknown regime": (file(a=one(regime="optout")), "catalogue_malformed"),
    "unknown group": (file(a=one(group="other")), "catalogue_malformed"),
    "unknown level": (file(a=one(level="none")), "catalogue_malformed"),
    "unknown key": (file(a=one(default="yes")), "catalogue_malformed"),
    "own_screen in words": (file(a=one(own_screen="yes")), "catalogue_malformed"),
    "parents as text": (file(a=one(parents="b")), "catalogue_malformed"),
    "unknown duo": (file(a=one(duo={"always": []})), "catalogue_malformed"),
    "no English sentence": (file(a=one(en={"label": "Word"})), "catalogue_malformed"),
    "empty label": (file(a=one(nl={"label": " ", "text": "a."})), "catalogue_malformed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_catalogue_is_refused_at_load(name: str) -> None:
    text, code = WRONG[name]
    with pytest.raises(CatalogueError) as failure:
        read_catalogue(text)
    assert failure.value.code == code
    assert failure.value.message.endswith(".")


def test_every_code_that_is_raised_has_a_sentence_and_every_sentence_is_used() -> None:
    raised: set[str] = set()
    root = Path(next(iter(consent.__path__))).parent
    sources = [
        path
        for name in ("consent", "federation", "registry")
        for path in (root / name).rglob("*.py")
    ]
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "ConsentError"
                and isinstance(node.args[0], ast.Constant)
            ):
                raised.add(str(node.args[0].value))
    assert raised == set(CODES)
