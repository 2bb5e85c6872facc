"""Dates in forms: a day as the browser sends it, or as people here write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from registry.translate import translate as _
from studies.exchange.importing import read_day


@dataclass
class Days:
    """The days of a form; `errors` collects a sentence for each that cannot be read."""

    form: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def given(self, name: str) -> date | None:
        """The day in a field that may stay empty."""
        text = self.form.get(name, "")
        if not text.strip():
            return None
        found = read_day(text)
        if found is None:
            self.errors[name] = _("Write the day as 23-11-2026")
        return found

    def needed(self, name: str) -> date | None:
        """The day in a field that must be filled."""
        if not self.form.get(name, "").strip():
            self.errors[name] = _("Fill in a day")
            return None
        return self.given(name)

    def typed(self, name: str) -> str:
        """What was typed, to show it again."""
        return self.form.get(name, "")[:40]
