"""Which patients this hospital has, as handles, and letters that invite one of them."""

import os
import secrets
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from federation.site.data import local_ids
from federation.site.directory import SiteDirectory
from federation.site.pseudonyms import HandleMaker, Handles, handle_text

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
ID_LENGTH = 6
SECRET_LENGTH = 16


def list_handles(directory: SiteDirectory) -> Handles:
    """The handle of every patient in the hospital's data, sorted, each once. Raises DataError."""
    numbers = {
        number
        for mapped in directory.mappings.values()
        for block in local_ids(mapped)
        for number in block
        if number
    }
    return np.unique(directory.handles.handles(sorted(numbers)))


def is_known(directory: SiteDirectory, local_id: str) -> bool:
    """Whether a patient in the data has this local number. Raises DataError."""
    wanted = local_id.strip()
    return wanted != "" and any(
        wanted in block for mapped in directory.mappings.values() for block in local_ids(mapped)
    )


@dataclass(frozen=True)
class Letter:
    """A letter to one patient. The hub gets `handle`, `code_id` and `verifier`; the patient gets
    `printed`; the secret itself is kept nowhere.

    verifier: Argon2id of the secret as a PHC string, with the parameters of consent.letters.
    """

    handle: str
    code_id: str
    verifier: str
    printed: str


def new_letter(maker: HandleMaker, local_id: str) -> Letter:
    """A letter with a fresh code (80 secret bits) for the patient with this local number."""
    code_id, secret = _random_code(ID_LENGTH), _random_code(SECRET_LENGTH)
    hasher = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
    groups = [secret[at : at + 4] for at in range(0, SECRET_LENGTH, 4)]
    return Letter(
        handle=handle_text(maker.handle(local_id)),
        code_id=code_id,
        verifier=hasher.derive_phc_encoded(secret.encode()),
        printed="-".join([code_id, *groups]),
    )


def _random_code(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
