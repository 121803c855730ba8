"""Bringing a database to the newest form, on SQLite and PostgreSQL alike.

SQLite changes a table by copying it, and a copy under live foreign keys would cascade-delete child rows; so
migrations run on an engine of their own with foreign keys off and end with a check that none is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from espi_server import at_rest
from espi_server.db import create_engine
from espi_server.errors import Internal
from espi_server.keyring import DEVELOPMENT, Keyring

_HERE = Path(__file__).resolve().parent
# In an installed package the scripts stand beside this module, in a checkout beside the package.
SCRIPTS = next(each for each in (_HERE / "migrations", _HERE.parent / "migrations") if each.is_dir())


def upgrade(url: str, revision: str = "head", keys: Keyring = DEVELOPMENT) -> str:
    """Bring the database at `url` to `revision`; the revision it now has. `keys` close what is personal in it."""
    return _move(command.upgrade, url, revision, keys)


def downgrade(url: str, revision: str, keys: Keyring = DEVELOPMENT) -> str:
    """Bring the database at `url` back to an older `revision`; the revision it now has."""
    return _move(command.downgrade, url, revision, keys)


def _move(step: Callable[[Config, str], None], url: str, revision: str, keys: Keyring) -> str:
    engine = create_engine(url)
    at_rest.lend(engine, keys)
    try:
        with engine.connect() as connection:
            _prepare(connection)
            step(_config(connection), revision)
            _check(connection)
        return current(engine) or ""
    finally:
        engine.dispose()


def current(engine: Engine) -> str | None:
    """The revision a database stands at; None where it has never been migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The newest revision this code knows."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _pragma(connection, "foreign_keys=OFF")


def _check(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    connection.rollback()
    _pragma(connection, "foreign_keys=ON")
    if broken:
        raise Internal(f"The migration left rows that point nowhere: {broken[:5]}")


def _pragma(connection: Connection, pragma: str) -> None:
    # On the driver's own connection: inside a transaction SQLite ignores this one.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA {pragma}")
