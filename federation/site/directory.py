"""A hospital's directory: settings, policy, mapping, keys, pinned peers, local database.

    site.toml      who this site is, its data source, the studies it takes part in
    policy.yaml    disclosure policy of the hospital
    mapping.yaml   how its data become the codebook's variables
    match.yaml     may lack: how shared patients are recognised
    peers.json     pinned public keys of the network's sites
    keys/          sign.key, box.key, portal.key; readable by the service user only
    site.sqlite    snapshot, ledger, journal, audit
    STOP           while this file is here, no question is answered

Everything is read and checked before the site answers anything. A wrong file is a SetupError.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from federation.disclosure.policy import Policy, PolicyError, load_policy
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, PublicIdentity, SigningKey, read_secret, write_secret
from federation.query.canonical import canonical_json
from federation.query.codebook import Codebook, load_codebook
from federation.query.errors import QueryError
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.convert import check_fit
from federation.site.data.mapping import Mapped, read_mapping
from federation.site.errors import DataError, SetupError
from federation.site.files import read_small
from federation.site.match_items import MatchItems, read_match_items
from federation.site.settings import (
    PEERS_FILE,
    SITE_FILE,
    SiteSettings,
    StudyHere,
    check_slug,
    read_peers,
    read_settings,
    settings_text,
    write_peers,
)
from federation.site.stopping import is_stopped

POLICY_FILE = "policy.yaml"
MAPPING_FILE = "mapping.yaml"
DATABASE_FILE = "site.sqlite"
CODEBOOK_FOLDER = "codebooks"
_PORTAL_KEY_BYTES = 32
_KEY_FILES = ("keys/sign.key", "keys/box.key", "keys/portal.key")


@dataclass(frozen=True)
class SiteDirectory:
    """A site's directory, completely read and checked."""

    path: Path
    settings: SiteSettings
    policy: Policy
    mappings: Mapping[str, Mapped]  # by file name
    peers: Mapping[str, PublicIdentity]
    sign: SigningKey
    box: BoxKey
    handles: HandleMaker
    match_items: MatchItems | None = None

    @classmethod
    def load(cls, path: Path | str, now: datetime | None = None) -> "SiteDirectory":
        """Read the directory; SetupError names the first thing that is wrong. `now`: the moment at
        which decisions in the policy must hold, by default the clock's."""
        path = Path(path)
        settings = read_settings(path)
        policy = _read_policy(path, now or datetime.now(UTC))
        names = {study.mapping for study in settings.studies.values()} or {MAPPING_FILE}
        mappings = {name: _read_mapping(path, name, settings) for name in sorted(names)}
        for study in settings.studies.values():
            if study.by_site != "none" and not policy.site_level_output:
                raise SetupError(
                    f"site.toml: studies.{study.slug}.by_site needs site_level_output and the "
                    "board's form in policy.yaml; agree on that first, or remove it."
                )
            if mappings[study.mapping].codebook != study.codebook:
                raise SetupError(
                    f"{study.mapping}: codebook is not '{study.codebook}', which "
                    f"site.toml: studies.{study.slug} uses; correct one of them."
                )
            _check_fit(path, study, mappings[study.mapping])
        sign, box, portal = _read_keys(path / "keys")
        peers = read_peers(path)
        identity = PublicIdentity(settings.slug, sign.public, box.public)
        if peers.get(settings.slug) != identity:
            raise SetupError(
                "peers.json does not hold this site with its own keys; pin the right list."
            )
        return cls(
            path=path,
            settings=settings,
            policy=policy,
            mappings=mappings,
            peers=peers,
            sign=sign,
            box=box,
            handles=HandleMaker(portal, settings.network, settings.slug),
            match_items=read_match_items(path),
        )

    @property
    def slug(self) -> str:
        return self.settings.slug

    @property
    def identity(self) -> PublicIdentity:
        """What the network may know of this site."""
        return PublicIdentity(self.slug, self.sign.public, self.box.public)

    @property
    def stopped(self) -> bool:
        """The hospital's own switch: while a file STOP lies here, no question is answered."""
        return is_stopped(self.path)

    @property
    def database(self) -> Path:
        return self.path / DATABASE_FILE


def _read_policy(path: Path, now: datetime) -> Policy:
    try:
        return load_policy(_read_file(path, POLICY_FILE), now)
    except PolicyError as error:
        raise SetupError(f"policy.yaml: {error}") from error


def _read_mapping(path: Path, name: str, settings: SiteSettings) -> Mapped:
    return read_mapping(_read_file(path, name), settings.source_of(name), path, name)


def _check_fit(path: Path, study: StudyHere, mapped: Mapped) -> None:
    """Check the mapping against the agreed codebook when it is kept here."""
    book = kept_codebook(path, study)
    if book is None:
        return
    try:
        check_fit(book, mapped)
    except DataError as error:
        problem = _MISFITS[error.code]
        raise SetupError(f"{study.mapping}: variables.{error.detail} {problem}.") from error


_MISFITS = {
    "MAPPING_UNKNOWN_VARIABLE": "is not in the codebook; remove it or correct its name",
    "MAPPING_FORM": "has a form or a map that its type in the codebook cannot have",
    "MAPPING_LEVEL": "maps to a value that is not a level in the codebook",
    "MAPPING_UNIT": "belongs to rows of another unit; write the mapping with tables (version 2)",
}


def _read_file(path: Path, name: str) -> bytes:
    try:
        return read_small(path / name)
    except OSError as error:
        raise SetupError(f"{name} is missing or cannot be read; put it in place.") from error


def _read_keys(folder: Path) -> tuple[SigningKey, BoxKey, bytes]:
    name = "sign.key"
    try:
        sign = SigningKey.load(folder / name)
        name = "box.key"
        box = BoxKey.load(folder / name)
        name = "portal.key"
        portal = read_secret(folder / name)
        if len(portal) != _PORTAL_KEY_BYTES:
            raise ProtocolError("BAD_KEY")
    except PermissionError as error:
        raise SetupError(f"keys/{name} may be read by others; run: chmod 600 {name}") from error
    except OSError as error:
        raise SetupError(f"keys/{name} is missing; restore it or enrol the site anew.") from error
    except ProtocolError as error:
        raise SetupError(f"keys/{name} is damaged; restore it or enrol the site anew.") from error
    return sign, box, portal


def init_site(
    path: Path | str,
    *,
    slug: str,
    name: str,
    network: str,
    hub_public: str,
    source: Mapping[str, Any],
    mapping: bytes,
    policy: bytes | str,
    studies: Mapping[str, Mapping[str, Any]],
    now: datetime | None = None,
) -> SiteDirectory:
    """Make a site's directory with fresh keys, pinning only itself; then read it back.

    `studies`: per study `requires` (consent items) and either `codebook` (a Codebook or its
    dict, which is kept beside it for `site check`) or `codebook` (its id) with
    `codebook_sha256`; optional `approve`, `kinds`, `variables`, `mapping`, `by_site`,
    `result_key`, `coverage`, `source`. A `mapping` other than mapping.yaml must be there already.
    Pin the network's other sites afterwards with `pin_peers`.
    SetupError when the directory already holds a site or something given is wrong; then nothing
    of ours stays behind, so that the same can be tried again.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    if (path / SITE_FILE).exists():
        raise SetupError("This directory already holds a site; choose another one.")
    books = {key: _codebook(value.get("codebook")) for key, value in studies.items()}
    settings = SiteSettings(
        slug=check_slug(slug, "slug"),
        name=name,
        network=check_slug(network, "network"),
        hub_public=hub_public,
        source=dict(source),
        studies={key: _new_study(key, value, books[key]) for key, value in studies.items()},
    )
    names = (SITE_FILE, PEERS_FILE, POLICY_FILE, MAPPING_FILE, *_KEY_FILES)
    ours = [path / each for each in names if not (path / each).exists()]
    keys = path / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    sign, box = SigningKey.generate(), BoxKey.generate()
    sign.save(keys / "sign.key")
    box.save(keys / "box.key")
    write_secret(keys / "portal.key", os.urandom(_PORTAL_KEY_BYTES))
    (path / POLICY_FILE).write_bytes(policy.encode() if isinstance(policy, str) else policy)
    (path / MAPPING_FILE).write_bytes(mapping)
    for book in books.values():
        if book is not None:
            _keep_codebook(path, book)
    write_peers(path, {slug: PublicIdentity(slug, sign.public, box.public)})
    (path / SITE_FILE).write_text(settings_text(settings), "utf-8")
    try:
        return SiteDirectory.load(path, now)
    except SetupError:
        # Half a directory would be "a site" for the next try, with keys that nobody was told of.
        for made in ours:
            made.unlink(missing_ok=True)
        for book in books.values():
            if book is not None:
                _kept_at(path, book.sha256).unlink(missing_ok=True)
        for folder in (keys, path / CODEBOOK_FOLDER, path):
            with suppress(OSError):  # something of the hospital's own lies in it
                folder.rmdir()
        raise


def pin_peers(path: Path | str, peers: Mapping[str, PublicIdentity]) -> None:
    """Pin the network's sites (this one included) in the site directory `path`.

    A running site reads its pins at its start only.
    """
    write_peers(Path(path), peers)


def _codebook(value: object) -> Codebook | None:
    if isinstance(value, Codebook):
        return value
    return Codebook.from_dict(value) if isinstance(value, Mapping) else None


def _new_study(slug: str, given: Mapping[str, Any], book: Codebook | None) -> StudyHere:
    names = {"kinds": given.get("kinds", "all"), "variables": given.get("variables", "all")}
    allowed = {
        key: None if value in ("all", None) else frozenset(value) for key, value in names.items()
    }
    return StudyHere(
        slug=slug,
        codebook=book.id if book is not None else str(given.get("codebook", "")),
        codebook_sha256=book.sha256 if book is not None else str(given.get("codebook_sha256", "")),
        requires=tuple(given.get("requires", ())),
        approve=given.get("approve", "committee"),
        kinds=allowed["kinds"],
        variables=allowed["variables"],
        mapping=given.get("mapping", MAPPING_FILE),
        by_site=given.get("by_site", "none"),
        result_key=given.get("result_key", ""),
        coverage=given.get("coverage", "tell"),
        source=given.get("source"),
    )


def _keep_codebook(path: Path, book: Codebook) -> None:
    (path / CODEBOOK_FOLDER).mkdir(exist_ok=True)
    _kept_at(path, book.sha256).write_bytes(canonical_json(book.to_dict()) + b"\n")


def _kept_at(path: Path, sha256: str) -> Path:
    return path / CODEBOOK_FOLDER / f"{sha256}.json"


def kept_codebook(path: Path, study: StudyHere) -> Codebook | None:
    """The study's codebook as it was agreed, when the site directory `path` holds it."""
    file = _kept_at(path, study.codebook_sha256)
    if not file.is_file():
        return None
    try:
        book = load_codebook(file)
    except (QueryError, OSError) as error:
        raise SetupError(f"the kept codebook of studies.{study.slug} cannot be read.") from error
    if book.sha256 != study.codebook_sha256:
        raise SetupError(f"the kept codebook of studies.{study.slug} was changed; restore it.")
    return book
