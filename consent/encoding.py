"""Bytes as base64url text in one spelling, and moments as milliseconds. Pure, also on the site."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def b64(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64(text: object, most: int) -> bytes:
    """The bytes of base64url text; at most `most` of them.

    Raises ValueError for anything else, also for another spelling of the same bytes.
    """
    if not isinstance(text, str) or len(text) > most * 4 // 3 + 4:
        raise ValueError("base64url text of a limited length")
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if b64(raw) != text:
        raise ValueError("not the one spelling of these bytes")
    return raw


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """The UTC moment of `milliseconds` since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND


def one_per_line(*fields: str) -> bytes:
    """Fields as a text with one in each line: what is signed has one spelling.

    Raises ValueError for a field with a line break.
    """
    if any("\n" in field for field in fields):
        raise ValueError("a signed field is one line")
    return "\n".join(fields).encode("utf-8")
