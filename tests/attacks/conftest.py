"""The 41 attacks of disclosure.md section 6, on ten real site processes."""

from net10 import net10, net10_of

__all__ = ["net10", "net10_of"]
