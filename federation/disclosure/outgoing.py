"""The last look at a reply before it is signed: an allow-list of keys, types and sizes (S1)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from federation.query.canonical import canonical_json
from federation.query.refusals import REFUSALS, Refused
from federation.query.terms import Terms

MAX_NAMES: Final = 100
MAX_LAYOUT: Final = 10_000
MAX_DIMS: Final = 4
MAX_TEXT: Final = 300
MAX_VALUES: Final = 100_000
MAX_NESTED: Final = 12

_HASH = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+/-]{0,99}")
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]*={0,2}")
_NAME = re.compile(r"[ -~]{1,200}")
_SIGNED = re.compile(r"[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{1,16000}\.[A-Za-z0-9_-]{1,200}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ITEM = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_SEALED = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){4}")
_DTYPES = frozenset({"<i8", "<u8", "<f8", "|u1"})

Check = Callable[[object], bool]


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_code(value: object) -> bool:
    return isinstance(value, str) and value in REFUSALS


def _is_name(value: object) -> bool:
    # names of codebook variables and model terms may hold any printable character
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable()


def _are_names(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_NAMES and all(map(_is_name, value))


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_DIMS and all(map(_is_count, value))


def _is_layout(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_LAYOUT
        and all(
            isinstance(entry, list)
            and len(entry) == 3
            and _matches(_NAME)(entry[0])
            and _is_shape(entry[1])
            and entry[2] in ("i", "f")
            for entry in value
        )
    )


def _is_array(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"dtype", "shape", "b64"}
        and value["dtype"] in _DTYPES
        and _is_shape(value["shape"])
        and _matches(_BASE64)(value["b64"])
    )


def _is_plain(value: object) -> bool:
    if _is_array(value):
        return True
    return isinstance(value, Mapping) and all(
        _matches(_NAME)(name) and _is_array(array) for name, array in value.items()
    )


def is_own_answer(value: object) -> bool:
    """Tell whether `value` is one hospital's released answer: result, hidden and warnings, made of
    nothing but plain JSON of bounded size, with short printable texts."""
    return (
        isinstance(value, Mapping)
        and set(value) == {"result", "hidden", "warnings"}
        and isinstance(value["result"], Mapping)
        and isinstance(value["hidden"], list)
        and isinstance(value["warnings"], list)
        and _is_plain_json(value)
    )


def _is_plain_json(value: object) -> bool:
    """Without recursion, so that depth is refused and not followed."""
    layer, left = [value], MAX_VALUES
    for _ in range(MAX_NESTED):
        left -= len(layer)
        if left < 0:
            return False
        if not all(map(_is_scalar, (v for v in layer if not isinstance(v, Mapping | list)))):
            return False
        keys = [key for v in layer if isinstance(v, Mapping) for key in v]
        if not all(isinstance(key, str) and _is_short_text(key) for key in keys):
            return False
        layer = [
            inner
            for v in layer
            if isinstance(v, Mapping | list)
            for inner in (v.values() if isinstance(v, Mapping) else v)
        ]
        if not layer:
            return True
    return False


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return _is_short_text(value)
    if value is None or isinstance(value, bool):
        return True
    return (type(value) is int and abs(value) < 2**53) or (
        type(value) is float and math.isfinite(value)
    )


def _is_short_text(text: str) -> bool:
    return len(text) <= MAX_TEXT and text.isprintable()


def _is_replay(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"run", "as_of"}
        and all(_is_count(each) or _matches(_TOKEN)(each) for each in value.values())
    )


def _are_items(value: object) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_NAMES
        and all(_matches(_ITEM)(item) for item in value)
    )


def _is_head(value: object) -> bool:
    return value is None or (
        isinstance(value, Mapping)
        and set(value) == {"size", "root"}
        and _is_count(value["size"])
        and _matches(_HASH)(value["root"])
    )


_CHECKS: Final[Mapping[str, Check]] = {
    "v": _is_count,
    "iss": _matches(_TOKEN),
    "aud": _matches(_TOKEN),
    "iat": _is_count,
    "exp": _is_count,
    "jti": _matches(_TOKEN),
    "run": _matches(_TOKEN),
    "step": _is_count,
    "query_sha256": _matches(_HASH),
    "roster_sha256": _matches(_HASH),
    "status": lambda value: value in ("ok", "refused", "replay"),
    "code": _is_code,
    "terms_named": _are_names,
    "layout": _is_layout,
    "masked": _is_array,
    "plain": _is_plain,
    "released": is_own_answer,
    "sealed": _matches(_SEALED),
    "snapshot": _is_count,
    "policy_sha256": _matches(_HASH),
    "software": _matches(_TOKEN),
    "again_from": _matches(_DAY),
    "basis": _matches(_SIGNED),
    "replay_of": _is_replay,
}
_BASIS: Final[Mapping[str, Check]] = {
    **{name: _CHECKS[name] for name in ("run", "query_sha256", "roster_sha256", "snapshot")},
    **{name: _CHECKS[name] for name in ("policy_sha256", "software")},
    "study": _matches(_TOKEN),
    "log": _is_head,
    "requires": _are_items,
}
_NEEDED: Final = ("run", "step", "query_sha256", "status")


_BESIDE_LISTS: Final = frozenset(
    {*_NEEDED, "roster_sha256", "snapshot", "policy_sha256", "software"}
)
_CARRIES: Final = frozenset({"masked", "plain", "released", "sealed"})


def check_outgoing(
    reply: Mapping[str, Any],
    terms: Terms,
    *,
    plain_allowed: bool | None = None,
    own_allowed: str | None = None,
) -> None:
    """Raise Refused INTERNAL_REFUSED unless `reply` is exactly the kind of thing that may leave.

    Every key must be known and every value of its kind (None stands for an absent one); the
    canonical JSON is at most terms.max_response_bytes. A refusal or replay carries no sums, a
    refusal has a public code, and an answer has sums. Unmasked sums (`plain`) need
    `plain_allowed`, which by default is protection "none". One hospital's own answer leaves only
    when `own_allowed` says so, and only in that way: "released" or "sealed".
    """
    if plain_allowed is None:
        plain_allowed = terms.protection == "none"
    if not _is_allowed(reply, plain_allowed, own_allowed):
        raise Refused("INTERNAL_REFUSED")
    # everything has passed the checks above, so this is plain JSON
    if len(canonical_json(dict(reply))) > terms.max_response_bytes:
        raise Refused("INTERNAL_REFUSED")


def check_lists(reply: Mapping[str, Any], receivers: Collection[str]) -> None:
    """Raise Refused INTERNAL_REFUSED unless `reply` is one that carries nothing but a sealed list
    for each of `receivers` (federation/protocol/private_match.py), with what every reply has."""
    lists = reply.get("lists")
    rest = {key: value for key, value in reply.items() if key != "lists"}
    if (
        not isinstance(lists, Mapping)
        or set(lists) != set(receivers)
        or not all(map(_matches(_BASE64), lists.values()))
        or reply.get("status") != "ok"
        or not set(_NEEDED) <= rest.keys() <= _BESIDE_LISTS
        or not all(_CHECKS[key](value) for key, value in rest.items())
    ):
        raise Refused("INTERNAL_REFUSED")


def check_basis(claims: Mapping[str, Any]) -> None:
    """Raise Refused INTERNAL_REFUSED unless `claims` are those of a hospital's word about whom it
    counted by, all of them and nothing else (federation/protocol/basis.py)."""
    if claims.keys() != _BASIS.keys() or not all(_BASIS[key](claims[key]) for key in claims):
        raise Refused("INTERNAL_REFUSED")


def _is_allowed(reply: Mapping[str, Any], plain_allowed: bool, own_allowed: str | None) -> bool:
    given = {key: value for key, value in reply.items() if value is not None}
    if not all(key in _CHECKS and _CHECKS[key](value) for key, value in given.items()):
        return False
    if any(key not in given for key in _NEEDED):
        return False
    if "again_from" in given and given.get("code") != "BUDGET":
        return False
    carries = _CARRIES & set(given)
    if given["status"] != "ok":
        return (
            not carries
            and "basis" not in given
            and ("code" in given) == (given["status"] == "refused")
        )
    if len(carries) != 1 or "code" in given or given.get("terms_named"):
        return False
    (way,) = carries
    if way == "plain":
        return plain_allowed
    if way == "masked":
        return True
    # an answer of one hospital has no sums beside it, not even their names
    return way == own_allowed and "layout" not in given
