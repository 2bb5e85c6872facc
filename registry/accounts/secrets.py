"""Passwords (argon2id), one-time codes (TOTP, RFC 6238) and random ids with their hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from registry.accounts.errors import AccountError

MIN_PASSWORD, MAX_PASSWORD = 8, 256
TOTP_PERIOD_S = 30
TOTP_STEPS_AROUND = 1  # clocks of telephones differ; one step before and after
TOKEN_START = "onk_"  # noqa: S105 - a prefix that secret scanners can look for
COMMON = frozenset(
    "password 12345678 123456789 1234567890 qwertyuiop qwerty123 wachtwoord wachtwoord1 welkom01 "
    "welkom123 welcome1 iloveyou sunshine football baseball princess letmein1 password1 "
    "password123 geheim123 amsterdam rotterdam feyenoord ziekenhuis oncokring administrator".split()
)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def hash_password(password: str) -> str:
    """argon2id text of a password; raises AccountError WEAK_PASSWORD."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or password.casefold() in COMMON:
        raise AccountError("WEAK_PASSWORD")
    return _hasher().hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Whether the password fits; without a stored hash it takes as long and says no."""
    try:
        _hasher().verify(stored or _hash_of_nothing(), password[: MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _hash_of_nothing() -> str:
    return _hasher().hash(secrets.token_urlsafe(32))


def new_totp_secret() -> str:
    """A fresh seed for an authenticator app, base32."""
    return pyotp.random_base32()


def totp_address(secret: str, name: str) -> str:
    """The ``otpauth://`` address that an authenticator app reads from a QR code."""
    address: str = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Oncokring")
    return address


def totp_code(secret: str, now: datetime) -> str:
    """The code that an authenticator app shows at `now`."""
    code: str = pyotp.TOTP(secret).at(now)
    return code


def totp_counter(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code was given, or None. The caller must refuse a used step."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
        return None
    present = int(now.timestamp()) // TOTP_PERIOD_S
    totp = pyotp.TOTP(secret)
    for counter in range(present - TOTP_STEPS_AROUND, present + TOTP_STEPS_AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(counter), digits):
            return counter
    return None


def new_session_id() -> str:
    """256 random bits for the session cookie."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """256 random bits for an API token, with a recognisable start."""
    return TOKEN_START + secrets.token_urlsafe(32)


def sha256(text: str) -> str:
    """SHA-256 in hexadecimal; only for random values of 128 bits and more, or lookup keys."""
    return hashlib.sha256(text.encode()).hexdigest()
