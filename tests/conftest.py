"""What every test can ask for: a database of each kind, a clock, an application, the reference folders."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from argon2 import PasswordHasher

from espi_server import clock
from espi_server.accounts import hashing, passwords
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from tests import coverage, examples, pg
from tests.copies import KINDS, Copies, migrated
from tests.towns import *  # noqa: F403 - its fixtures

ROOT = Path(__file__).resolve().parent.parent

examples.register()
hypothesis.settings.load_profile(examples.EVERY_DAY)


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: a third of the time a test waits for a process it started."""
    cores = os.cpu_count() or 1
    return cores + cores // 2


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[dict[tuple[object, str], object]]:
    """Hashes that cost next to nothing, hers as nobody's; the real ones, for the tests of what they cost."""
    real = {(hashing, "_HASHER"): hashing._HASHER, (passwords, "NOBODYS"): passwords.NOBODYS}
    cheap = PasswordHasher(1, 1024, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_HASHER", cheap)
        patch.setattr(passwords, "NOBODYS", cheap.hash("nobody knows this"))
        yield real


@pytest.fixture
def real_hashes(quick_hashes: dict[tuple[object, str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    for (room, name), value in quick_hashes.items():
        monkeypatch.setattr(room, name, value)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[pg.Server]:
    """One PostgreSQL server for the whole run."""
    server = pg.Server(pg.in_memory())
    yield server
    server.stop()


@pytest.fixture(scope="session")
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Databases that are filled once and copied."""
    return Copies(request, tmp_path_factory)


@pytest.fixture(scope="session")
def migrated_file(copies: Copies) -> Path:
    """A migrated, empty SQLite file to copy."""
    return copies.file("migrated", migrated)


@pytest.fixture
def sqlite_url(copies: Copies, tmp_path: Path) -> Iterator[str]:
    with copies.of("sqlite", "migrated", migrated, tmp_path) as url:
        yield url


@pytest.fixture
def postgresql_url(copies: Copies, tmp_path: Path) -> Iterator[str]:
    with copies.of("postgresql", "migrated", migrated, tmp_path) as url:
        yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database; each test that asks runs on both kinds."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, secret=DEVELOPMENT_SECRET)
    yield database
    database.close()


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(mode="development", database_url=database_url, secret_key=DEVELOPMENT_SECRET)


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`freeze(1_790_000_000)` stops the house's clock there."""

    def stop(moment: int) -> None:
        monkeypatch.setattr(clock, "seconds", lambda: moment)

    return stop


def _reference(variable: str) -> Path:
    path = Path(os.environ.get(variable) or "/nonexistent")
    if not path.is_dir():
        pytest.skip(f"{variable} names no folder: the published reference files are not here")
    return path


@pytest.fixture(scope="session")
def espi_reference() -> Path:
    """The published schemas and samples, where this machine has them."""
    return _reference("ESPI_REFERENCE")


@pytest.fixture(scope="session")
def tariff_reference() -> Path:
    """Real tariffs in URDB form, where this machine has them."""
    return _reference("TARIFF_REFERENCE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--coverage-table", help="Write which test proves which requirement to this file.")


def pytest_collection_finish(session: pytest.Session) -> None:
    # What is loaded by now stays: looking through it again and again took a second each time. What a test leaves is
    # looked for less often: an application makes enough objects for dozens of rounds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    target = session.config.getoption("--coverage-table")
    if target:
        Path(target).write_text(coverage.table(session.items), "utf-8")
