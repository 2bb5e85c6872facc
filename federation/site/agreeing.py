"""Invented patients who agree: for a network on one machine that tries a question out.

A letter is made for each and used at once, by whoever holds the site's own directory. A real
patient's yes comes from a letter that only the patient has (federation/site/desk/letters.py).
"""

import hmac
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent.evidence import Act, Evidence
from consent.proof import LETTER, Prove, Statement, StatementForm, letter_prover
from consent.rule import SELF
from consent.text_id import content_id
from federation.site.choices.notices import INVENTED
from federation.site.choices.pseudonyms import HANDLE_BYTES, Handles, handle_text
from federation.site.directory import DATABASE_FILE
from federation.site.store import milliseconds, open_store, transaction

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Keys = Mapping[bytes, tuple[str, bytes]]
"""By handle: the code of a letter and its proof key."""


def letters_for(site: Path, handles: Iterable[bytes], now: datetime) -> Keys:
    """Letters of this site directory for all these patients, who speak for themselves."""
    with closing(open_store(site / DATABASE_FILE)) as database:
        return _letters(database, list(handles), now)


def _letters(database: sqlite3.Connection, handles: Sequence[bytes], now: datetime) -> Keys:
    known = {
        handle: (code, key)
        for code, handle, key in database.execute(
            "SELECT code_id, handle, proof_key FROM letter WHERE ended_at IS NULL AND party = ?",
            (SELF,),
        )
    }
    (count,) = database.execute("SELECT count(*) FROM letter").fetchone()
    secret = os.urandom(32)
    fresh = {
        handle: (_code(count + place), hmac.digest(secret, handle, "sha256"))
        for place, handle in enumerate(h for h in dict.fromkeys(handles) if h not in known)
    }
    with transaction(database):
        database.executemany(
            "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
            " VALUES (?, ?, 'self', ?, ?, ?)",
            [
                (code, handle, INVENTED, key, milliseconds(now))
                for handle, (code, key) in fresh.items()
            ],
        )
    return {handle: known.get(handle) or fresh[handle] for handle in handles}


def _code(number: int) -> str:
    digits = []
    for _ in range(6):
        number, rest = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def prover(keys: Keys, handle: bytes) -> Prove:
    """What proves a yes of this patient."""
    code, key = keys[handle]
    return letter_prover(code, key)


def all_agree(
    site: Path,
    *,
    network: str,
    slug: str,
    handles: Handles,
    columns: Sequence[tuple[str, str]],
    granted: NDArray[np.bool_],
    at: datetime,
) -> Evidence:
    """The evidence of a snapshot in which the patients of `granted` agree to every column.

    handles, granted: (n,), in the same order; one act per patient and study. The text they agree on
    asks for those columns and nothing else.
    """
    data = handles.tobytes()
    raw = [data[n : n + HANDLE_BYTES] for n in range(0, len(data), HANDLE_BYTES)]
    keys = letters_for(site, raw, at)
    items: dict[str, list[str]] = {}
    for study, item in columns:
        items.setdefault(study, []).append(item)
    texts = [(study, {"items": sorted(yes)}) for study, yes in items.items()]
    said = [(study, content_id(study, text), tuple(text["items"])) for study, text in texts]
    forms = [StatementForm.of(_statement(network, slug, at, *each)) for each in said]
    moment, acts = milliseconds(at), []
    for place in np.flatnonzero(granted).tolist():
        code, key = keys[raw[place]]
        whose = handle_text(raw[place])
        for number, ((study, text, yes), form) in enumerate(zip(said, forms, strict=True)):
            act = f"{place:024x}{number:08x}"
            mac = form.mac(whose, moment, act, key)
            acts.append(Act(place, study, text, SELF, LETTER, yes, moment, act, code, mac))
    return Evidence(acts, texts=texts)


def _statement(
    network: str, site: str, at: datetime, study: str, text: str, yes: tuple[str, ...]
) -> Statement:
    """Without handle and act."""
    return Statement(
        network=network,
        site=site,
        handle="",
        party=SELF,
        study=study,
        text_version=text,
        yes=yes,
        at=at,
        act="",
    )
