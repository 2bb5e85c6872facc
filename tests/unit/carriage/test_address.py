"""What counts as the address of a vantage6 server, for hub and hospital alike."""

from __future__ import annotations

import pytest

from federation.carriage.address import AddressError, read_address


@pytest.mark.parametrize(
    ("text", "base", "origin", "path"),
    [
        ("https://v6.example.nl", "https://v6.example.nl", "https://v6.example.nl", ""),
        (
            "https://v6.example.nl:8443/api/",
            "https://v6.example.nl",
            "https://v6.example.nl:8443",
            "/api",
        ),
        ("http://127.0.0.1:5000/api", "http://127.0.0.1", "http://127.0.0.1:5000", "/api"),
        ("http://localhost:5000", "http://localhost", "http://localhost:5000", ""),
        ("http://[::1]:5000/api", "http://[::1]", "http://[::1]:5000", "/api"),
    ],
)
def test_an_address_is_read(text: str, base: str, origin: str, path: str) -> None:
    found = read_address(text)
    assert (found.base, found.origin, found.path) == (base, origin, path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "form"),
        (None, "form"),
        ("v6.example.nl", "form"),
        ("ftp://v6.example.nl", "form"),
        ("https://", "form"),
        ("https://v6.example.nl:port", "form"),
        ("https://[v6.example.nl", "form"),
        ("https://vänt.example.nl", "form"),
        ("https://me:secret@v6.example.nl", "extras"),
        ("https://v6.example.nl/?a=b", "extras"),
        ("https://v6.example.nl/#a", "extras"),
        ("http://v6.example.nl", "plain"),
        ("http://10.0.0.1", "plain"),
        ("http://127.0.0.1.example.nl", "plain"),
    ],
)
def test_what_is_wrong_has_a_name(text: object, fault: str) -> None:
    with pytest.raises(AddressError) as caught:
        read_address(text)
    assert caught.value.fault == fault
    assert "secret" not in str(caught.value)
