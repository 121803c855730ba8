"""Three that guard the house: who may lean on whom, what the tables promise, and that words and settings agree."""

from __future__ import annotations

import ast
import configparser
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import UniqueConstraint

from espi_server.models import metadata
from espi_server.settings import DEVELOPMENT_SECRET, BadSetting, Settings, declared

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "espi_server"

GROUND = {
    "db", "drivers", "settings", "errors", "clock", "shell", "migrate", "models", "terminal", "keyring", "at_rest",
}  # fmt: skip
LEANS_ON = {
    "espi": set(),
    "accounts": {"adapters", "espi"},
    "jobs": {"espi"},
    "energy": {"accounts", "espi", "jobs"},
    "notify": {"accounts", "adapters", "espi", "jobs"},
    "access": {"energy", "accounts", "jobs", "notify", "espi"},
    "rates": {"energy", "accounts", "espi"},
    "ratechange": {"rates", "access", "energy", "accounts", "notify", "espi"},
    "adapters": {"espi"},
    "tools": {"espi"},
    "web": {
        "ratechange",
        "rates",
        "access",
        "energy",
        "accounts",
        "notify",
        "adapters",
        "tools",
        "espi",
        "jobs",
    },
}
OUTERMOST = {"app", "cli", "demo", "running", "work"}  # wire everything, and nobody leans on them
SHARDED = {"resource", "interval_block", "interval_correction", "authorization_usage_point"}


def _imports(path: Path) -> Iterator[str]:
    """The rooms and ground-floor modules a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from _rooms(node.module, [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _rooms(alias.name, [])


def _rooms(module: str, names: list[str]) -> Iterator[str]:
    first, _, rest = module.partition(".")
    if first == "espi_server":
        yield from [rest.split(".")[0]] if rest else names


@pytest.mark.parametrize("room", sorted(LEANS_ON))
def test_a_room_leans_only_on_the_rooms_below_it(room: str) -> None:
    allowed = LEANS_ON[room] | {room} | (set() if room == "espi" else GROUND) | {"__version__"}

    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in _imports(path)
        if name not in allowed
    ]

    assert wrong == []


def test_every_part_of_the_package_has_a_place_in_the_house() -> None:
    found = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert found - {"__init__", "__pycache__"} <= LEANS_ON.keys() | GROUND | OUTERMOST


def test_flask_lives_in_the_web_room() -> None:
    elsewhere = [
        path.relative_to(ROOT)
        for path in PACKAGE.rglob("*.py")
        if "flask" in path.read_text("utf-8").lower().split()
        and path.relative_to(PACKAGE).parts[0] not in ("web", "app.py", "demo")
        and any(
            line.startswith(("from flask", "import flask")) for line in path.read_text("utf-8").splitlines()
        )
    ]

    assert elsewhere == []


def test_every_unique_key_of_a_large_table_holds_the_usage_point() -> None:
    wrong = []
    for name in SHARDED:
        table = metadata.tables[name]
        keys = [
            table.primary_key,
            *(each for each in table.constraints if isinstance(each, UniqueConstraint)),
        ]
        keys += [index for index in table.indexes if index.unique]
        wrong += [f"{name}: {key.name}" for key in keys if "usage_point_id" not in key.columns]

    assert wrong == []


def test_every_row_that_is_not_the_platforms_belongs_to_a_utility_or_to_a_row_that_does() -> None:
    platform = {"asp", "premise", "program", "utility", "feature_operation", "kept_verdict", "attempts"}
    rooted = {name for name, table in metadata.tables.items() if "utility_id" in table.columns} | platform
    grew = True
    while grew:
        parents = {
            name
            for name, table in metadata.tables.items()
            if any(key.column.table.name in rooted for key in table.foreign_keys)
        }
        grew = not parents <= rooted
        rooted |= parents

    assert metadata.tables.keys() - rooted <= {"interval_correction"}  # keyed by its usage point


def test_the_readme_lists_every_setting_as_it_is_declared() -> None:
    table = [
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("| `ESPI_")
    ]

    assert table == [
        f"| `{variable}` | {f'`{default}`' if default else '–'} | {help} |"
        for variable, default, help, _ in declared()
    ]


def test_production_refuses_to_start_without_a_real_secret() -> None:
    for secret in ("", "short", DEVELOPMENT_SECRET, "x" * 40, "secret" * 10):
        with pytest.raises(BadSetting, match="ESPI_SECRET_KEY"):
            Settings.load({"ESPI_SECRET_KEY": secret, "ESPI_BASE_URL": "https://data.example.org"})


def test_production_refuses_plain_http_beyond_this_machine() -> None:
    secret = secrets.token_hex(32)

    with pytest.raises(BadSetting, match="https"):
        Settings.load({"ESPI_SECRET_KEY": secret, "ESPI_BASE_URL": "http://data.example.org"})

    assert Settings.load({"ESPI_SECRET_KEY": secret, "ESPI_BASE_URL": "http://127.0.0.1:8000"})


def test_who_tries_things_out_needs_no_secret_of_her_own() -> None:
    assert Settings.load({"ESPI_MODE": "development"}).secret_key == DEVELOPMENT_SECRET


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ESPI_THREADS", "many"),
        ("ESPI_THREADS", "4"),
        ("ESPI_FEEDS", "99"),
        ("ESPI_MODE", "test"),
        ("ESPI_BASE_URL", "x"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        Settings.load({"ESPI_MODE": "development", variable: value})


def test_settings_come_from_a_file_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "espi.toml"
    file.write_text('mode = "development"\nworkers = 3\nthreads = 40\n')

    settings = Settings.load({"ESPI_CONFIG": str(file), "ESPI_WORKERS": "5"})

    assert (settings.mode, settings.workers, settings.threads) == ("development", 5, 40)


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "espi.toml"
    file.write_text("wrokers = 3\n")

    with pytest.raises(BadSetting, match="wrokers"):
        Settings.load({"ESPI_CONFIG": str(file)})


def test_every_package_on_disk_is_one_that_gets_installed() -> None:
    listed = configparser.ConfigParser()
    listed.read(ROOT / "setup.cfg")

    on_disk = {str(path.parent.relative_to(ROOT)).replace("/", ".") for path in PACKAGE.rglob("__init__.py")}

    assert set(listed["options"]["packages"].split()) == on_disk | {"espi_server.migrations"}
