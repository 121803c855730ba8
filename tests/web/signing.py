"""Two towns and one customer who signs in: what the tests of signing in have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from espi_server.access import verifying
from espi_server.access.models import AuditEvent
from espi_server.accounts import signin, utilities
from espi_server.accounts.models import LoginSession
from espi_server.db import Database
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make, ways
from tests.copies import Copies
from tests.towns import build
from tests.ways import Visitor

MAIL = "c-1@mail.example"
NEXT = "/north/account/security"
ASKED = f"?next={NEXT}"
FRESH = "nine purple tractors 4"


@pytest.fixture
def town(copies: Copies, tmp_path: Path) -> Iterator[Database]:
    """Two towns on SQLite, for what no database decides; north asks for no second factor."""
    with copies.opened("sqlite", "towns", build, tmp_path) as database:
        ways.rule(database, second_factor=False)
        yield database


@pytest.fixture
def app(town: Database) -> Flask:
    return make.app(town)


@pytest.fixture
def ada(town: Database) -> Any:
    """The login of C-1, with a password that stands alone."""
    return ways.person(town)


def acts(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """The acts at north, after a look whether they are as they were written."""
    with database.reading() as session:
        utility = utilities.find(session, "north")
        assert verifying.verify(session, utility, [DEVELOPMENT_SECRET]).findings == []
        mine = select(AuditEvent).where(AuditEvent.utility_id == utility.id).order_by(AuditEvent.number)
        return [(each.act, each.detail) for each in session.scalars(mine)]


def letters(database: Database) -> list[str]:
    """What people are about to be told, oldest first."""
    with database.reading() as session:
        rows = session.scalars(select(Outbox).order_by(Outbox.created_at, Outbox.id))
        return [" ".join(filter(None, (each.kind, each.payload.get("what")))) for each in rows]


def inside(database: Database, login: Any) -> list[LoginSession]:
    """The open sessions of a login."""
    with database.reading() as session:
        return list(signin.open_sessions(session, login, idle=900))


def forgot(database: Database, app: Flask, email: str = MAIL) -> list[Any]:
    """She asks for a link; the letters that leave."""
    visitor = Visitor(app)
    visitor.send(visitor.get("password/forgotten"), "/forgotten", email=email)
    return letterbox.Box(database).empty()


def link_in(letter: Any) -> str:
    [found] = re.findall(r"https://data.example.org(/north/account/\w+/\w+\?link=\S+)", letter.text)
    return str(found)


def choose(app: Flask, link: str, password: str = FRESH, check: int = 303) -> Any:
    visitor = Visitor(app)
    page = visitor.get(link, check=200)
    return visitor.send(page, "/password/new", check=check, password=password, password2=password)
