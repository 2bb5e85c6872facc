"""Which patients this hospital has, as handles."""

from collections.abc import Collection, Mapping

import numpy as np

from federation.site.choices.pseudonyms import Handles
from federation.site.data.columns import local_ids
from federation.site.directory import SiteDirectory


def list_handles(directory: SiteDirectory) -> Handles:
    """The handle of every patient in the hospital's data, sorted, each once. Raises DataError."""
    numbers = {
        number
        for mapped in directory.mappings.values()
        for block in local_ids(mapped)
        for number in block
        if number
    }
    return np.unique(directory.handles.handles(sorted(numbers)))


def is_known(directory: SiteDirectory, local_id: str) -> bool:
    """Whether a patient in the data has this local number. Raises DataError."""
    wanted = local_id.strip()
    return wanted != "" and any(
        wanted in block for mapped in directory.mappings.values() for block in local_ids(mapped)
    )


def unknown_numbers(directory: SiteDirectory, wanted: Collection[str]) -> set[str]:
    """Which of these local numbers no patient in the data has. Raises DataError."""
    left = set(wanted)
    for mapped in directory.mappings.values():
        for block in local_ids(mapped):
            left.difference_update(block)
    return left


def numbers_of(directory: SiteDirectory, handles: Collection[bytes]) -> Mapping[bytes, str]:
    """The local numbers behind these handles, as far as the data hold them. Raises DataError."""
    found: dict[bytes, str] = {}
    for mapped in directory.mappings.values():
        for block in local_ids(mapped):
            for number in block:
                handle = directory.handles.handle(number)
                if handle in handles:
                    found[handle] = number
    return found
