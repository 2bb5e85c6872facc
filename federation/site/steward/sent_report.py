"""`oncokring site sent`: everything that left, as JSON and as text for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from federation.site.errors import SetupError
from federation.site.steward.overview import (
    Message,
    Overview,
    Question,
    Run,
    iso,
    no_words,
    question_dict,
)
from federation.site.steward.sent import ACKNOWLEDGEMENT, decoded
from federation.site.steward.sent_words import TEXTS as KINDS
from federation.site.steward.sent_words import number

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "nothing": "Er heeft nog niets over een vraag dit ziekenhuis verlaten.",
            "study": "Onderzoek {study}. {purpose}",
            "hospitals": "Samen met: {names}.",
            "requester": "Gevraagd door onderzoeker {id}.",
            "step": "stap {step} ({name})",
            "bytes": "{n} bytes",
            "list": "keuzelijst {n}",
            "policy": "beleid {hash}",
            "patients": "hier geteld: {n}",
            "stays": "(blijft hier)",
            "changed": "LET OP: deze bytes zijn niet die van het logboek",
            "untitled": "Zonder titel ({kind})",
            "here": "Reden in ons logboek: {reason}",
            "waiting": "Wacht op uw besluit: {n}. Zie: oncokring site approve",
            "lists": "Daarnaast {n} keer de ontvangst van een keuzelijst bevestigd (--all).",
        },
        "en": {
            "nothing": "Nothing about a question has left this hospital yet.",
            "study": "Study {study}. {purpose}",
            "hospitals": "Together with: {names}.",
            "requester": "Asked by researcher {id}.",
            "step": "step {step} ({name})",
            "bytes": "{n} bytes",
            "list": "consent list {n}",
            "policy": "policy {hash}",
            "patients": "counted here: {n}",
            "stays": "(stays here)",
            "changed": "NOTE: these bytes are not those of the log",
            "untitled": "Without a title ({kind})",
            "here": "Reason in our log: {reason}",
            "waiting": "Waits for your decision: {n}. See: oncokring site approve",
            "lists": "Besides, {n} times the receipt of a consent list was confirmed (--all).",
        },
    }
)
_MONTHS: Final = MappingProxyType(
    {
        "nl": "januari februari maart april mei juni juli augustus september oktober november "
        "december".split(),
        "en": "January February March April May June July August September October November "
        "December".split(),
    }
)


def when(at: datetime, lang: str) -> str:
    """A moment for people, in the time of this machine: 22 november 2026, 17:05."""
    local = at.astimezone()
    return f"{local.day} {_MONTHS[lang][local.month - 1]} {local.year}, {local:%H:%M}"


def moment_text(at: str, lang: str) -> str:
    """A moment in ISO form for people; as it is when it is no moment."""
    try:
        return when(datetime.fromisoformat(at), lang)
    except ValueError:
        return at


def sent_report(overview: Overview, last: int, everything: bool) -> dict[str, Any]:
    """What left, newest first: the `last` questions with all their messages, and what waits. With
    `everything` also the confirmations that consent lists came in."""
    report: dict[str, Any] = {
        "site": overview.settings.slug,
        "network": overview.settings.network,
        "counts": overview.counts(),
        "waiting": [waiting.to_dict() for waiting in overview.waiting()],
        "questions": [
            {
                "run": run.run or None,
                "query_sha256": run.query_sha256 or None,
                **question_dict(run.question),
                "requester": run.requester or None,
                "hospitals": list(run.roster),
                "thresholds": list(run.thresholds),
                "messages": [message.to_dict() for message in run.messages],
            }
            for run in runs(overview, last)
        ],
    }
    if everything:
        lists = overview.messages(lists=True)
        report["acknowledgements"] = [
            message.to_dict() for message in lists if message.sent.kind == ACKNOWLEDGEMENT
        ]
    return report


def runs(overview: Overview, last: int, first: int = 0) -> Iterator[Run]:
    """The last runs with their messages; a message without a run is a run by itself."""
    for item, question in overview.items(first, last):
        run = overview.run(item.run)
        if run is not None:
            yield run
        elif (message := overview.message(item.last_line)) is not None:
            yield Run("", "", question, "", (), (), (message,))


def sent_lines(overview: Overview, last: int, everything: bool) -> Iterator[str]:
    """The report as lines of text."""
    say = TEXTS[overview.lang]
    found = False
    for run in runs(overview, last):
        found = True
        yield from _run_lines(run, overview.lang)
        yield ""
    if not found:
        yield say["nothing"]
    else:
        yield KINDS[overview.lang]["always"]
    lists = overview.counts().get(ACKNOWLEDGEMENT, 0)
    if everything:
        for message in overview.messages(lists=True):
            if message.sent.kind == ACKNOWLEDGEMENT:
                yield from _message_lines(message, overview.lang)
    elif lists:
        yield say["lists"].format(n=number(lists, overview.lang))
    if waiting := overview.waiting():
        yield say["waiting"].format(n=len(waiting))


def question_lines(question: Question, lang: str) -> Iterator[str]:
    """A question as lines: study and purpose, then what is asked."""
    say = TEXTS[lang]
    if question.study:
        yield say["study"].format(study=question.study, purpose=question.purpose).rstrip()
    yield from question.words or (no_words(lang),)


def _run_lines(run: Run, lang: str) -> Iterator[str]:
    say = TEXTS[lang]
    first = run.messages[0].sent
    title = title_of(run.question, run.run, (first.kind,), lang)
    yield f"{when(first.at, lang)}  {title}"
    if run.run:
        for line in question_lines(run.question, lang):
            yield f"  {line}"
        if run.requester:
            yield "  " + say["requester"].format(id=run.requester)
        if run.roster:
            yield "  " + say["hospitals"].format(names=", ".join(run.roster))
    for message in run.messages:
        yield from _message_lines(message, lang)


def _message_lines(message: Message, lang: str) -> Iterator[str]:
    say, sent = TEXTS[lang], message.sent
    parts = [when(sent.at, lang), kind_word(sent.kind, lang)]
    if sent.run:
        parts.append(say["step"].format(step=sent.step, name=sent.step_name or "?"))
    if sent.body is not None:
        parts.append(say["bytes"].format(n=number(len(sent.body), lang)))
    parts.append(say["list"].format(n=sent.snapshot))
    if message.contents.policy_sha256:
        parts.append(policy_word(message.contents.policy_sha256, lang))
    if sent.patients is not None:
        stays = " " + say["stays"] if message.contents.hides_counts else ""
        parts.append(say["patients"].format(n=number(sent.patients, lang)) + stays)
    yield "  - " + " · ".join(parts)
    for line in message.words:
        yield f"    {line}"
    for place, value in message.contents.readable:
        yield f"      {place}: {value}"
    if sent.reason:
        yield "    " + say["here"].format(reason=sent.reason)
    if not sent.intact:
        yield "    " + say["changed"]


def title_of(question: Question, run: str, kinds: Sequence[str], lang: str) -> str:
    """What to call a question, or a message that belongs to none."""
    if not run:
        return ", ".join(kind_word(kind, lang) for kind in kinds).capitalize()
    if question.title:
        return question.title
    return TEXTS[lang]["untitled"].format(kind=question.kind or "?")


def kind_word(kind: str, lang: str) -> str:
    """A kind of message in words; one that this version does not know by its own name."""
    return KINDS[lang].get(kind, kind)


def policy_word(sha256: str, lang: str) -> str:
    """The policy that a message names, by the first digits of its hash; `site policy` shows all."""
    return TEXTS[lang]["policy"].format(hash=sha256[:8])


def message_report(overview: Overview, run: str, step: int) -> dict[str, Any]:
    """Every message of one step: the exact text that left, and what it says. SetupError when
    nothing of this step left or its bytes were not kept."""
    found = overview.run(run)
    messages = [each for each in found.messages if each.sent.step == step] if found else []
    if not messages:
        raise SetupError("nothing of this step of this run left here; see: oncokring site sent")
    shown = []
    for message in messages:
        body = message.sent.body
        if body is None:
            raise SetupError("the bytes of this message were not kept by the version that sent it.")
        shown.append(
            {
                "at": iso(message.sent.at),
                "sha256": message.sent.sha256,
                "as_sent": message.sent.intact,
                "bytes": len(body),
                "message": body.decode("ascii", "replace"),
                **decoded(body),
            }
        )
    return {"run": run, "step": step, "messages": shown}
