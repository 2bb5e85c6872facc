"""What was in a message that left, in words: Dutch first, English too.

Read from the message itself, so that it tells of what left and not of what was meant to leave. A
part of a message that this version does not know is named, never left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any, Final

from federation.protocol.errors import ProtocolError
from federation.query.refusals import REFUSALS
from federation.site.steward.sent import (
    ACKNOWLEDGEMENT,
    ANSWER,
    COVERAGE,
    LOOKED,
    MATCH,
    MESSAGES,
    REFUSAL,
    REPLAY,
    Sent,
    decoded,
)

Texts = Mapping[str, str]

TEXTS: Final[Mapping[str, Texts]] = MappingProxyType(
    {
        "nl": {
            LOOKED: "vooraf gekeken",
            ANSWER: "antwoord",
            REPLAY: "verwijzing naar een eerder antwoord",
            REFUSAL: "weigering",
            ACKNOWLEDGEMENT: "ontvangstbevestiging van een keuzelijst",
            COVERAGE: "overzicht van wat is ingevuld",
            MESSAGES: "berichten over keuzes van onze patiënten",
            MATCH: "gedeelde patiënten tellen",
            "match_title": "Hoeveel patiënten delen de ziekenhuizen?",
            "match_words": "Ziekenhuizen tellen samen hoe vaak een patiënt van dit onderzoek bij "
            "twee van hen bekend is, zonder namen. Alleen het totaal is te lezen.",
            "lists": "{n} verzegelde lijsten, voor elk ander ziekenhuis één: per patiënt die "
            "instemde een getal dat zonder ons geheim niets zegt, met verzonnen getallen ertussen. "
            "De hub kan ze niet openen.",
            "looked": "Vooraf kijken: alleen aantallen, onder een masker. Nog geen sommen.",
            "masked": "{n} getallen onder een masker: voor niemand leesbaar, ook niet voor de hub. "
            "Alleen het totaal over alle ziekenhuizen van deze vraag is te lezen.",
            "brief": "{n} getallen onder een masker.",
            "zeros": "Er waren hier te weinig patiënten voor deze vraag: onder het masker zitten "
            "nullen.",
            "plain": "{n} leesbare getallen van ons ziekenhuis. Deze vraag ging over gegevens "
            "zonder bescherming.",
            "released": "De getallen van ons ziekenhuis zelf, leesbaar voor de hub en de "
            "deelnemers. Ze zijn hieronder te zien.",
            "sealed": "De getallen van ons ziekenhuis zelf, verzegeld: alleen te openen met de "
            "sleutel van het onderzoek, niet door de hub. Wat erin zat, staat hieronder.",
            "basis": "Erbij, apart ondertekend en voor iedereen: geteld met keuzelijst {snapshot}, "
            "{log}; patiënten stemden in met {requires}.",
            "log": "logboek van keuzes met {n} regels, wortel {root}",
            "no_log": "zonder logboek van keuzes",
            "again": "Nieuwe vragen van deze onderzoeker kunnen weer vanaf {day}.",
            "replayed": "Geen getal: alleen een verwijzing naar het antwoord van {as_of}.",
            "refused": "Geen getal: alleen de code {code}. {text}",
            "named": "Met de namen: {names}.",
            "applied": "Keuzelijst {seq} is in gebruik genomen.",
            "not_applied": "Keuzelijst {seq} is niet aangenomen ({code}).",
            "notice_days": "Een ja telt hier {n} dagen nadat het bericht erover is verstuurd.",
            "unproven": "Van {n} patiënten kon een ja hier niet worden nagekeken; zij tellen niet "
            "mee.",
            "told": "Het overzicht per variabele van wat er is ingevuld: afgerond, en kleine "
            "aantallen weggelaten.",
            "choices": "{n} berichten over uitnodigingen, papieren keuzes en wie mag beslissen. "
            "Over patiënten staat er alleen een codenaam in die buiten het ziekenhuis niets zegt.",
            "told_before": "Met hetzelfde overzicht van wat er is ingevuld als eerder.",
            "other": "Het bericht heeft ook delen die deze versie niet kent: {names}.",
            "unread": "De bytes van dit bericht zijn hier niet bewaard of zijn beschadigd.",
            "always": "In elk bericht staan ook: het nummer van de vraag en de stap, "
            "vingerafdrukken van vraag, deelnemerslijst en beleid, het nummer van de keuzelijst, "
            "de versie van het programma en onze handtekening.",
            "unknown_question": "De vraag is hier niet bewaard, of is niet te lezen met het "
            "codeboek.",
        },
        "en": {
            LOOKED: "look",
            ANSWER: "answer",
            REPLAY: "pointer to an earlier answer",
            REFUSAL: "refusal",
            ACKNOWLEDGEMENT: "receipt of a consent list",
            COVERAGE: "overview of what is filled",
            MESSAGES: "messages about choices of our patients",
            MATCH: "counting shared patients",
            "match_title": "How many patients do the hospitals share?",
            "match_words": "Hospitals count together how often a patient of this study is known at "
            "two of them, without names. Only the total can be read.",
            "lists": "{n} sealed lists, one for each other hospital: per patient who agreed a "
            "number that says nothing without our secret, with made-up numbers between them. The "
            "hub cannot open them.",
            "looked": "A look first: counts only, under a mask. No sums yet.",
            "masked": "{n} numbers under a mask: unreadable for anyone, the hub included. Only the "
            "total over all hospitals of this question can be read.",
            "brief": "{n} numbers under a mask.",
            "zeros": "Too few patients here for this question: under the mask are noughts.",
            "plain": "{n} readable numbers of our hospital. This question was about data without "
            "protection.",
            "released": "The numbers of our hospital itself, readable for the hub and the "
            "participants. They are shown below.",
            "sealed": "The numbers of our hospital itself, sealed: only the study's key opens "
            "them, the hub cannot. What was in them is shown below.",
            "basis": "With it, signed apart and for everybody: counted by consent list {snapshot}, "
            "{log}; patients had agreed to {requires}.",
            "log": "log of choices of {n} entries, root {root}",
            "no_log": "without a log of choices",
            "again": "This researcher can ask something new from {day}.",
            "replayed": "No number: only a pointer to the answer of {as_of}.",
            "refused": "No number: only the code {code}. {text}",
            "named": "With the names: {names}.",
            "applied": "Consent list {seq} is in use.",
            "not_applied": "Consent list {seq} was not accepted ({code}).",
            "notice_days": "A yes counts here {n} days after the notice of it was sent.",
            "unproven": "Of {n} patients a yes could not be checked here; they are not counted.",
            "told": "The overview per variable of what is filled: rounded, and small counts "
            "left out.",
            "choices": "{n} messages about invitations, choices on paper and who may decide. Of "
            "patients they hold only a code name that says nothing outside the hospital.",
            "told_before": "With the same overview of what is filled as before.",
            "other": "The message also has parts that this version does not know: {names}.",
            "unread": "The bytes of this message were not kept here, or are damaged.",
            "always": "Every message also holds: the number of the question and the step, "
            "fingerprints of question, list of hospitals and policy, the number of the consent "
            "list, the version of the program, and our signature.",
            "unknown_question": "The question was not kept here, or cannot be read with the "
            "codebook.",
        },
    }
)

_ALWAYS = frozenset(
    {
        "v",
        "iss",
        "aud",
        "iat",
        "exp",
        "jti",
        "run",
        "step",
        "query_sha256",
        "roster_sha256",
        "snapshot",
        "policy_sha256",
        "software",
        "status",
        "code",
    }
)
_SAID = frozenset(
    {
        "inside",
        "layout",
        "masked",
        "plain",
        "released",
        "sealed",
        "lists",
        "replay_of",
        "terms_named",
        "again_from",
        "basis",
        "seq",
        "coverage",
        "messages",
    }
)
_ACK = frozenset({"applied_at", "witness", "unproven", "notice_days"})
_ACKS = (ACKNOWLEDGEMENT, COVERAGE, MESSAGES)
_MOST_PARTS = 2_000


@dataclass(frozen=True)
class Contents:
    """What a message held. `form`: masked, plain, released, sealed, lists, none or unread.
    `numbers`: how many; `parts`: the name and shape of each masked or plain array; `readable`: each
    readable number or text with its place; `other`: parts that are not known. `policy_sha256`: the
    policy that it names as in force; "" where a message names none."""

    form: str
    numbers: int = 0
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    readable: tuple[tuple[str, str], ...] = ()
    other: tuple[str, ...] = ()
    policy_sha256: str = ""

    @property
    def hides_counts(self) -> bool:
        """Whether nobody can read from the message how many patients were counted."""
        return self.form in ("masked", "lists", "none")

    def to_dict(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "numbers": self.numbers,
            "parts": [{"name": name, "shape": list(shape)} for name, shape in self.parts],
            "readable": [{"place": place, "value": value} for place, value in self.readable],
            "unknown_parts": list(self.other),
        }


def contents(message: Sent) -> Contents:
    """What the bytes of a message hold. Never raises: what cannot be read is `unread`."""
    if message.body is None:
        return Contents("unread")
    try:
        claims = decoded(message.body)["claims"]
        if message.inside is not None:
            claims = {**claims, "inside": decoded(message.inside)["claims"]["released"]}
        _words_of(message, claims, TEXTS["en"], "en")  # a claim that is not there is found here
        found = _of_claims(claims, message.kind)
        return replace(found, policy_sha256=str(claims.get("policy_sha256", "")))
    except (ProtocolError, KeyError, TypeError, ValueError):
        return Contents("unread")


def _of_claims(claims: Mapping[str, Any], kind: str) -> Contents:
    known = _ALWAYS | _SAID | (_ACK if kind in _ACKS else frozenset())
    other = tuple(sorted(name for name in claims if name not in known))
    if kind in (COVERAGE, MESSAGES):
        told = {} if kind == MESSAGES else dict(claims["coverage"])
        if claims.get("messages"):
            told["messages"] = [_message(text) for text in claims["messages"]]
        readable = _first(told)
        return Contents("released", len(readable), readable=readable, other=other)
    if "masked" in claims:
        parts = tuple(
            (str(name), tuple(int(size) for size in shape)) for name, shape, _ in claims["layout"]
        )
        return Contents("masked", sum(prod(shape) for _, shape in parts), parts, other=other)
    if "plain" in claims:
        shapes = {name: tuple(array["shape"]) for name, array in claims["plain"].items()}
        numbers = sum(prod(shape) for shape in shapes.values())
        return Contents("plain", numbers, tuple(shapes.items()), _plain(claims["plain"]), other)
    if "released" in claims:
        readable = _first(claims["released"])
        return Contents("released", len(readable), readable=readable, other=other)
    if "lists" in claims:
        return Contents("lists", len(claims["lists"]), other=other)
    if "sealed" in claims:
        readable = _first(claims.get("inside", {}))
        return Contents("sealed", len(readable), readable=readable, other=other)
    return Contents("none", other=other)


def _message(text: str) -> dict[str, Any]:
    """What a signed message in an acknowledgement says: its number, kind and content."""
    claims = decoded(text.encode("ascii"))["claims"]
    return {name: claims[name] for name in ("seq", "kind", "content")}


def _plain(arrays: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    from federation.protocol.encoding import unpack_array

    values = {name: unpack_array(array).ravel().tolist() for name, array in arrays.items()}
    return _first(values)


def _first(value: object) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair, _ in zip(flat(value), range(_MOST_PARTS), strict=False))


def number(value: int, lang: str) -> str:
    """A whole number with its thousands apart: 1.234 or 1,234."""
    text = f"{value:,}"
    return text.replace(",", ".") if lang == "nl" else text


def flat(value: object, place: str = "") -> "list[tuple[str, str]]":
    """Each number and text in JSON data with its place, such as ("cells[0].n", "12")."""
    if isinstance(value, Mapping):
        return [
            pair
            for key, inner in value.items()
            for pair in flat(inner, f"{place}.{key}" if place else str(key))
        ]
    if isinstance(value, list | tuple):
        return [pair for at, inner in enumerate(value) for pair in flat(inner, f"{place}[{at}]")]
    return [(place, "–" if value is None else str(value))]


def what_left(message: Sent, found: Contents, lang: str, *, brief: bool = False) -> list[str]:
    """What was in a message, as sentences in "nl" or else English. `brief`: what a mask does was
    said before."""
    say = TEXTS["nl" if lang == "nl" else "en"]
    if found.form == "unread":
        lines = _refused(message, {}, say, lang) if message.kind == REFUSAL else []
        return [*lines, say["unread"]]
    claims = decoded(message.body or b"")["claims"]
    lines = _answered(message, found, say, lang, brief) + _words_of(message, claims, say, lang)
    if found.other:
        lines.append(say["other"].format(names=", ".join(found.other)))
    return lines


def _words_of(message: Sent, claims: Mapping[str, Any], say: Texts, lang: str) -> list[str]:
    """What a message without sums says. KeyError or TypeError for claims of another form."""
    if message.kind == REPLAY:
        return [say["replayed"].format(as_of=claims["replay_of"]["as_of"])]
    if message.kind == REFUSAL:
        return _refused(message, claims, say, lang)
    if message.kind not in _ACKS:
        return _counted_by(claims, say, lang)
    key = "applied" if claims["status"] == "applied" else "not_applied"
    lines = [say[key].format(seq=claims["seq"], code=claims["code"])]
    if claims.get("unproven") is not None:
        lines.append(say["unproven"].format(n=claims["unproven"]))
    if claims.get("notice_days") is not None:
        lines.append(say["notice_days"].format(n=claims["notice_days"]))
    if claims.get("coverage") is not None:
        lines.append(say["told" if message.kind == COVERAGE else "told_before"])
    if claims.get("messages"):
        lines.append(say["choices"].format(n=number(len(claims["messages"]), lang)))
    return lines


def _counted_by(claims: Mapping[str, Any], say: Texts, lang: str) -> list[str]:
    """What an answer says of the consent behind it; [] for one that says nothing of it."""
    if claims.get("basis") is None:
        return []
    told = decoded(claims["basis"].encode("ascii"))["claims"]
    head = told["log"]
    log = say["no_log"]
    if head is not None:
        log = say["log"].format(n=number(head["size"], lang), root=head["root"])
    requires = ", ".join(told["requires"])
    return [say["basis"].format(snapshot=told["snapshot"], log=log, requires=requires)]


def _answered(message: Sent, found: Contents, say: Texts, lang: str, brief: bool) -> list[str]:
    if message.kind not in (LOOKED, ANSWER, MATCH):
        return []
    lines = [say["looked"]] if message.kind == LOOKED else []
    if found.form in ("masked", "plain", "released", "sealed", "lists"):
        key = "brief" if brief and found.form == "masked" else found.form
        lines.append(say[key].format(n=number(found.numbers, lang)))
    if message.patients == 0 and found.form == "masked":
        lines.append(say["zeros"])
    return lines


def _refused(message: Sent, claims: Mapping[str, Any], say: Texts, lang: str) -> list[str]:
    code = str(claims.get("code", message.code))
    refusal = REFUSALS.get(code)
    text = "" if refusal is None else refusal.text_nl if lang == "nl" else refusal.text_en
    lines = [say["refused"].format(code=code, text=text).rstrip()]
    if claims.get("terms_named"):
        lines.append(say["named"].format(names=", ".join(claims["terms_named"])))
    if claims.get("again_from"):
        lines.append(say["again"].format(day=claims["again_from"]))
    return lines
