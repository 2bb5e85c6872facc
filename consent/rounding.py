"""Numbers of patients who chose, as others may see them: to the nearest ten, none below ten."""

from typing import Final

ROUND_TO: Final = 10
LEAST: Final = 10


def rounded(count: int | None) -> int | None:
    """To the nearest ten, halves up; None below ten, also for none."""
    if count is None or count < LEAST:
        return None
    return (count + ROUND_TO // 2) // ROUND_TO * ROUND_TO
