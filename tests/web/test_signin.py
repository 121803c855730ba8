"""Signing in by the pages: what lets somebody in, what does not, and what cannot be told from the answers."""

from __future__ import annotations

import pytest
from flask import Flask

from espi_server.db import Database
from tests import make, ways
from tests.ways import PASSWORD, Visitor


@pytest.fixture
def app(towns: Database) -> Flask:
    return make.app(towns)


def test_a_password_alone_lets_in_where_the_utility_asks_for_no_more(towns, app):
    ways.person(towns)
    ways.rule(towns, second_factor=False)
    visitor = Visitor(app)

    sent = visitor.sign_in("c-1@mail.example", asked="?next=/north/account/security")

    assert sent.headers["Location"] == "/north/account/security"
    assert "Where you are signed in" in visitor.follow(sent).text
