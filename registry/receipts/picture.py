"""The QR code of a receipt as SVG: the receipt's id and the hash of what it says, nothing else."""

from __future__ import annotations

import qrcode
from markupsafe import Markup

_EDGE = 4


def qr_svg(text: str, title: str) -> Markup:
    """One SVG path; `title` is what a screen reader says."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=0)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    side = len(rows) + 2 * _EDGE
    squares = "".join(
        f"M{x + _EDGE} {y + _EDGE}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, dark in enumerate(row)
        if dark
    )
    return Markup(
        '<svg class="qr" viewBox="0 0 {0} {0}" width="132" height="132" role="img" '
        'aria-label="{1}" shape-rendering="crispEdges"><rect width="{0}" height="{0}" '
        'fill="#fff"/><path d="{2}" fill="#000"/></svg>'
    ).format(side, title, squares)
