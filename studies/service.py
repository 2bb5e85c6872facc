"""The commands and questions of the studies package, in one place for its callers.

Each takes a Session, may flush, never commits. A command says who (`actor`) and when (`now`) and
announces what it did (studies/events.py). Refusals are StudiesError with a stable code.
"""

from studies.hospitals.moving import correct, decline, invite, move, take_over, take_over_step
from studies.nodes import enrol_node, note_node
from studies.phones import set_phone
from studies.reading import (
    get_participation,
    get_study,
    list_groups,
    list_institutions,
    list_networks,
    list_nodes,
    list_studies,
    open_sites,
)
from studies.releasing import choose_delivery, tighten_terms
from studies.seeds.loading import load_network, shipped_codebook
from studies.taking_part import create_study, move_study

__all__ = [
    "choose_delivery",
    "correct",
    "create_study",
    "decline",
    "enrol_node",
    "get_participation",
    "get_study",
    "invite",
    "list_groups",
    "list_institutions",
    "list_networks",
    "list_nodes",
    "list_studies",
    "load_network",
    "move",
    "move_study",
    "note_node",
    "open_sites",
    "set_phone",
    "shipped_codebook",
    "take_over",
    "take_over_step",
    "tighten_terms",
]
