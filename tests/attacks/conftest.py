"""The 41 attacks of disclosure.md section 6, on ten real site processes."""

import pytest
from net10 import Net10, everybody, net10, net10_of

__all__ = ["net10", "net10_catalogue", "net10_of"]


@pytest.fixture(scope="module")
def net10_catalogue(tmp_path_factory):
    """One network for questions that never get past the query language."""
    net = Net10(tmp_path_factory.mktemp("catalogue"), everybody())
    yield net
    assert all(net.ledger(slug) == 0 for slug in net.directories)
    net.close()
