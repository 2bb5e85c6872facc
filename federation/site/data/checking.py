"""The report of every mapping of a site against the codebook that was agreed."""

from pathlib import Path

from federation.query.codebook import Codebook
from federation.site.data.report import DataReport, check_data
from federation.site.directory import SiteDirectory, kept_codebook
from federation.site.errors import SetupError


def reports(path: Path, instead: Codebook | None = None) -> list[DataReport]:
    """One report per mapping and codebook of the site in `path`; `instead`: of the agreed ones."""
    directory = SiteDirectory.load(path)
    books: dict[tuple[str, str], tuple[Codebook, list[str]]] = {}
    for study in directory.settings.studies.values():
        book = instead or kept_codebook(path, study)
        if book is None:
            raise SetupError(f"the codebook of {study.slug} is not kept here; give --codebook.")
        books.setdefault((study.mapping, book.sha256), (book, []))[1].append(study.slug)
    return [
        check_data(directory, book, directory.mappings[mapping], mapping, studies)
        for (mapping, _), (book, studies) in books.items()
    ]
