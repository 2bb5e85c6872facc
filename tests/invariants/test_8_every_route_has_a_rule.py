"""Invariant 8: every route has an authorization rule, and a test over the URL map proves it.

Which role may do what on own and foreign objects: tests/web/test_authorization_matrix.py.
"""

import pytest

from migrations.run import upgrade
from registry import access
from registry.app import create_app
from registry.database import engine_of, open_database
from registry.settings import Settings


@pytest.fixture
def app(tmp_path):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    factory = open_database(url)
    settings = Settings(secret_key="x" * 48, data=tmp_path, database_url=url)
    yield create_app(settings, factory=factory)
    engine_of(factory).dispose()


def routes(app):
    return [
        (str(rule), method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def without_rule(app):
    return [
        (path, method)
        for path, method, endpoint in routes(app)
        if access.rule_of(app, endpoint, method) is None
    ]


def test_every_route_has_a_rule(app):
    assert len(routes(app)) > 60
    assert without_rule(app) == []


def test_a_planted_route_without_a_rule_is_found_and_shut(app):
    app.add_url_rule("/planted", "planted", lambda: "open to all", methods=["GET", "POST"])
    assert without_rule(app) == [("/planted", "GET"), ("/planted", "POST")]
    for answer in (app.test_client().get("/planted"), app.test_client().post("/planted")):
        assert answer.status_code >= 400
        assert b"open to all" not in answer.data


def test_a_rule_names_who_is_meant(app):
    """No rule is empty: each says public, or at least one role."""
    for path, method, endpoint in routes(app):
        rule = access.rule_of(app, endpoint, method)
        assert rule.public or rule.roles, (path, method)
