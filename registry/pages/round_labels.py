"""What the hospitals of a round are called for this reader: by letter, by name where the round
agreed to names, and the reader's own always by name.

Rows stand in the order of the letters, which were given at random: no order on a page of a round
says anything about results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.translate import translate as _

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Places:
    """The hospitals of one view (federation/rounds/view.py), by the key that its rows carry."""

    hospitals: tuple[Row, ...]

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Places:
        """The hospitals of a view, in the order of their letters."""
        found = sorted(view.get("hospitals") or (), key=lambda h: _order(str(h.get("letter"))))
        return cls(tuple(found))

    def letter(self, site: str) -> str:
        """The letter of a hospital in this round."""
        return str((self._find(site) or {}).get("letter") or site)

    def label(self, site: str) -> str:
        """`C. Catharina Ziekenhuis`, or `Hospital C`."""
        found = self._find(site) or {}
        if found.get("name"):
            return f"{self.letter(site)}. {found['name']}"
        return _("Hospital %(letter)s", letter=self.letter(site))

    def name(self, site: str) -> str:
        """The name inside a sentence, or `hospital C`."""
        found = self._find(site) or {}
        return str(found.get("name") or _("hospital %(letter)s", letter=self.letter(site)))

    def own(self, site: str) -> bool:
        """Whether it is the reader's own hospital."""
        return bool((self._find(site) or {}).get("own"))

    @property
    def ours(self) -> tuple[Row, ...]:
        """The reader's own hospitals in this round."""
        return tuple(h for h in self.hospitals if h.get("own"))

    def ordered(self, rows: Iterable[Row]) -> list[Row]:
        """Rows in the order of their hospitals' letters."""
        return sorted(rows, key=lambda row: _order(self.letter(str(row["site"]))))

    def _find(self, site: str) -> Row | None:
        return next((h for h in self.hospitals if h["site"] == site), None)


def _order(letter: str) -> tuple[int, str]:
    """A to Z before AA."""
    return len(letter), letter
