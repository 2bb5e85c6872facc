"""What this hospital recognises: sets of all answers it took part in, by definition and mark."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from operator import or_

import numpy as np
from numpy.typing import NDArray

from federation.disclosure.looking import COHORT
from federation.disclosure.marks import Mark
from federation.disclosure.recognition import Recognition
from federation.methods.base import Ask, Method
from federation.methods.labels import set_labels
from federation.methods.registry import KINDS, parse
from federation.methods.universe import SIZE, definitions
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.site.history.marking import Marking


class Recognising:
    """Recognises sets of one run at a time; what is kept of it counts for the next ones."""

    def __init__(self, database: sqlite3.Connection, marking: Marking) -> None:
        self._database = database
        self._marking = marking
        self._known = Recognition(SIZE)
        self._last = 0
        self._current: tuple[str, dict[str, NDArray[np.uint8]]] = ("", {})

    def recognises(
        self, run: str, method: Method, ask: Ask, marks: Mapping[str, Mark]
    ) -> Collection[str]:
        """The labels of those of these sets that earlier answers make up at all hospitals alike.

        The first of `marks` is the analysis set. Another set may also be made up of that one and
        earlier answers: the number of one tells the number of the other, and the analysis set is
        judged by itself. So the women follow from everybody, who are new, and the men of before.
        """
        self._catch_up()
        defined = self._definitions(run, method, ask)
        labels = list(marks)
        vectors = np.array([_vector(defined[label], marks[label]) for label in labels], np.uint8)
        told = self._known.recognises(vectors)
        left = self._known.rest(vectors)
        analysis = Recognition(SIZE)
        analysis.add(left[:1])
        told[1:] = map(or_, told[1:], analysis.recognises(left[1:]))
        return {label for label, is_told in zip(labels, told, strict=True) if is_told}

    def _definitions(self, run: str, method: Method, ask: Ask) -> dict[str, NDArray[np.uint8]]:
        if self._current[0] != run:
            labels = (*set_labels(method, ask), COHORT)
            found = definitions(method, ask)
            self._current = (run, dict(zip(labels, found, strict=True)))
        return self._current[1]

    def _catch_up(self) -> None:
        """Take in what was answered since, also by a process before this one."""
        last, runs = self._marking.since(self._last)
        for run, marks in runs.items():
            defined = self._defined_in(run)
            vectors = [_vector(defined[label], m) for label, m in marks.items() if label in defined]
            if vectors:
                self._known.add(np.array(vectors, np.uint8))
        self._last = last

    def _defined_in(self, run: str) -> dict[str, NDArray[np.uint8]]:
        """The definitions of an earlier run's sets; none when this program cannot read the question
        any more: then its sets are recognised no more, which hides rather than shows."""
        if self._current[0] == run:
            return self._current[1]
        kept = self._database.execute(
            "SELECT question.query, codebook.content, run_asked.terms FROM run_asked"
            " JOIN question USING (query_sha256)"
            " JOIN codebook ON codebook.sha256 = question.codebook_sha256 WHERE run = ?",
            (run,),
        ).fetchone()
        if kept is None:
            return {}
        try:
            book = Codebook.from_dict(json.loads(kept[1]))
            query = parse(json.loads(kept[0]), book)
            ask = Ask(query, book.at(query.unit), Terms.from_dict(json.loads(kept[2])))
            method = KINDS[query.kind]
            labels = (*set_labels(method, ask), COHORT)
            return dict(zip(labels, definitions(method, ask), strict=True))
        except ValueError:
            return {}


def _vector(defined: NDArray[np.uint8], mark: Mark) -> NDArray[np.uint8]:
    return np.concatenate((defined, np.array(mark, np.uint8)))
