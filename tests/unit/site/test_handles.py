"""Handles and the numbers behind them."""

import base64
import hashlib
import hmac

import numpy as np
import pytest

from consent.snapshot import build_claims
from federation.site.choices.handles import is_known, list_handles
from federation.site.choices.pseudonyms import HandleMaker, handle_text

KEY = b"k" * 32


def test_a_handle_is_what_the_design_says():
    """consent.md 3.2, written out."""
    expected = hmac.new(KEY, b"oncoreg/v1|portal|net|h0|P1", hashlib.sha256).digest()[:20]

    assert HandleMaker(KEY, "net", "h0").handle("P1") == expected
    assert handle_text(expected) == base64.urlsafe_b64encode(expected).decode().rstrip("=")
    assert len(handle_text(expected)) == 27


def test_sites_networks_and_keys_do_not_share_handles():
    makers = [
        HandleMaker(KEY, "net", "h0"),
        HandleMaker(KEY, "net", "h1"),
        HandleMaker(KEY, "ten", "h0"),
        HandleMaker(b"j" * 32, "net", "h0"),
    ]
    assert len({maker.handle("P1") for maker in makers}) == 4


def test_many_handles_are_the_single_ones_in_order():
    ids = [f"P{n}" for n in range(1000)]
    for key in (KEY, b"short", b"k" * 64, b"longer than a block of SHA-256" * 4):
        maker = HandleMaker(key, "net", "h0")
        assert maker.handles(ids).tobytes() == b"".join(map(maker.handle, ids))
        assert maker.handles([]).shape == (0,)


def test_list_handles_are_fit_for_a_snapshot(make_site):
    data = "nr,leeftijd,graad,hormoon\nP2,1,1,ja\nP1,1,1,ja\nP1,1,1,ja\n,1,1,ja\n P3 ,1,1,ja\n"
    site = make_site(data=data)
    handles = list_handles(site)

    assert {h.tobytes() for h in handles.reshape(-1, 1)} == {
        site.handles.handle(number) for number in ("P1", "P2", "P3")
    }
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 1, 1, tzinfo=UTC)
    build_claims(
        network="net",
        seq=1,
        issued=now,
        valid_until=now + timedelta(hours=1),
        columns=[("onco", "use.network")],
        handles=handles,
        granted=[np.ones(3, np.bool_)],
    )


@pytest.mark.parametrize(
    ("number", "known"), [("P1", True), (" P1 ", True), ("P99", False), ("", False)]
)
def test_a_number_is_known_when_it_is_in_the_data(site, number, known):
    assert is_known(site, number) is known
