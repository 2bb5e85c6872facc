"""Our messages as vantage6 tasks: made once, found again by name, read with the pinned keys.

One task per site: a task for several is one in which a failure at the first site makes the server
mark the others, not yet started, as failed.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from federation.carriage.keys import shown_fingerprint
from federation.carriage.wire import (
    ALLOW_UNENCRYPTED,
    IMAGE,
    WireError,
    decode_result,
    encode_input,
    task_name,
)
from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection, Vantage6Error

#: What the server may say of a task that is not over.
WAITING = frozenset({"pending", "initializing", "active"})
#: Failure codes by the server's word for it; any other word is VANTAGE6_FAILED.
FAILURES: Mapping[str, str] = {
    "not allowed": "VANTAGE6_NOT_ALLOWED",
    "killed by user": "VANTAGE6_KILLED",
    "non-existing Docker image": "VANTAGE6_NO_IMAGE",
}
FAILED = "VANTAGE6_FAILED"
GONE = "VANTAGE6_TASK_GONE"
UNREADABLE = "VANTAGE6_UNREADABLE"
#: Up to so many tasks are asked after one by one; more than that in one list.
_ONE_BY_ONE = 3


@dataclass(frozen=True)
class Answer:
    """What came of one task: a reply or a failure code, as in ``interface.Reply``."""

    body: bytes | None
    failure: str | None


class Tasks:
    """The tasks of one hub. Every method may raise ``Vantage6Error``; safe with several threads."""

    def __init__(
        self, connection: Connection, sites: Mapping[str, int], fingerprints: Mapping[str, str]
    ) -> None:
        self.client = Vantage6Client(connection)
        self._connection = connection
        self._sites = dict(sites)
        self._fingerprints = dict(fingerprints)
        self._keys: dict[str, str] = {}
        self._checked = False
        self._checking = threading.Lock()

    @property
    def encrypted(self) -> bool:
        return self._connection.key is not None

    def check(self) -> None:
        """Sign in and see that the server is as we were told; once, until that went well."""
        with self._checking:
            if self._checked:
                return
            known = self.client.get(f"collaboration/{self._connection.collaboration}")
            self._check_encryption(bool(_get(known, "encrypted")))
            user = self.client.get(f"user/{self.client.user_id}")
            ours = self.client.get(f"organization/{_get(user, 'organization', 'id')}")
            if self.encrypted:
                own = shown_fingerprint(self.client.cryptor.public_key_str)
                if shown_fingerprint(_get(ours, "public_key")) != own:
                    raise Vantage6Error(
                        "VANTAGE6_OWN_KEY",
                        "The server has another public key for our organisation than our own, so "
                        "no hospital could answer us. Run: oncokring vantage6 doctor",
                    )
            if self._has_blobs():
                raise Vantage6Error(
                    "VANTAGE6_BLOB",
                    "The server keeps inputs and results in a separate store (large_result_store), "
                    "which Oncokring does not use. Switch that off for this server.",
                )
            self._checked = True

    def pin(self, site: str, fingerprint: str) -> None:
        """From now on this key, and no other, counts for ``site``."""
        self._fingerprints[site] = fingerprint
        self.forget_key(site)

    def forget_key(self, site: str) -> None:
        """Ask the server for the key again before the next message."""
        self._keys.pop(site, None)

    def create(self, site: str, handle: str, message: bytes) -> int:
        """The id of a new task. An error that is ``unsure`` may have made it: see ``find``."""
        self.check()
        key = self._key_of(site) if self.encrypted else ""
        sealed = self.client.cryptor.encrypt_bytes_to_str(encode_input(message), key)
        made = self.client.post(
            "task",
            {
                "name": task_name(handle),
                "image": IMAGE,
                "description": "",
                "collaboration_id": self._connection.collaboration,
                "organizations": [{"id": self._sites[site], "input": sealed}],
                "databases": [],
            },
        )
        return _number(_get(made, "id"))

    def find(self, handle: str) -> int | None:
        """The task that was made for ``handle`` though its answer was lost; None if there is none.

        Should there be two, the first counts; the site answers both with the same bytes.
        """
        name = task_name(handle)
        rows = self.client.list("task", name=name, init_user_id=self.client.user_id)
        return min((row["id"] for row in rows if row.get("name") == name), default=None)

    def statuses(self, wanted: Iterable[int]) -> dict[int, str | None]:
        """The server's word for each task; None for one that it no longer has."""
        ids = set(wanted)
        found: dict[int, str | None] = {}
        if len(ids) > _ONE_BY_ONE:
            found = self._listed(ids)
        for task in ids - set(found):
            try:
                found[task] = _word(self.client.get(f"task/{task}/status"))
            except Vantage6Error as error:
                if error.status != 404:
                    raise
                found[task] = None
        return found

    def _listed(self, ids: set[int]) -> dict[int, str | None]:
        """As far as they are on the newest pages of our own tasks, which holds all of a round."""
        answer = self.client.get(
            "task",
            init_user_id=self.client.user_id,
            per_page=min(2 * len(ids) + 10, 100),
        )
        rows = _get(answer, "data")
        if not isinstance(rows, list):
            return {}
        return {
            row["id"]: _word(row) for row in rows if isinstance(row, dict) and row.get("id") in ids
        }

    def result_of_run(self, run: int) -> tuple[int, str | None]:
        """(task, still encrypted result or None) of one run, as an event named it."""
        found = self.client.get(f"result/{run}")
        return _number(_get(found, "task", "id")), _text_or_none(_get(found, "result"))

    def result_of(self, task: int) -> str | None:
        """The still encrypted result of one of our tasks; None when it has none."""
        rows = _get(self.client.get("result", task_id=task, per_page=1), "data")
        if not isinstance(rows, list) or not rows:
            return None
        return _text_or_none(_get(rows[0], "result"))

    def read(self, result: str) -> Answer:
        """What a result says; anything that is not ours, or altered, is VANTAGE6_UNREADABLE."""
        try:
            return Answer(*decode_result(self.client.cryptor.decrypt(result)))
        except (WireError, ValueError, TypeError, RuntimeError):
            return Answer(None, UNREADABLE)

    def delete(self, task: int) -> None:
        """Take a task away that nobody waits for; one that is already gone is no error."""
        try:
            self.client.delete(f"task/{task}")
        except Vantage6Error as error:
            if error.status != 404:
                raise

    def online(self) -> dict[int, bool]:
        """Per organisation of the collaboration whether its node is connected."""
        rows = self.client.list("node", collaboration_id=self._connection.collaboration)
        return {
            _number(_get(row, "organization", "id")): row.get("status") == "online" for row in rows
        }

    def close(self) -> None:
        self.client.close()

    def _check_encryption(self, encrypted: bool) -> None:
        if encrypted and not self.encrypted:
            raise Vantage6Error(
                "VANTAGE6_NO_OWN_KEY",
                "The collaboration is encrypted and we were given no private key. Set "
                "ONCOKRING_VANTAGE6_KEY_FILE.",
            )
        if not encrypted and self._connection.allow_unencrypted != ALLOW_UNENCRYPTED:
            raise Vantage6Error(
                "VANTAGE6_UNENCRYPTED",
                "The collaboration is not encrypted, so nothing is sent. Make an encrypted one "
                "(oncokring vantage6 setup); only for a trial with made-up patients, set "
                f"ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED to: {ALLOW_UNENCRYPTED}",
            )
        if not encrypted and self.encrypted:
            raise Vantage6Error(
                "VANTAGE6_UNENCRYPTED",
                "We were given a private key, and the server says that the collaboration is not "
                "encrypted. Nothing is sent. Find out who changed it.",
            )

    def _key_of(self, site: str) -> str:
        """The site's public key from the server, if and only if it is the pinned one."""
        if (known := self._keys.get(site)) is not None:
            return known
        pinned = self._fingerprints.get(site)
        if not pinned:
            raise Vantage6Error(
                "VANTAGE6_KEY_UNPINNED",
                f"Nobody wrote down the key of {site}, and the server is not believed about it. "
                f"Run: oncokring vantage6 setup --public-key {site}=FILE",
            )
        public = _get(self.client.get(f"organization/{self._sites[site]}"), "public_key")
        if not isinstance(public, str) or shown_fingerprint(public) != pinned.lower():
            raise Vantage6Error(
                "VANTAGE6_KEY_CHANGED",
                f"The server hands out another key for {site} than was written down, so nothing is "
                "sent there. Ask the hospital, by another way, whether it changed its key.",
            )
        self._keys[site] = public
        return public

    def _has_blobs(self) -> bool:
        try:
            return bool(_get(self.client.get("blobstream/status"), "blob_store_enabled"))
        except Vantage6Error as error:
            if error.status in (404, 501):  # a server of before 4.13 has no such store
                return False
            raise


def _get(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _number(value: Any) -> int:
    if type(value) is not int:
        raise Vantage6Error(
            "VANTAGE6_UNKNOWN_ANSWER",
            "The server's answer lacks what a vantage6 server of version 4 sends.",
            unsure=True,
        )
    return value


def _word(row: Any) -> str:
    word = _get(row, "status")
    return word if isinstance(word, str) else "unknown error"


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
