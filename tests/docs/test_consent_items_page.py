"""docs/reference/consent-items.md is made from the catalogue and equals it.

Write it anew by running this file with ONCOKRING_WRITE_GOLDEN=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from consent.catalogue import Item
from consent.items import CATALOGUE, GROUPS, ITEMS
from consent.texts import check_content
from studies.seeds.hormone_therapy_text import CONTENT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "consent-items.md"
EXAMPLE = ROOT / "docs" / "examples" / "text-for-patients.yaml"
HEAD = """# What a patient can say yes or no to

Made from `consent/catalogue.yaml`, version {version} (SHA-256 `{sha256}`),
and compared with it in each test run. A changed word needs a new version number.

- **regime** `consent`: only a yes opens. `objection`: a denial that closes the route without
  asking. `pointer`: explains where to go; this registry does not carry it out. `optout_mirror`: a
  copy of a national choice, read only. A text for patients asks about items of the regime `consent`
  only.
- **rests on**: a withdrawn item closes everything that rests on it.
- **own screen**: asked alone, and never filled in by “yes to the basic questions”.
- **message**: allows messages only, never the use of data.
- **sign-in**: the lowest way of signing in for a yes; a network may ask for more.
- **DUO**: label of a data set when it was granted (`+`), when it was not (`-`), and the label that
  a granted one takes the place of (`instead of`). Never per patient.
- **DPV**: purposes of the Data Privacy Vocabulary.
"""


def text() -> str:
    parts = [HEAD.format(version=CATALOGUE.version, sha256=CATALOGUE.sha256)]
    for group in GROUPS.values():
        parts.append(f"\n## {group.label('en')} (`{group.code}`, {group.label('nl')})\n")
        parts += [row(item) for item in ITEMS.values() if item.group == group.code]
    return "".join(parts)


def row(item: Item) -> str:
    facts = [
        f"regime `{item.regime}`",
        *([f"rests on {codes(item.parents)}"] if item.parents else []),
        *(["own screen"] if item.own_screen else []),
        *(["message"] if item.contact else []),
        f"category `{item.category}`",
        f"sign-in `{item.level}`",
        *duo(item),
        f"DPV {codes(item.purposes)}",
    ]
    return (
        f"\n### `{item.code}`\n\n"
        f"**{item.label('en')}.** {item.text('en')}\n\n"
        f"**{item.label('nl')}.** {item.text('nl')}\n\n"
        f"{' · '.join(facts)}\n"
    )


def duo(item: Item) -> list[str]:
    said = [f"+`{code}`" for code in item.duo_granted]
    said += [f"-`{code}`" for code in item.duo_refused]
    said += [f"instead of `{code}`" for code in item.duo_replaces]
    return [f"DUO {' '.join(said)}"] if said else []


def codes(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def test_the_page_is_the_catalogue() -> None:
    if os.environ.get("ONCOKRING_WRITE_GOLDEN") == "1":
        PAGE.write_text(text(), "utf-8")
    assert PAGE.read_text("utf-8") == text()


def test_the_example_is_the_text_of_the_demo() -> None:
    shown = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    check_content(shown)
    assert shown == dict(CONTENT)
