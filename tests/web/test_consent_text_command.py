"""``oncokring consent text``: from a file to the text in force, with two people's sign-in."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from changed_texts import OLD, changed, with_item
from click.testing import Result
from server_desk import STUDY, Desk

TYPING_ERROR = changed(nl__summary="Komt borstkanker minder vaak terug na hormoon-therapie?")


class TextDesk(Desk):
    """With what the command about texts needs."""

    def text(self, *words: str, typed: str = "") -> Result:
        return self.type("consent", "text", *words, typed=typed)

    def file(self, content: Any, name: str = "text.yaml") -> str:
        path = self.folder / name
        path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
        return str(path)

    def approve(self, draft: str, name: str, judged: str) -> Result:
        typed = self.sign_in(name)
        return self.text("approve", draft, "--as", name, "--class", judged, typed=typed)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> TextDesk:
    made = TextDesk(tmp_path_factory.mktemp("desk"))
    made.open()
    return made


def test_from_a_file_to_the_text_in_force(desk: TextDesk) -> None:
    printed = desk.text("show", STUDY).stdout
    assert yaml.safe_load(printed) == OLD
    assert printed.index("use.record") < printed.index("use.network") < printed.index("study.join")

    path = desk.file(TYPING_ERROR)
    checked = desk.text("check", path, "--study", STUDY, "--class", "editorial")
    assert (checked.exit_code, "words on average" in checked.stdout) == (0, True), checked.stdout
    made = desk.text("draft", STUDY, path, "--class", "editorial", "--new-nl", "Een typefout.")
    draft = made.stdout.strip()
    assert made.exit_code == 0, made.stderr

    early = desk.text("publish", draft)
    assert getattr(early.exception, "code", "") == "draft_not_approved"
    nobody = desk.text("approve", draft, "--as", "anna", "--class", "editorial", typed="x\n0\n")
    assert getattr(nobody.exception, "code", "") == "WRONG_SIGN_IN"
    other = desk.approve(draft, "carla", "editorial")
    assert other.exit_code == 1
    assert "in no committee" in other.stderr
    first = desk.approve(draft, "anna", "editorial")
    assert first.stdout.strip() == "approved: 1 of 2 approvals", first.stderr
    assert "nl summary: + Komt borstkanker minder vaak terug na hormoon-therapie?" in first.stderr
    second = desk.approve(draft, "bas", "wider")
    assert second.stdout.strip() == "objected: 1 of 2 approvals"
    stopped = desk.text("publish", draft)
    assert getattr(stopped.exception, "code", "") == "draft_objected"
    listed = json.loads(desk.text("list", STUDY, "--json").stdout)
    assert [each["objections"] for each in listed["drafts"]] == [["bas"]]
    assert "draft" in desk.text("list", STUDY).stdout

    differences = json.loads(desk.text("diff", STUDY, "1", draft, "--json").stdout)
    assert [each["part"] for each in differences if each["kind"] != "same"] == ["summary"]
    assert desk.text("diff", STUDY, "1", draft).stdout.splitlines() == [
        "summary: changed",
        "  - Komt borstkanker minder vaak terug na hormoontherapie?",
        "  + Komt borstkanker minder vaak terug na hormoon-therapie?",
    ]


def test_a_published_text_is_listed_with_its_approvers(desk: TextDesk) -> None:
    longer = changed(nl__title="Onderzoek naar hormonen en borstkanker")
    draft = desk.text("draft", STUDY, desk.file(longer), "--class", "clarifying").stdout.strip()
    for name in desk.people:
        if name != "carla":
            # A code is used once, so the second approval of this minute needs a later one.
            typed = desk.sign_in(name, ahead=1)
            done = desk.text("approve", draft, "--as", name, "--class", "clarifying", typed=typed)
            assert done.stdout.strip().startswith("approved"), done.exception or done.stderr
    assert desk.text("publish", draft, "--from", "someday").exit_code == 2
    done = desk.text("publish", draft, "--from", "2999-01-01")
    assert done.stdout.startswith(f"{STUDY}: text 2 (clarifying)"), done.exception
    listed = json.loads(desk.text("list", STUDY, "--json").stdout)
    assert [each["number"] for each in listed["versions"]] == [1, 2]
    assert listed["versions"][1]["approved_by"] == ["anna", "bas"]
    assert listed["versions"][1]["valid_from"] == "2998-12-31T23:00:00+00:00"
    assert "clarifying" in desk.text("list", STUDY).stdout


def test_what_a_check_finds(desk: TextDesk) -> None:
    hard = changed(nl__title="Wij verzamelen data conform de regels, teneinde iets te weten")
    found = desk.text("check", desk.file(hard))
    assert found.exit_code == 1
    assert "!" in found.stdout
    assert "[data, conform, teneinde]" in found.stdout
    added = desk.text("check", desk.file(with_item()), "--study", STUDY, "--class", "editorial")
    assert added.exit_code == 1
    assert "class: items_added" in added.stdout
    path = desk.folder / "words.txt"
    path.write_text("Wij vragen iets.\n\nU mag nee zeggen.\n", "utf-8")
    assert desk.text("check", str(path)).stdout.startswith("nl: 2 sentences, 3.5 words")
    path.write_text("Wij vragen geaggregeerde data.\n", "utf-8")
    assert desk.text("check", str(path)).exit_code == 1


@pytest.mark.parametrize(
    ("content", "said"), [("- a", "not a text"), ("a: [", "not valid YAML"), ("{}", "misses")]
)
def test_a_file_that_is_no_text(desk: TextDesk, content: str, said: str) -> None:
    path = desk.folder / "wrong.yaml"
    path.write_text(content, "utf-8")
    failed = desk.text("check", str(path))
    assert failed.exit_code != 0
    assert said in failed.stderr + str(failed.exception)


def test_what_is_not_there(desk: TextDesk) -> None:
    for words in (("show", STUDY, "99"), ("show", "no-study"), ("diff", STUDY, "1", "no-draft")):
        assert getattr(desk.text(*words).exception, "code", "").endswith("_not_found")
