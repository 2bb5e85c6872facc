"""The pages that a steward can look at: what was sent, one run, what waits, policy, state."""

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from federation.query.words import threshold_words
from federation.site.steward.html import Child, Html, el, lines, pairs, table
from federation.site.steward.layout import Layout
from federation.site.steward.overview import Message, Question, Run, Waiting, no_words
from federation.site.steward.policy_report import rule_note, study_line
from federation.site.steward.policy_words import rules
from federation.site.steward.sent import (
    ACKNOWLEDGEMENT,
    ANSWER,
    COVERAGE,
    LOOKED,
    REFUSAL,
    REPLAY,
    Item,
    decoded,
)
from federation.site.steward.sent_report import kind_word, policy_word, title_of, when
from federation.site.steward.sent_words import TEXTS as WORDS
from federation.site.steward.status import state

PER_PAGE = 20
_SHOWN_TEXT = 64


class Views(Layout):
    """Makes whole pages in one language."""

    def sent(self, page: int) -> Html:
        """Everything that left about questions, newest first, `page` counting from 1."""
        say, settings = self._say, self._overview.settings
        found = self._overview.items((page - 1) * PER_PAGE, PER_PAGE + 1)
        counts = self._overview.counts()
        facts = [
            el("div", el("dt", say[f"count.{kind}"]), el("dd", self._number(counts.get(kind, 0))))
            for kind in (LOOKED, ANSWER, REPLAY, REFUSAL, COVERAGE)
            if kind != COVERAGE or counts.get(COVERAGE)
        ]
        rows = [self._item(item, question) for item, question in found[:PER_PAGE]]
        turn = [
            self._link("sent", say["newer"], page=page - 1) if page > 1 else None,
            el("span", say["page"].format(n=page)),
            self._link("sent", say["older"], page=page + 1) if len(found) > PER_PAGE else None,
        ]
        receipts = counts.get(ACKNOWLEDGEMENT, 0)
        return self._page(
            "sent",
            say["sent.title"],
            el(
                "p",
                say["sent.intro"].format(site=settings.name, network=settings.network),
                cls="intro",
            ),
            el("dl", facts, cls="card facts"),
            el("ol", rows, cls="rows") if rows else el("p", say["sent.none"]),
            el("p", turn, cls="turn") if page > 1 or len(found) > PER_PAGE else None,
            el("p", say["sent.lists"].format(n=self._number(receipts)), cls="quiet")
            if receipts
            else None,
        )

    def run(self, name: str) -> Html | None:
        """One run in detail, or a single message by its line; None when there is none."""
        run = self._overview.run(name)
        if run is None and name.isascii() and name.isdigit() and len(name) < 16:
            message = self._overview.message(int(name))
            if message is not None and not message.sent.run:
                run = Run("", "", Question("", "", "", "", ()), "", (), (), (message,))
        if run is None:
            return None
        say, question = self._say, run.question
        title = title_of(question, run.run, (run.messages[0].sent.kind,), self._lang)
        asked = [
            el("h2", say["run.asked"]),
            lines(question.words) or el("p", no_words(self._lang)),
            pairs(
                (
                    (say["purpose"], question.purpose or None),
                    (say["study"], question.study or None),
                    (say["hospitals"], ", ".join(run.roster) or None),
                    (say["requester"], run.requester or None),
                    (say["query"], el("code", run.query_sha256)),
                )
            ),
        ]
        thresholds = [el("h2", say["run.thresholds"]), lines(run.thresholds)]
        never = [el("p", say["never"]), self._code(self._refusal(run.query_sha256))]
        return self._page(
            "sent",
            title,
            el("section", asked, cls="card stack") if run.run else None,
            el("h2", say["run.left"]),
            [self._message(message) for message in run.messages],
            el("p", WORDS[self._lang]["always"], cls="quiet"),
            el("section", thresholds, cls="card stack") if run.thresholds else None,
            el("section", never, cls="stack") if run.run else None,
            before=el("p", self._link("sent", say["back"]), cls="back"),
            address=f"run/{name}",
        )

    def waiting(self) -> Html:
        """Queries that wait for this hospital, with the exact commands, and earlier decisions."""
        say = self._say
        waiting = self._overview.waiting()
        decided = self._overview.decided()
        rows = [
            (
                question.title or el("code", sha256[:16]),
                say[what],
                by,
                when(at, self._lang),
                reason or "–",
            )
            for sha256, what, by, reason, at, question in decided
        ]
        heads = [say[key] for key in ("question", "decision", "by", "at", "why")]
        return self._page(
            "waiting",
            say["waiting.title"],
            el("p", say["waiting.intro"] if waiting else say["waiting.none"], cls="intro"),
            [self._wait(each) for each in waiting],
            [el("h2", say["decided"]), table(heads, rows, say["decided"])] if rows else None,
        )

    def policy(self, now: datetime) -> Html:
        """The policy in words, every key, and the agreed studies."""
        say, policy = self._say, self._overview.policy
        rows = [
            (rule.meaning, rule.value, rule_note(rule, self._lang) or "–", el("code", rule.key))
            for rule in rules(policy, now, self._lang)
        ]
        heads = [say[f"policy.{key}"] for key in ("meaning", "value", "note", "key")]
        studies = [
            study_line(each, self._lang) for each in self._overview.settings.studies.values()
        ]
        return self._page(
            "policy",
            say["policy.title"],
            el("p", say["policy.intro"], cls="intro"),
            el("p", say["policy.open"], cls="banner") if policy.protection == "none" else None,
            el("section", lines(threshold_words(policy.terms(), self._lang)), cls="card"),
            el("h2", say["policy.studies"]),
            lines(studies),
            [el("h2", say["policy.rules"]), table(heads, rows, say["policy.rules"])]
            if rows
            else None,
        )

    def status(self, now: datetime) -> Html:
        """Whether the site answers, by which consent list, and whether its log holds."""
        say, found = self._say, state(self._overview, now)
        return self._page(
            "status",
            say["status.title"],
            el("section", pairs(self._state(found)), cls="card"),
        )

    def _state(self, found: Mapping[str, Any]) -> list[tuple[str, Child]]:
        say = self._say
        snapshot: Child = say["status.no_snapshot"]
        if found["snapshot"] is not None:
            minutes = self._number(round(found["snapshot_age_minutes"]))
            age = say["status.age"].format(n=found["snapshot"], minutes=minutes)
            fresh = say["status.fresh" if found["snapshot_fresh"] else "status.stale"]
            snapshot = [age, "; ", fresh]
        lines_of_log = self._number(found["audit_lines"])
        audit = "status.intact" if found["audit_intact"] else "status.broken"
        return [
            (say["status.site"], f"{self._overview.settings.name} ({found['site']})"),
            (say["status.answering"], say["status.off" if found["stopped"] else "status.on"]),
            (say["status.snapshot"], snapshot),
            (say["nav.waiting"], self._number(found["waiting_for_approval"])),
            (say["status.audit"], say[audit].format(n=lines_of_log)),
            (
                say["status.sent"],
                say["status.same" if found["sent_intact"] else "status.differ"],
            ),
            (
                say["status.ledger"],
                say["status.entries"].format(n=self._number(found["ledger_entries"])),
            ),
            (say["status.pinned"], ", ".join(found["sites_pinned"])),
            (say["status.loosened"], ", ".join(found["loosened"]) or say["status.none"]),
            (say["status.policy"], el("code", found["policy_sha256"])),
        ]

    def _item(self, item: Item, question: Question) -> Html:
        say = self._say
        title = title_of(question, item.run, item.kinds, self._lang)
        n = say["message" if item.messages == 1 else "messages"].format(n=item.messages)
        about = " · ".join(
            part for part in (when(item.last, self._lang), question.study, n) if part
        )
        tags = self._tags(item)
        link = self._link(f"run/{item.run or item.last_line}", title)
        return el("li", el("div", link, el("span", tags, cls="tags"), cls="row-head"), about)

    def _tags(self, item: Item) -> list[Html]:
        """What became of a run: its answer, not the look before it when an answer followed."""
        kinds = [kind for kind in item.kinds if kind not in (LOOKED, REFUSAL)]
        if not kinds and not item.refusals:
            kinds = [LOOKED]
        said = [el("span", kind_word(kind, self._lang), cls="tag tag-good") for kind in kinds]
        refused = kind_word(REFUSAL, self._lang)
        return [*said, *(el("span", f"{refused} {code}", cls="tag") for code in item.refusals)]

    def _message(self, message: Message) -> Html:
        say, sent, found = self._say, message.sent, message.contents
        name = kind_word(sent.kind, self._lang)
        title = say["step"].format(step=sent.step, name=sent.step_name) if sent.step_name else name
        size = None if sent.body is None else say["bytes"].format(n=self._number(len(sent.body)))
        policy = found.policy_sha256 and policy_word(found.policy_sha256, self._lang)
        snapshot = say["list"].format(n=sent.snapshot)
        facts = (name, when(sent.at, self._lang), size, snapshot, policy)
        here = None
        if sent.patients is not None:
            stays = f" {say['stays']}" if found.hides_counts else ""
            here = el("p", say["here"].format(n=self._number(sent.patients)), stays)
        readable = [(el("code", place), value) for place, value in found.readable]
        heads = (say["place"], say["value"])
        return el(
            "section",
            el("h3", title),
            el("p", " · ".join(fact for fact in facts if fact), cls="quiet"),
            None if sent.intact else el("p", say["changed"], cls="banner"),
            lines(message.words),
            table(heads, readable, f"{title}: {say['value']}") if readable else None,
            here,
            el("p", say["reason"].format(reason=sent.reason)) if sent.reason else None,
            self._exact(message, title),
            cls="card stack-s",
        )

    def _exact(self, message: Message, title: str) -> Html | None:
        body, label = message.sent.body, f"{title}: {self._say['exact']}"
        if body is None or message.contents.form == "unread":
            return None
        said = {key: _shortened(value) for key, value in decoded(body).items()}
        text = json.dumps(said, indent=1, ensure_ascii=False, sort_keys=True)
        parts = message.contents.parts
        names = ", ".join(f"{name} [{'×'.join(map(str, shape))}]" for name, shape in parts)
        inside: list[Child] = [
            el("p", self._say["sums"].format(names=names)) if names else None,
            el("pre", text, cls="json", tabindex="0", role="region", aria_label=label),
        ]
        if message.sent.run:
            here = shlex.quote(str(self._overview.path))
            command = f"oncokring site sent {here} --bytes {message.sent.run} {message.sent.step}"
            inside += [el("p", self._say["command"]), self._code(command)]
        return el("details", el("summary", self._say["exact"]), inside)

    def _wait(self, waiting: Waiting) -> Html:
        say, question = self._say, waiting.question
        title = title_of(question, waiting.query_sha256, (), self._lang)
        facts = (
            (say["purpose"], question.purpose or None),
            (say["study"], question.study or None),
            (say["query"], el("code", waiting.query_sha256)),
        )
        return el(
            "section",
            el("h2", title),
            el(
                "p", say["waiting.since"].format(at=when(waiting.asked_at, self._lang)), cls="quiet"
            ),
            lines(question.words) or el("p", no_words(self._lang)),
            pairs(facts),
            el("h3", say["approve"]),
            self._code(waiting.approve),
            el("h3", say["refuse"]),
            self._code(waiting.refuse),
            cls="card stack",
        )

    def _refusal(self, query_sha256: str) -> str:
        here = shlex.quote(str(self._overview.path))
        words = ("naam", "reden") if self._lang == "nl" else ("name", "reason")
        return (
            f'oncokring site refuse {here} {query_sha256} --by "{words[0]}" --reason "{words[1]}"'
        )


def _shortened(value: object) -> object:
    """JSON data with its long texts cut: a masked sum is thousands of characters of noise."""
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    if isinstance(value, str) and len(value) > _SHOWN_TEXT + 16:
        return f"{value[:_SHOWN_TEXT]}… ({len(value)})"
    return value
