"""site.toml and peers.json: read strictly, every problem one sentence that names the key."""

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from consent.items import ITEMS, only_messages
from consent.periods import Periods, is_period
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, verifying_key
from federation.protocol.sealing import check_result_key
from federation.query.errors import did_you_mean
from federation.site.errors import SetupError
from federation.site.files import read_small

SITE_FILE = "site.toml"
PEERS_FILE = "peers.json"
ALL = "all"
AS_DESIGNED = Periods()
PERIODS = ("renewal_years", "use_years")
NOTICE_DAYS = "notice_days"
MOST_NOTICE_DAYS = 90
MAX_SITE_BYTES = 500_000
MAX_DOTS = 100

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ITEM = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\.ya?ml")
_QUOTED = re.compile(r"""\"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?""")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STUDY_KEYS = (
    "codebook",
    "codebook_sha256",
    "requires",
    "approve",
    "kinds",
    "variables",
    "mapping",
)
_STUDY_OPTIONS = ("by_site", "result_key", "coverage", "source")


@dataclass(frozen=True)
class StudyHere:
    """What this hospital agreed to for one study.

    `requires`: the consent items a patient must have granted, never empty. `approve`: "here"
    means that a person of the hospital approves every query as well. `kinds` and `variables`:
    what may be asked, None for everything in the codebook. `by_site`: how this hospital's own
    results may reach the study, "sealed" with the study's `result_key` that the hospital pinned.
    `coverage`: whether the hub is told how much of the data is filled. `source`: where the data of
    this study's mapping are, None for the site's [source].
    """

    slug: str
    codebook: str
    codebook_sha256: str
    requires: tuple[str, ...]
    approve: Literal["committee", "here"]
    kinds: frozenset[str] | None
    variables: frozenset[str] | None
    mapping: str
    by_site: Literal["none", "sealed", "hub"] = "none"
    result_key: str = ""
    coverage: Literal["tell", "none"] = "tell"
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SiteSettings:
    """site.toml, checked. `source` is checked where the data are opened. `periods`: how long a yes
    lasts at most, whatever the hub says (the optional table [consent]). `notice_days`: a yes counts
    so many days after its notice was sent, and never before; None: at once."""

    slug: str
    name: str
    network: str
    hub_public: str
    source: Mapping[str, Any]
    studies: Mapping[str, StudyHere]
    periods: Periods = AS_DESIGNED
    notice_days: int | None = None

    def source_of(self, mapping: str) -> Mapping[str, Any]:
        """Where the data are that the mapping file of this name reads."""
        for study in self.studies.values():
            if study.mapping == mapping and study.source is not None:
                return study.source
        return self.source


def check_slug(value: object, key: str) -> str:
    """`value` when it can be a slug; SetupError naming `key` otherwise."""
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise SetupError(f"{key} must be 1 to 63 letters, digits, '-', '_' or '.'.")
    return value


def read_settings(path: Path) -> SiteSettings:
    """Read site.toml in the directory `path`. Missing, unknown or malformed: SetupError."""
    try:
        table = load_toml(read_small(path / SITE_FILE, MAX_SITE_BYTES))
    except OSError as error:
        raise SetupError("site.toml is missing; run: oncokring site init") from error
    except (ValueError, RecursionError) as error:
        raise SetupError("site.toml is not a TOML file in UTF-8; correct it.") from error
    known = ("slug", "name", "network", "hub", "source", "studies")
    _check_keys(table, known, "site.toml", ("consent",))
    if not isinstance(table["name"], str) or not 1 <= len(table["name"]) <= 200:
        raise SetupError("site.toml: name must be a text of 1 to 200 characters.")
    if not isinstance(table["source"], dict) or not isinstance(table["studies"], dict):
        raise SetupError("site.toml: source and studies must be tables.")
    studies = {
        check_slug(slug, "site.toml: the name of a study"): _study(slug, study)
        for slug, study in table["studies"].items()
    }
    _check_sources(studies)
    return SiteSettings(
        slug=check_slug(table["slug"], "site.toml: slug"),
        name=table["name"],
        network=check_slug(table["network"], "site.toml: network"),
        hub_public=_public_key(table["hub"], "site.toml: hub"),
        source=table["source"],
        studies=studies,
        **_consent(table.get("consent", {})),
    )


def _check_sources(studies: Mapping[str, StudyHere]) -> None:
    """A mapping is written for one source, so studies that share a mapping share that."""
    first: dict[str, StudyHere] = {}
    for study in studies.values():
        other = first.setdefault(study.mapping, study)
        if other.source != study.source:
            raise SetupError(
                f"site.toml: studies.{other.slug} and studies.{study.slug} read different sources "
                f"with {study.mapping}; give one of them a mapping file of its own."
            )


def _consent(table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SetupError("site.toml: consent must be a table.")
    _check_keys(table, (), "site.toml: consent", (*PERIODS, NOTICE_DAYS))
    for key, years in table.items():
        if key in PERIODS and not is_period(years):
            raise SetupError(f"site.toml: consent.{key} must be a whole number of years, 1 to 100.")
    days = table.get(NOTICE_DAYS)
    if days is not None and (type(days) is not int or not 0 <= days <= MOST_NOTICE_DAYS):
        raise SetupError(
            f"site.toml: consent.{NOTICE_DAYS} must be a whole number, 0 to {MOST_NOTICE_DAYS}."
        )
    periods = Periods(**{key: table[key] for key in PERIODS if key in table})
    return {"periods": periods, NOTICE_DAYS: days}


def load_toml(data: bytes) -> dict[str, Any]:
    """The table in `data`. ValueError or RecursionError when it is not TOML, or too deep."""
    text = data.decode("utf-8")
    for line in _QUOTED.sub("", text).splitlines():
        # tomllib takes a time that grows with the square of the parts of a dotted name.
        if line.partition("#")[0].count(".") > MAX_DOTS:
            raise ValueError("a name of too many parts")
    return tomllib.loads(text)


def _study(slug: str, table: object) -> StudyHere:
    where = f"site.toml: studies.{slug}"
    if not isinstance(table, dict):
        raise SetupError(f"{where} must be a table.")
    _check_keys(table, _STUDY_KEYS, where, _STUDY_OPTIONS)
    if not isinstance(table["codebook"], str) or not table["codebook"]:
        raise SetupError(f"{where}.codebook must be a text such as 'gbsg/1'.")
    sha = table["codebook_sha256"]
    if not isinstance(sha, str) or not _SHA256.fullmatch(sha):
        raise SetupError(f"{where}.codebook_sha256 must be 64 hexadecimal digits.")
    requires = _names(table["requires"], f"{where}.requires", _ITEM)
    if not requires:
        raise SetupError(f"{where}.requires is empty; name the consent items that are needed.")
    for item in requires:
        if item not in ITEMS:
            # Nobody ever says yes to what is on no form: without this all would be left out unsaid.
            raise SetupError(
                f"{where}.requires names '{item[:60]}', which is no consent item. "
                f"{did_you_mean(item, ITEMS)}"
            )
    if only_messages(requires):
        raise SetupError(f"{where}.requires names messages only; name an item about data.")
    if table["approve"] not in ("committee", "here"):
        raise SetupError(f"{where}.approve must be 'committee' or 'here'.")
    mapping = table["mapping"]
    if not isinstance(mapping, str) or not _FILE_NAME.fullmatch(mapping):
        raise SetupError(f"{where}.mapping must be the name of a .yaml file in this directory.")
    return StudyHere(
        slug=slug,
        codebook=table["codebook"],
        codebook_sha256=sha,
        requires=requires,
        approve=table["approve"],
        kinds=_all_or_names(table["kinds"], f"{where}.kinds"),
        variables=_all_or_names(table["variables"], f"{where}.variables"),
        mapping=mapping,
        by_site=_by_site(table, where),
        result_key=table.get("result_key", ""),
        coverage=_coverage(table, where),
        source=_source(table, where),
    )


def _source(table: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
    found = table.get("source")
    if found is not None and not isinstance(found, dict):
        raise SetupError(f"{where}.source must be a table, as [source] is.")
    return found


def _coverage(table: Mapping[str, Any], where: str) -> Literal["tell", "none"]:
    found = table.get("coverage", "tell")
    if found not in ("tell", "none"):
        raise SetupError(f"{where}.coverage must be 'tell' or 'none'.")
    return "none" if found == "none" else "tell"


def _by_site(table: Mapping[str, Any], where: str) -> Literal["none", "sealed", "hub"]:
    way = table.get("by_site", "none")
    if way not in ("none", "sealed", "hub"):
        raise SetupError(f"{where}.by_site must be 'none', 'sealed' or 'hub'.")
    if (way == "sealed") != ("result_key" in table):
        raise SetupError(
            f"{where}.result_key is the study's public key for sealed results: give it when "
            "by_site is 'sealed', and only then."
        )
    if way == "sealed":
        try:
            check_result_key(table["result_key"])
        except ProtocolError as error:
            raise SetupError(
                f"{where}.result_key must be the key that 'oncokring result key' printed: 43 "
                "characters of base64url."
            ) from error
    found: Literal["none", "sealed", "hub"] = way
    return found


def _check_keys(
    table: Mapping[str, Any], known: Collection[str], where: str, optional: Collection[str] = ()
) -> None:
    for key in table:
        if key not in known and key not in optional:
            raise SetupError(f"{where}: unknown key '{key[:60]}'; remove it or correct its name.")
    for key in known:
        if key not in table:
            raise SetupError(f"{where}: the key '{key}' is missing; add it.")


def _names(value: object, where: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(name, str) and pattern.fullmatch(name) for name in value
    ):
        raise SetupError(f"{where} must be a list of names.")
    return tuple(value)


def _all_or_names(value: object, where: str) -> frozenset[str] | None:
    if value == ALL:
        return None
    if not isinstance(value, list):
        raise SetupError(f"{where} must be 'all' or a list of names.")
    return frozenset(_names(value, where, _ITEM))


def _public_key(value: object, where: str) -> str:
    try:
        if isinstance(value, str):
            verifying_key(value)
            return value
    except ProtocolError:
        pass
    raise SetupError(f"{where} must be a public key: 43 characters of base64url.")


def settings_text(settings: SiteSettings) -> str:
    """`settings` as the text of site.toml."""
    lines = [
        f"slug = {_toml(settings.slug)}",
        f"name = {_toml(settings.name)}",
        f"network = {_toml(settings.network)}",
        f"hub = {_toml(settings.hub_public)}",
        *_consent_lines(settings),
        "",
        "[source]",
        *(f"{_bare(key)} = {_toml(value)}" for key, value in settings.source.items()),
        "",
        "[studies]",
    ]
    for study in settings.studies.values():
        lines += [
            "",
            f"[studies.{_bare(study.slug)}]",
            f"codebook = {_toml(study.codebook)}",
            f"codebook_sha256 = {_toml(study.codebook_sha256)}",
            f"requires = {_toml(list(study.requires))}",
            f"approve = {_toml(study.approve)}",
            f"kinds = {_toml(ALL if study.kinds is None else sorted(study.kinds))}",
            f"variables = {_toml(ALL if study.variables is None else sorted(study.variables))}",
            f"mapping = {_toml(study.mapping)}",
            *([] if study.by_site == "none" else [f"by_site = {_toml(study.by_site)}"]),
            *([f"result_key = {_toml(study.result_key)}"] if study.result_key else []),
            *([] if study.coverage == "tell" else [f"coverage = {_toml(study.coverage)}"]),
            *_source_lines(study),
        ]
    return "\n".join(lines) + "\n"


def _source_lines(study: StudyHere) -> list[str]:
    if study.source is None:
        return []
    lines = [f"{_bare(key)} = {_toml(value)}" for key, value in study.source.items()]
    return ["", f"[studies.{_bare(study.slug)}.source]", *lines]


def _consent_lines(settings: SiteSettings) -> list[str]:
    lines = []
    if settings.periods != AS_DESIGNED:
        lines = [f"{name} = {getattr(settings.periods, name)}" for name in PERIODS]
    if settings.notice_days is not None:
        lines.append(f"{NOTICE_DAYS} = {settings.notice_days}")
    return ["", "[consent]", *lines] if lines else []


def _bare(key: str) -> str:
    return key if _BARE.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    if isinstance(value, str):
        # A JSON text is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_bare(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    raise SetupError("site.toml: source can hold texts, numbers, true, false, lists and tables.")


def read_peers(path: Path) -> dict[str, PublicIdentity]:
    """The pinned public identities in peers.json, this site included. SetupError when wrong."""
    try:
        return parse_peers(read_small(path / PEERS_FILE))
    except OSError as error:
        raise SetupError("peers.json is missing; put the network's list of sites there.") from error


def parse_peers(data: bytes) -> dict[str, PublicIdentity]:
    """Public identities from a list of sites: site -> {sign, box}. SetupError when wrong."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SetupError("peers.json is not a JSON file in UTF-8; correct it.") from error
    if not isinstance(value, dict):
        raise SetupError("peers.json must be an object: site -> {sign, box}.")
    peers = {}
    for slug, keys in value.items():
        check_slug(slug, "peers.json: the name of a site")
        if not isinstance(keys, dict) or set(keys) != {"sign", "box"}:
            raise SetupError(f"peers.json: {slug} must have exactly the keys sign and box.")
        peers[slug] = PublicIdentity(
            slug,
            _public_key(keys["sign"], f"peers.json: {slug}.sign"),
            _public_key(keys["box"], f"peers.json: {slug}.box"),
        )
    signing = [peer.sign for peer in peers.values()]
    if len(set(signing)) != len(signing):
        raise SetupError("peers.json: two sites have the same signing key; correct one.")
    return peers


def write_peers(path: Path, peers: Mapping[str, PublicIdentity]) -> None:
    """Pin these sites in peers.json of the site directory `path`, replacing what was there."""
    text = json.dumps({slug: peers[slug].to_dict() for slug in sorted(peers)}, indent=2)
    draft = path / (PEERS_FILE + ".new")
    draft.write_text(text + "\n", "utf-8")
    draft.replace(path / PEERS_FILE)
