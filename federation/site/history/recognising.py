"""What this hospital recognises: sets of all answers it took part in, by definition and mark."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
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

Definitions = Mapping[str, NDArray[np.uint8]]
"""Who of the invented patients is in each set of a run, by label."""

_RUNS_IN_MEMORY = 64


class Recognising:
    """Recognises sets of one run at a time; what is kept of it counts for the next ones."""

    def __init__(self, database: sqlite3.Connection, marking: Marking) -> None:
        self._database = database
        self._marking = marking
        self._known = {whole: Recognition(SIZE) for whole in (False, True)}
        self._last = dict.fromkeys(self._known, 0)
        # Of the runs asked about last: a run that became an answer meanwhile is taken in by these.
        self._defined: OrderedDict[str, Definitions] = OrderedDict()

    def recognises(
        self,
        run: str,
        method: Method,
        ask: Ask,
        marks: Mapping[str, Mark],
        *,
        whole: bool = False,
    ) -> Collection[str]:
        """The labels of those of these sets that earlier answers make up at all hospitals alike.
        `whole`: they are sets of all hospitals, and so may be those of earlier answers.

        The first of `marks` is the analysis set. Another set may also be made up of that one and
        earlier answers: the number of one tells the number of the other, and the analysis set is
        judged by itself. So the women follow from everybody, who are new, and the men of before.
        """
        self._catch_up(whole)
        known = self._known[whole]
        defined = self._definitions(run, method, ask)
        labels = list(marks)
        vectors = np.array([_vector(defined[label], marks[label]) for label in labels], np.uint8)
        told = known.recognises(vectors)
        left = known.rest(vectors)
        analysis = Recognition(SIZE)
        analysis.add(left[:1])
        told[1:] = map(or_, told[1:], analysis.recognises(left[1:]))
        return {label for label, is_told in zip(labels, told, strict=True) if is_told}

    def _definitions(self, run: str, method: Method, ask: Ask) -> Definitions:
        found = self._defined.pop(run, None)
        if found is None:
            found = _definitions_of(method, ask)
        while len(self._defined) >= _RUNS_IN_MEMORY:
            self._defined.popitem(last=False)
        self._defined[run] = found
        return found

    def _catch_up(self, whole: bool) -> None:
        """Take in what was answered since, also by a process before this one."""
        last, runs = self._marking.since(self._last[whole], whole=whole)
        for run, marks in runs.items():
            defined = self._defined_in(run)
            vectors = [_vector(defined[label], m) for label, m in marks if label in defined]
            if vectors:
                self._known[whole].add(np.array(vectors, np.uint8))
        self._last[whole] = last

    def _defined_in(self, run: str) -> Definitions:
        """The definitions of an earlier run's sets; none when this program cannot read the question
        any more: then its sets are recognised no more, which hides rather than shows."""
        if (found := self._defined.get(run)) is not None:
            return found
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
            return _definitions_of(KINDS[query.kind], ask)
        except ValueError:
            return {}


def _definitions_of(method: Method, ask: Ask) -> Definitions:
    labels = (*set_labels(method, ask), COHORT)
    return dict(zip(labels, definitions(method, ask), strict=True))


def _vector(defined: NDArray[np.uint8], mark: Mark) -> NDArray[np.uint8]:
    return np.concatenate((defined, np.array(mark, np.uint8)))
