"""What the doctor says of a stock vantage6 node that runs our algorithm image."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from federation.carriage.wire import IMAGE
from federation.site.vantage6.doctor import BAD, GOOD, WARN, Finding, read_yaml

LABEL = "oncokring"


def look_at(path: Path, config: Path) -> Iterator[Finding]:
    """What to change in the node's configuration `config` for the site in `path`."""
    table = read_yaml(config)
    policies = _table(table, "policies")
    yield (
        Finding("SHARE_LOGS", GOOD, "Logs of algorithms stay in the hospital.")
        if table.get("share_algorithm_logs", True) is False
        else Finding(
            "SHARE_LOGS",
            BAD,
            "The node sends the logs of algorithms to the server, in the clear.",
            "Set in the node's configuration: share_algorithm_logs: false",
        )
    )
    encryption = _table(table, "encryption")
    yield (
        Finding("ENCRYPTION", GOOD, "The node encrypts.")
        if encryption.get("enabled") is True
        else Finding(
            "ENCRYPTION",
            BAD,
            "The node does not encrypt: everybody on the server may read what passes.",
            "Set in the node's configuration: encryption: {enabled: true, private_key: …}",
        )
    )
    yield from _algorithms(policies, table)
    if not policies.get("allowed_organizations"):
        yield Finding(
            "ALLOWED_ORGANIZATIONS",
            WARN,
            "Every organisation of the collaboration may start the algorithm.",
            "Set policies: allowed_organizations to the number of the hub's organisation, as a "
            'text ("3"); a name stops the node (vantage6 4.15).',
        )
    elif not all(str(each).isdigit() for each in policies["allowed_organizations"]):
        yield Finding(
            "ALLOWED_ORGANIZATIONS",
            BAD,
            "The node crashes on the name of an organisation (vantage6 4.15).",
            'Give its number, as a text ("3").',
        )
    yield _way_in(path, table)


def _algorithms(policies: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Finding]:
    allowed = policies.get("allowed_algorithms") or []
    allowed = [allowed] if isinstance(allowed, str) else allowed
    if not allowed:
        yield Finding(
            "ALLOWED_ALGORITHMS",
            BAD,
            "The node runs any image that anybody sends.",
            f"Set policies: allowed_algorithms: ['^{re.escape(IMAGE)}$']",
        )
        return
    if not any(_matches(str(each)) for each in allowed):
        yield Finding(
            "ALLOWED_ALGORITHMS",
            BAD,
            f"The node does not allow {IMAGE}.",
            f"Add to policies: allowed_algorithms: '^{re.escape(IMAGE)}$'",
        )
    elif len(allowed) > 1 and not table.get("docker_services"):
        yield Finding(
            "ALLOWED_ALGORITHMS",
            WARN,
            "Other algorithms run on this node, and every one of them can open the folder of this "
            "site, its keys too.",
            "Use oncokring site link with docker_services, or give this site a node of its own.",
        )
    else:
        yield Finding("ALLOWED_ALGORITHMS", GOOD, f"The node allows {IMAGE}.")
    if policies.get("allow_basics_algorithm", True):
        yield Finding(
            "BASICS",
            WARN,
            "The node also runs vantage6's own basics image.",
            "Set policies: allow_basics_algorithm: false",
        )


def _way_in(path: Path, table: Mapping[str, Any]) -> Finding:
    if table.get("docker_services") and "ONCOKRING_LINK" in _table(table, "algorithm_env"):
        return Finding("WAY_IN", GOOD, "Messages go to oncokring site link.")
    databases = table.get("databases")
    for each in databases if isinstance(databases, list) else []:
        if isinstance(each, dict) and each.get("label") == LABEL:
            same = Path(str(each.get("uri"))).resolve() == path.resolve()
            read_only = each.get("mount_mode") == "ro"
            if same and not read_only:
                return Finding("WAY_IN", GOOD, "The site's directory is mounted in the container.")
            return Finding(
                "WAY_IN",
                BAD,
                f"The database '{LABEL}' is not this site's directory, or is read-only.",
                f"Set its uri to {path.resolve()} and leave mount_mode out.",
            )
    return Finding(
        "WAY_IN",
        BAD,
        "The algorithm cannot reach the site.",
        f"Add under databases: {{label: {LABEL}, type: other, uri: {path.resolve()}}}, or use "
        "oncokring site link with docker_services and algorithm_env: ONCOKRING_LINK.",
    )


def _matches(pattern: str) -> bool:
    try:
        return pattern in (IMAGE, IMAGE.partition(":")[0]) or bool(re.match(pattern, IMAGE))
    except re.error:
        return False


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}
