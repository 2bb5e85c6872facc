"""Of which time the data of each patient may be, by this hospital's own books (consent.md 3.4).

The same as `consent.rule.window`, from proofs. Older data count when everyone who is needed said
yes to them, or when nobody asked: what a text asks is read from the text itself, whose hash stands
in what the patient signed. A "no" to new data ends the time until everyone says yes to it again. So
does a yes that was not renewed in time; the clock that says so is this hospital's own.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from consent.items import ITEMS, with_parents
from consent.rule import ALONE, ANY, COLLECT_NEW, OLDER_DATA
from consent.snapshot import NO_END, NO_START, Mask, Snapshot, Windows
from federation.site.choices.proofs import NEVER
from federation.site.choices.voices import Agreed, Moments, Voices, with_own

NewData = Sequence[tuple[bytes, str, int, bool]]
"""Every "no" to new data: handle, study, milliseconds, and whether it was the patient in person."""


def windows(
    snapshot: Snapshot,
    agreed: Sequence[Agreed],
    voices: Voices,
    place: Mapping[bytes, int],
    denied: Mapping[tuple[bytes, str, str], int],
    new_data: NewData,
) -> Windows:
    """The windows of a snapshot of which the bits are proved.

    agreed: per column who agrees, and of which time. denied: every newest "no" that is known here.
    """
    since: list[NDArray[np.int64]] = []
    until: list[NDArray[np.int64]] = []
    by_study: dict[str, tuple[Mask, Moments, Moments]] = {}
    for column, (study, _) in enumerate(snapshot.columns):
        if study not in by_study:
            limited = _asked(study, voices, place, denied) & ~_older_agreed(snapshot, study)
            by_study[study] = (limited, *_new_data(study, voices, place, new_data))
        limited, end, again = by_study[study]
        start = np.maximum(agreed[column].since, again)
        since.append(np.where(limited, start, NO_START))
        # Only once it has passed: an end that is still to come says nothing of data without a day.
        renewed = agreed[column].newest + voices.renewal
        until.append(np.where(renewed <= voices.at, np.minimum(end, renewed), end))
    number = {column: place for place, column in enumerate(snapshot.columns)}
    first, last = [], []
    for column, (study, item) in enumerate(snapshot.columns):
        # What rests on another item counts with no more than that one does.
        parents = with_parents([item]) if item in ITEMS else ()
        above = [number[study, code] for code in parents if (study, code) in number]
        first.append(np.maximum.reduce([since[each] for each in (column, *above)]))
        last.append(np.minimum.reduce([until[each] for each in (column, *above)]))
    return Windows(tuple(first), tuple(last), voices.changes_at)


def _older_agreed(snapshot: Snapshot, study: str) -> Mask:
    """Who said yes to older data, as the hub says too."""
    for column, name in enumerate(snapshot.columns):
        if name == (study, OLDER_DATA):
            return snapshot.granted[column]
    return np.zeros(len(snapshot.handles), np.bool_)


def _asked(
    study: str,
    voices: Voices,
    place: Mapping[bytes, int],
    denied: Mapping[tuple[bytes, str, str], int],
) -> Mask:
    """Who was asked about older data: by a text they agreed on, or by an answer they gave."""
    asked = np.zeros(voices.patients, np.bool_)
    for handle, of_study, item in denied:
        if item == OLDER_DATA and of_study in (study, ANY) and handle in place:
            asked[place[handle]] = True
    evidence, acts = voices.evidence, voices.evidence.acts
    if study not in evidence.studies:
        return asked
    # Of a text that did not come along nobody here knows what it asks.
    asks = [OLDER_DATA in evidence.asked.get(text, {OLDER_DATA}) for text in evidence.texts]
    asking = np.array(asks, np.bool_)
    here = (acts["study"] == evidence.studies.index(study)) & (voices.heard != NEVER)
    asked[acts["handle"][here & asking[acts["text"]]]] = True
    return asked


def _new_data(
    study: str, voices: Voices, place: Mapping[bytes, int], new_data: NewData
) -> tuple[Moments, Moments]:
    """Per patient the first "no" to new data that was not answered, and since when new data are
    allowed again."""
    end = np.full(voices.patients, NO_END, np.int64)
    again = np.full(voices.patients, NO_START, np.int64)
    noes: dict[int, list[tuple[int, bool]]] = {}
    for handle, of_study, at, own in new_data:
        if of_study in (study, ANY) and handle in place:
            noes.setdefault(place[handle], []).append((at, own))
    spoken = voices.last_words(study, COLLECT_NEW) if noes else {}
    for patient, said in noes.items():
        own = any(in_person for _, in_person in said)
        wanted = with_own(voices.several.get(patient, ALONE), own)
        words = {p: at for p, at in spoken.get(patient, {}).items() if p in wanted}
        # What the last one to say yes again had not heard of is unanswered.
        heard = min(words.values()) if wanted and wanted <= words.keys() else NO_START
        unanswered = [at for at, _ in said if at >= heard]
        end[patient] = min(unanswered, default=NO_END)
        if len(unanswered) < len(said):
            again[patient] = max(words.values())
    return end, again
