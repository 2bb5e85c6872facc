"""What one hospital gets to connect: a file for its program and a page for its people.

The node's key is in both, shown once and kept nowhere at the hub.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.vantage6.keys import spoken


@dataclass(frozen=True)
class Invitation:
    """One hospital's place on the vantage6 server."""

    slug: str
    name: str
    url: str
    collaboration: int
    organization: int
    hub_organization: int
    encrypted: bool
    hub_key_sha256: str
    api_key: str = field(repr=False)
    ca: str = ""  # PEM of the authority of the server's certificate, when it is a private one

    def to_dict(self) -> dict[str, Any]:
        """The file that `oncokring site join` reads."""
        return {
            "slug": self.slug,
            "url": self.url,
            "collaboration": self.collaboration,
            "organization": self.organization,
            "hub_organization": self.hub_organization,
            "encrypted": self.encrypted,
            "hub_key_sha256": self.hub_key_sha256,
            "api_key": self.api_key,
            **({"ca": self.ca} if self.ca else {}),
        }

    def page(self, language: str) -> str:
        """The instruction for the hospital in "nl" or "en", one page of plain text."""
        parts = urlsplit(self.url)
        title = _TITLES[language].format(name=self.name)
        return _PAGES[language].format(
            title=title,
            line="=" * len(title),
            slug=self.slug,
            url=self.url,
            host=parts.hostname,
            port=parts.port or (443 if parts.scheme == "https" else 80),
            hub_key=spoken(self.hub_key_sha256) if self.encrypted else "-",
            file=json.dumps(self.to_dict(), indent=1),
        )

    def write(self, folder: Path, language: str) -> tuple[Path, Path]:
        """Write both as SLUG.json and SLUG.txt, readable for their owner only."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        texts: Mapping[str, str] = {
            ".json": json.dumps(self.to_dict(), indent=1) + "\n",
            ".txt": self.page(language),
        }
        for ending, text in texts.items():
            path = folder / (self.slug + ending)
            path.unlink(missing_ok=True)  # an older file may be readable for others
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                file.write(text)
        return folder / f"{self.slug}.json", folder / f"{self.slug}.txt"


_TITLES = {"nl": "{name}: aansluiten op het netwerk", "en": "{name}: connect to the network"}
_PAGES: Mapping[str, str] = {
    "nl": """\
{title}
{line}

Wat u nodig heeft: de map van uw site-programma (gemaakt met 'oncokring site init') en een
machine die naar buiten mag naar één adres: {host}, poort {port}. Verder niets: geen poort naar
binnen, geen Docker.

1. Zet het bestand {slug}.json bij de map van uw site-programma, alleen leesbaar voor u:
     chmod 600 {slug}.json
2. Vergelijk de sleutel van de hub per telefoon met het netwerkbureau, vóór stap 3:
     {hub_key}
3. Sluit aan:
     oncokring site join {slug} {slug}.json
   Dit maakt een sleutel van uw ziekenhuis. Stuur {slug}/keys/vantage6.pub naar het
   netwerkbureau, en lees het getal dat u ziet voor per telefoon.
4. Controleer de verbinding:
     oncokring site doctor {slug}
5. Laat het programma lopen, als dienst:
     oncokring site connect {slug}
6. Gooi {slug}.json weg. De sleutel van uw knooppunt staat er leesbaar in.

Ziet iemand anders dit bestand? Meld het het netwerkbureau. Dat maakt een nieuwe sleutel, en de oude
werkt dan niet meer. Met deze sleutel kan niemand bij uw gegevens: uw eigen programma controleert
elke vraag.

Inhoud van {slug}.json:
{file}
""",
    "en": """\
{title}
{line}

What you need: the directory of your site program (made with 'oncokring site init') and a machine
that may go out to one address: {host}, port {port}. Nothing else: no inbound port, no Docker.

1. Put the file {slug}.json beside the directory of your site program, readable for you only:
     chmod 600 {slug}.json
2. Compare the hub's key with the network office by phone, before step 3:
     {hub_key}
3. Join:
     oncokring site join {slug} {slug}.json
   This makes your hospital's own key. Send {slug}/keys/vantage6.pub to the network office, and read
   the number that you see to them by phone.
4. Check the connection:
     oncokring site doctor {slug}
5. Let the program run, as a service:
     oncokring site connect {slug}
6. Throw {slug}.json away. The key of your node can be read in it.

Has somebody else seen this file? Tell the network office. It makes a new key, and the old one works
no longer. Nobody can reach your data with this key: your own program checks every question.

What {slug}.json holds:
{file}
""",
}
