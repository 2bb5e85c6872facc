"""A missing or impossible setting stops the start with one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.settings import Settings, SettingsError, database_url_from_environ, from_environ

GOOD = {"ONCOKRING_SECRET_KEY": "k" * 32, "ONCOKRING_DATA": "/var/lib/oncokring"}
V6 = {"ONCOKRING_VANTAGE6_URL": "https://vantage6.example"}


def test_two_settings_are_enough() -> None:
    settings = from_environ(GOOD)
    assert settings.database_url == "sqlite:////var/lib/oncokring/hub.sqlite"
    assert settings.sites_directory == Path("/var/lib/oncokring/sites")
    assert settings.is_local
    assert not settings.secure_cookies
    assert not settings.debug


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ONCOKRING_SECRET_KEY": ""}, "ONCOKRING_SECRET_KEY"),
        ({"ONCOKRING_SECRET_KEY": "k" * 31}, "ONCOKRING_SECRET_KEY"),
        ({"ONCOKRING_DATA": ""}, "ONCOKRING_DATA"),
        ({"ONCOKRING_ADDRESS": "hub.example"}, "ONCOKRING_ADDRESS"),
        ({"ONCOKRING_ADDRESS": "https://hub.example/path"}, "ONCOKRING_ADDRESS"),
        ({"ONCOKRING_ADDRESS": "http://hub.example"}, "ONCOKRING_ADDRESS"),
        ({"ONCOKRING_ADDRESS": "https://hub.example", "ONCOKRING_DEBUG": "1"}, "ONCOKRING_DEBUG"),
        ({"ONCOKRING_LANGUAGE": "fr"}, "ONCOKRING_LANGUAGE"),
        ({"ONCOKRING_ENGINE": "pigeon"}, "ONCOKRING_ENGINE"),
        ({"ONCOKRING_MAX_BODY": "much"}, "ONCOKRING_MAX_BODY"),
        ({"ONCOKRING_RATE_LIMIT": "often"}, "ONCOKRING_RATE_LIMIT"),
        ({"ONCOKRING_PROXIES": "-1"}, "ONCOKRING_PROXIES"),
        ({"ONCOKRING_ENGINE": "vantage6"}, "ONCOKRING_VANTAGE6_URL"),
        ({"ONCOKRING_VANTAGE6_URL": "vantage6.example"}, "ONCOKRING_VANTAGE6_URL"),
        ({"ONCOKRING_VANTAGE6_URL": "http://vantage6.example"}, "ONCOKRING_VANTAGE6_URL"),
        ({"ONCOKRING_VANTAGE6_URL": "https://me:secret@v6.example"}, "ONCOKRING_VANTAGE6_URL"),
        ({"ONCOKRING_VANTAGE6_URL": "https://v6.example/?a=b"}, "ONCOKRING_VANTAGE6_URL"),
        ({**V6, "ONCOKRING_VANTAGE6_CA_FILE": "/nowhere.pem"}, "ONCOKRING_VANTAGE6_CA_FILE"),
        ({**V6, "ONCOKRING_VANTAGE6_CA_FILE": __file__}, "ONCOKRING_VANTAGE6_CA_FILE"),
        ({**V6, "ONCOKRING_VANTAGE6_USER": "12"}, "ONCOKRING_VANTAGE6_USER"),
        ({**V6, "ONCOKRING_VANTAGE6_COLLABORATION": " "}, "ONCOKRING_VANTAGE6_COLLABORATION"),
        ({**V6, "ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED": "1"}, "ONCOKRING_VANTAGE6_ALLOW_UNENCR"),
    ],
)
def test_each_wrong_setting_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        from_environ({**GOOD, **change})
    assert str(caught.value).count("\n") == 0


def test_https_makes_cookies_secure() -> None:
    settings = from_environ({**GOOD, "ONCOKRING_ADDRESS": "https://hub.example"})
    assert settings.secure_cookies
    assert not settings.is_local


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        secret_key="very-secret-" * 4,
        data=Path("/x"),
        database_url="postgresql://hub:password@db/hub",
    )
    assert "very-secret" not in repr(settings)
    assert "password" not in repr(settings)


def test_vantage6_needs_only_its_address_and_unencrypted_is_said_in_words() -> None:
    made = from_environ({**GOOD, **V6, "ONCOKRING_ENGINE": "vantage6"}).vantage6
    assert made is not None
    assert (made.user, made.collaboration) == ("oncokring", "oncokring")
    assert made.key_file == Path("/var/lib/oncokring/keys/vantage6.pem")
    assert not made.allow_unencrypted
    words = {"ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED": "everybody on the server may read"}
    allowed = from_environ({**GOOD, **V6, **words}).vantage6
    assert allowed is not None
    assert allowed.allow_unencrypted
    assert from_environ(GOOD).vantage6 is None


def test_the_database_alone_needs_no_secret() -> None:
    assert database_url_from_environ({"ONCOKRING_DATABASE": "sqlite:///x"}) == "sqlite:///x"
    assert database_url_from_environ({"ONCOKRING_DATA": "/x"}) == "sqlite:////x/hub.sqlite"
    with pytest.raises(SettingsError, match="ONCOKRING_DATABASE"):
        database_url_from_environ({})
