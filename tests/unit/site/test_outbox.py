"""What a hospital tells the hub gets through whatever a dishonest hub says that it has."""

from datetime import UTC, datetime

import pytest

from federation.protocol.keys import SigningKey
from federation.site.choices.outbox import MAX_LOST, Outbox
from federation.site.store import open_store, transaction

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture
def outbox(tmp_path):
    database = open_store(tmp_path / "site.sqlite")
    yield Outbox(database, SigningKey.generate(), site="here", network="net"), database
    database.close()


def test_a_hub_cannot_use_up_the_numbers_of_a_hospital(outbox):
    """Else no later message, a "no" on paper among them, would ever be taken again."""
    told, database = outbox
    with transaction(database):
        told.add("closed", {"handle": "x"}, NOW)
        told.settle({"site_seq": (1 << 31) - 1, "site_sha256": "0" * 64}, NOW)
        assert told.add("closed", {"handle": "y"}, NOW) == 2
        assert len(told.waiting()) == 2
        # A copy that was put back may miss some numbers; those are passed over.
        told.settle({"site_seq": 2 + MAX_LOST, "site_sha256": "0" * 64}, NOW)
        assert len(told.waiting()) == 2
        assert told.add("closed", {"handle": "z"}, NOW) == MAX_LOST + 5
