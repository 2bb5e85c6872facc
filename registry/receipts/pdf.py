"""A receipt as tagged PDF (PDF/UA-1), where WeasyPrint is installed (extra `pdf`)."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import registry

STATIC = Path(registry.__file__).parent / "static"
SHEET = STATIC / "css" / "receipt-paper.css"


@cache
def available() -> bool:
    """Whether this hub can make PDF: the library, and the drawing libraries of the system."""
    if find_spec("weasyprint") is None:
        return False
    try:
        import weasyprint  # noqa: F401
    except OSError:  # Pango is missing on this machine
        return False
    return True


def make(html: str) -> bytes:
    """The page as PDF, with tags, language and title. It can fetch our own static files only."""
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

    class OurFiles(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            if not url.startswith(STATIC.as_uri() + "/") or ".." in url:
                raise ValueError("not a file of ours")
            return super().fetch(url, headers)

    fetcher = OurFiles(allowed_protocols={"file"}, allow_redirects=False)
    page = weasyprint.HTML(string=html, base_url=SHEET.as_uri(), url_fetcher=fetcher)
    fonts = FontConfiguration()
    sheet = weasyprint.CSS(filename=str(SHEET), url_fetcher=fetcher, font_config=fonts)
    made: bytes = page.write_pdf(stylesheets=[sheet], font_config=fonts, pdf_variant="pdf/ua-1")
    return made
