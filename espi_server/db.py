"""The database behind two doors: `reading()` and `writing()`.

The same code runs on SQLite and PostgreSQL. On SQLite a transaction that has read first and then wants to write
fails at once when another wrote meanwhile, so every writing unit of work starts with `BEGIN IMMEDIATE`; Python's
own transaction handling is switched off and BEGIN is emitted here. Times in all tables are whole seconds since
1970 UTC, as in ESPI.

The entry point (a view, a command, a worker step) opens a door and thereby commits once; nothing else commits.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from functools import lru_cache, wraps
from typing import Annotated, Any, TypeVar

from psycopg import RawCursor
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Text,
    Uuid,
    bindparam,
    event,
    func,
    select,
)
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.sql import ClauseElement

from espi_server import at_rest
from espi_server.drivers import Drivers
from espi_server.keyring import Keyring

T = TypeVar("T")
NIL = uuid.UUID(int=0)  # stands for "no usage point" in keys that hold one

Id = Annotated[uuid.UUID, mapped_column(Uuid)]
Seconds = Annotated[int, mapped_column(BigInteger)]
Code = Annotated[str, mapped_column(String(32))]
Name = Annotated[str, mapped_column(String(256))]
Digest = Annotated[bytes, mapped_column(LargeBinary(32))]
Json = Annotated[Any, mapped_column(JSON().with_variant(JSONB(), "postgresql"))]

PII = {"privacy": "pii"}  # personal: names, addresses, contact points; logs and exports follow this mark
RESTRICTED = {
    "privacy": "restricted"
}  # tells more than it seems: a RIN discloses discounts and medical status


class Base(DeclarativeBase):
    """All rows of the house. Constraints are named, so that migrations can find them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text(), int: BigInteger(), uuid.UUID: Uuid()}


class Database:
    """One installation's database; built once per process and handed around.

    `secret` is the installation's: the keys under which its acts are chained are derived from it (`access.audit`).
    """

    def __init__(self, url: str, *, pool_size: int = 40, secret: str = "", older: Sequence[str] = ()) -> None:
        self.engine = create_engine(url, pool_size=pool_size)
        if secret:
            at_rest.lend(self.engine, Keyring(secret, *older))
        self._secret = secret
        self._drivers = Drivers(self.engine)
        self._write = self.engine.execution_options(espi_door="writing")
        self._read = self.engine.execution_options(espi_door="reading", postgresql_readonly=True)

    @property
    def keyring(self) -> Keyring:
        """What closes and opens the personal fields of this database."""
        return at_rest.lent(self.engine.dialect)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A short read. Nothing written through this door stays."""
        with Session(self._read, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One unit of work: committed when the block ends well, undone when it raises."""
        last: list[Callable[[Session], None]] = []
        info = {_LAST: last, _SECRET: self._secret}
        with Session(self._write, expire_on_commit=False, info=info) as session, session.begin():
            session.connection()
            yield session
            for act in last:
                session.flush()
                act(session)

    def driver(self) -> AbstractContextManager[Any]:
        """The driver's own connection, for the hot path; each statement on it is a transaction by itself."""
        return self._drivers.connection()

    def close(self) -> None:
        """Give back every connection."""
        self._drivers.close()
        self.engine.dispose()


_LAST, _SECRET = "espi_last", "espi_secret"


def at_last(session: Session, act: Callable[[Session], None]) -> None:
    """Have `act` done as the last thing before the commit: what it locks is held for a moment only."""
    session.info[_LAST].append(act)


def secret_of(session: Session) -> str:
    """The installation's secret, in a unit of work that writes."""
    return str(session.info[_SECRET])


def create_engine(url: str, *, pool_size: int = 40) -> Engine:
    """An engine with this house's manners for the database named by `url`."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
        return sqlalchemy_engine(
            address, pool_pre_ping=True, hide_parameters=True, pool_size=pool_size, connect_args=_POSTGRESQL
        )
    engine = sqlalchemy_engine(
        address, hide_parameters=True, pool_size=pool_size, paramstyle="named", connect_args={"timeout": 30}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


# A partition of the network must not hang a client for ever.
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "espi_server",
}


_PRAGMAS = (
    "foreign_keys=ON",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=30000",
    "cache_size=-512",  # KiB for each of dozens of connections; the system keeps the file's pages for all of them
)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin_sqlite
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    door = connection.get_execution_options().get("espi_door")
    connection.exec_driver_sql("BEGIN" if door == "reading" else "BEGIN IMMEDIATE")


class Compiled:
    """A Core statement compiled once, run on the driver's connection: the hot path's way around row handling.

    `rows(driver, name=value, …)` answers plain tuples in the driver's own types: `text_id()` and `loaded()` read
    a UUID and a JSON cell of either driver.
    """

    def __init__(self, statement: ClauseElement, engine: Engine) -> None:
        self._statement, self._engine = statement, engine
        self._plain = _PLAIN[engine.dialect.name]
        self._run = _RUN[engine.dialect.name]
        self._begin = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN"
        self._compiling = threading.Lock()
        self.sql = ""

    def _compile(self) -> None:
        """At first use and by one thread: it takes long, and a new process is asked many things at once."""
        with self._compiling:
            if self.sql:
                return
            is_postgresql = self._engine.dialect.name == "postgresql"
            compiled = self._statement.compile(dialect=_NUMBERED if is_postgresql else self._engine.dialect)
            self._order = getattr(compiled, "positiontup", None) or ()
            given = compiled.params or {}
            self._constants = {name: self._plain(value) for name, value in given.items() if value is not None}
            self.sql = str(compiled)

    def rows(self, driver: Any, **values: Any) -> list[tuple[Any, ...]]:
        """All rows as tuples; every parameter the statement names is given, None where it has no value."""
        if not self.sql:
            self._compile()
        plain, parameters = self._plain, dict(self._constants)
        for name, value in values.items():
            parameters[name] = value if type(value) in _AS_IT_IS else plain(value)
        found: list[tuple[Any, ...]] = self._run(driver, self.sql, self._order, parameters).fetchall()
        return found

    def run(self, driver: Any, **values: Any) -> None:
        """Run a statement that answers no rows."""
        if not self.sql:
            self._compile()
        plain = {name: self._plain(value) for name, value in values.items()}
        self._run(driver, self.sql, self._order, plain)

    def run_together(self, driver: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement that answers no rows for each of these parameters, in one transaction."""
        if len(rows) == 1:
            self.run(driver, **rows[0])
            return
        driver.execute(self._begin)
        try:
            for row in rows:
                self.run(driver, **row)
            driver.execute("COMMIT")
        except BaseException:
            driver.execute("ROLLBACK")
            raise


def kept(make: Callable[[Callable[[], Any], Engine], T]) -> Callable[[Callable[[], Any], Engine], T]:
    """What `make` makes of a form of query and an engine, made once however many threads ask first."""
    found, lock = lru_cache(maxsize=64)(make), threading.Lock()

    @wraps(make)
    def one(form: Callable[[], Any], engine: Engine) -> T:
        with lock:
            return found(form, engine)

    return one


def among(column: Any, name: str, engine: Engine) -> Any:
    """`column` is one of the ids given as the parameter `name`, a list of UUIDs; the same statement for any number."""
    if engine.dialect.name == "sqlite":
        return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))
    return column == func.any(bindparam(name, type_=ARRAY(Uuid)))


def add_if_new(session: Session, table: Any, values: Mapping[str, Any]) -> bool:
    """Insert the row unless its key is there already; whether it was new."""
    kinds: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    connection = session.connection()
    statement = kinds[connection.dialect.name](table.__table__).values(**values).on_conflict_do_nothing()
    # What the caller added so far must stand before it, foreign keys point there.
    session.flush()
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1


def ordered_id() -> uuid.UUID:
    """A new id that sorts by the time it was made (UUID version 7, RFC 9562 5.7), for tables that only grow.

    A random one would put each new row on another page, and every page touched is written twice.
    """
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return uuid.UUID(int=value & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def id_before(id: uuid.UUID, seconds: int) -> uuid.UUID:
    """Not larger than any ordered id made in the `seconds` before this one, larger than those before them."""
    return uuid.UUID(int=max(0, (id.int >> 80) - seconds * 1000) << 80)


def text_id(value: Any) -> str:
    """A UUID from either driver as text with dashes."""
    if isinstance(value, str):
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
    return str(value)


def loaded(value: Any) -> Any:
    """A JSON cell from either driver as Python values."""
    return json.loads(value) if isinstance(value, str | bytes) else value


def _plain_for_sqlite(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, IntEnum):
        return int(value)
    return json.dumps([each.hex for each in value]) if isinstance(value, list) else value


def _run_on_sqlite(driver: Any, sql: str, order: Sequence[str], parameters: dict[str, Any]) -> Any:
    return driver.execute(sql, parameters)


# Parameters are numbered ($1), as PostgreSQL itself counts them: the driver has no statement to rewrite each time.
_NUMBERED: Dialect = registry.load("postgresql.psycopg")(paramstyle="numeric_dollar")


def _run_on_postgresql(driver: Any, sql: str, order: Sequence[str], parameters: dict[str, Any]) -> Any:
    cursor: RawCursor[Any] = RawCursor(driver)
    return cursor.execute(sql, [parameters[name] for name in order], prepare=True, binary=True)


_AS_IT_IS = frozenset({int, str, bytes, type(None)})  # what every driver takes, and most of what it is given
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "sqlite": _plain_for_sqlite,
    "postgresql": lambda value: int(value) if isinstance(value, IntEnum) else value,
}
_RUN: dict[str, Callable[[Any, str, Sequence[str], dict[str, Any]], Any]] = {
    "sqlite": _run_on_sqlite,
    "postgresql": _run_on_postgresql,
}
