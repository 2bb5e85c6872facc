"""The name of a text a patient read: a hash of its words, which nobody can give another text. Pure.

A hospital finds by it what was asked, without believing the hub.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any


def content_id(study: str, content: Mapping[str, Any]) -> str:
    """The id of a text: SHA-256 over the canonical JSON of study and content."""
    # As `studies.base.canonical_json`, which a hospital's program does not have.
    document = json.dumps(
        {"study": study, "content": dict(content)},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return sha256(document.encode("utf-8")).hexdigest()
