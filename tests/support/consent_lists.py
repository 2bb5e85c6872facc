"""The signed state of consent of a test network: everybody agrees but who withdrew."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from consent.snapshot import build_claims
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SNAPSHOT, sign
from federation.site.agreeing import all_agree
from federation.site.choices.handles import list_handles
from federation.site.directory import SiteDirectory
from federation.site.step_message import HUB

VALID = timedelta(hours=1)


def consent_list(
    site: SiteDirectory,
    hub: SigningKey,
    *,
    network: str,
    seq: int,
    studies: Iterable[str],
    requires: Sequence[str],
    withdrawn: Collection[str],
    issued: datetime,
    now: datetime,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    """A snapshot for one site, with letters made at that site to prove each yes. more: claims
    that replace others."""
    handles = list_handles(site)
    gone = {site.handles.handle(number) for number in withdrawn}
    granted = np.array([handle.tobytes() not in gone for handle in handles.reshape(-1, 1)], bool)
    columns = [(study, item) for study in studies for item in requires]
    claims = build_claims(
        network=network,
        seq=seq,
        issued=issued,
        valid_until=issued + VALID,
        columns=columns,
        handles=handles,
        granted=[granted] * len(columns),
        evidence=all_agree(
            site.path,
            network=network,
            slug=site.slug,
            handles=handles,
            columns=columns,
            granted=granted,
            at=issued,
        ),
    )
    return sign(
        TYP_SNAPSHOT,
        {**claims, **(more or {})},
        hub,
        issuer=HUB,
        audience=site.slug,
        now=now,
        lifetime=VALID,
    )
