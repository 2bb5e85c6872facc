"""The commands and questions of the consent package, in one place for its callers.

Each takes a Session, may flush, never commits. Each raises ConsentError with a stable code. A
command announces what it did (studies/events.py).
"""

from consent.acts import Circumstances, Said
from consent.at_once import Form, record_at_once
from consent.list_due import Standing, latest_snapshot, required_seq, standings
from consent.publishing import (
    prepare_snapshot,
    publish_snapshots,
    snapshot_to_send,
    store_ack,
    store_snapshot,
)
from consent.reading import (
    Delivery,
    HistoryLine,
    ItemState,
    StudyChoices,
    choices,
    deliveries,
    history,
    receipt,
    said_in,
)
from consent.recording import mark, record, say, state_version, withdraw
from consent.subjects import SignIn, add_subject, invite, patient, sign_in_with_code
from consent.texts import item_words, publish_text, suspend_text, text_for

__all__ = [
    "Circumstances",
    "Delivery",
    "Form",
    "HistoryLine",
    "ItemState",
    "Said",
    "SignIn",
    "Standing",
    "StudyChoices",
    "add_subject",
    "choices",
    "deliveries",
    "history",
    "invite",
    "item_words",
    "latest_snapshot",
    "mark",
    "patient",
    "prepare_snapshot",
    "publish_snapshots",
    "publish_text",
    "receipt",
    "record",
    "record_at_once",
    "required_seq",
    "said_in",
    "say",
    "sign_in_with_code",
    "snapshot_to_send",
    "standings",
    "state_version",
    "store_ack",
    "store_snapshot",
    "suspend_text",
    "text_for",
    "withdraw",
]
