"""The sandbox company: an application like anybody's, entered at every utility of the demo and running beside it.

It is the example in the folder `company`, which knows nothing of this server. It runs in a process of its own, gets its
secrets in a file that only the demo's owner can read, and ends when the demo does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from espi_server.access import applications
from espi_server.access.applications import Registration
from espi_server.access.describing import USE, USE_ES
from espi_server.access.models import Application
from espi_server.access.opening import PRODUCTION
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.demo.households import COMPANIES
from espi_server.demo.serving import HOST, PortTaken, answers, check_port
from espi_server.notify import signing
from espi_server.notify.webhooks import reach
from espi_server.settings import PREFIX, Settings
from espi_server.terminal import tell

NAME: Final = "SunWise Home"
SCOPE: Final = (
    "FB=4_5_7_8_10_15_16_17_27_28_54_55_58;IntervalDuration=900;BlockDuration=daily;HistoryLength=34128000;"
    "AdditionalScope=Usage_Billing_Basic"
)
ACTOR: Final = "demo"
FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "company"
NEEDS: Final = ("authlib", "flask", "requests", "standardwebhooks")
HIGHEST: Final = 65_535
PATIENCE: Final = 10  # seconds it has to stop
STARTING: Final = 60  # seconds it has to start: a busy machine needs several
# It ends when we do, however we do: then nobody holds the other end of its standard input.
_RUN = """
import os, runpy, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
runpy.run_module("company", run_name="__main__")
"""


@contextmanager
def beside(now: Settings, folder: Path, port: int, *, wanted: bool = True) -> Iterator[str]:
    """Run it for as long as this lasts; its address, or nothing where it cannot run, which is said."""
    obstacle = _obstacle(port) if wanted else ""
    if obstacle:
        tell(f"{NAME}, the example of a company, is not started: {obstacle}")
    if obstacle or not wanted:
        yield ""
        return
    with _running(entered(now, folder, port), port) as listens:
        if not listens:
            tell(f"{NAME}, the example of a company, did not start. What it said is above.")
        yield address(port) if listens else ""


def address(port: int) -> str:
    """Where it is reached."""
    return f"http://localhost:{port}"


def entered(now: Settings, folder: Path, port: int) -> Path:
    """Have it in production at every utility, with its addresses at this port; the file it finds its secrets in."""
    file = folder / "company" / "utilities.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    database = Database(now.database_url, secret=now.secret_key)
    try:
        with database.writing() as session:
            said = {each.code: _entered(session, now, each.code, port, known) for each in COMPANIES}
    finally:
        database.close()
    file.parent.mkdir(exist_ok=True)
    _write(file, json.dumps(said, indent=2))
    return file


def _entered(
    session: Session, now: Settings, code: str, port: int, known: Mapping[str, Any]
) -> dict[str, str]:
    utility = utilities.find(session, code)
    stated = _stated(code, port)
    if not applications.is_taken(session, utility, NAME):
        applications.register(session, utility, stated, by=ACTOR, reachable=reach(now).check)
    found = applications.find(session, utility, NAME)
    _update(session, found, stated)
    return _secrets(session, now, found, known.get(code, {})) | _names(now, utility)


def _stated(code: str, port: int) -> Registration:
    here = address(port)
    return Registration(
        name=NAME,
        redirect_uris=[f"{here}/callback"],
        notify_uri=f"{here}/notices/{code}",
        scope=SCOPE,
        information={
            "description": "Shows people what their homes use.",
            USE: "We show you what your home uses, day by day, and what it costs. We sell nothing.",
            USE_ES: "Le mostramos lo que su casa usa cada día y lo que cuesta. No vendemos nada.",
            "client_uri": f"{here}/welcome/{code}",
            "policy_uri": f"{here}/privacy",
            "tos_uri": f"{here}/terms",
            "tos_version": "1",
            "privacy_email": "privacy@sunwise.example",
            "essential": ["Usage"],
        },
    )


def _update(session: Session, found: Application, stated: Registration) -> None:
    """Its addresses move with the demo's port."""
    before = applications.stated(found)
    found.redirect_uris, found.notify_uri = list(stated.redirect_uris), stated.notify_uri
    found.scope, found.information = stated.scope, {**found.information, **stated.information}
    if applications.stated(found) != before:
        applications.record_change(session, found, ACTOR, before)
    if found.status != PRODUCTION:
        applications.set_status(session, found, PRODUCTION, by=ACTOR)


def _secrets(session: Session, now: Settings, found: Application, known: Mapping[str, str]) -> dict[str, str]:
    """Those it has, or new ones: we keep only digests, so what is lost is made anew."""
    names = ("client_id", "client_secret", "notify_secret")
    if known.get("client_id") == found.client_id:
        return {name: known[name] for name in names}
    secret = applications.new_secret(session, found, by=ACTOR)
    return dict(
        zip(names, (found.client_id, secret, signing.renew(session, found.id, now.secret_key)), strict=True)
    )


def _names(now: Settings, utility: Utility) -> dict[str, str]:
    return {
        "name": utility.name,
        "issuer": f"{now.base_url}/{utility.code}",
        "timezone": utility.timezone,
    }


def _write(file: Path, text: str) -> None:
    """In one step, and readable for nobody else at any time."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(text, "utf-8")
    fresh.replace(file)


# Running


def _obstacle(port: int) -> str:
    """Why it cannot run here; nothing where it can."""
    if not (FOLDER / "__main__.py").is_file():
        return f"there is no {FOLDER}."
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed: `pip install -r company/requirements.txt`."
    if port > HIGHEST:
        return f"there is no port {port}."
    try:
        check_port(port)
    except PortTaken as error:
        return str(error)
    return ""


@contextmanager
def _running(file: Path, port: int) -> Iterator[bool]:
    """Its process for as long as this lasts; whether it listens, which nobody is told before it is so."""
    process = subprocess.Popen(  # noqa: S603 - this very interpreter, and a program of ours
        [sys.executable, "-c", _RUN],
        cwd=FOLDER.parent,
        env=_environment(file, port),
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the demo, which stops it
    )
    owner = os.getpid()
    try:
        yield _listens(process, port)
    finally:
        if os.getpid() == owner:  # gunicorn's workers, which were forked meanwhile, come by here too
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it does; it does not where it ended, or not in time."""
    patience = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < patience:
        if answers(HOST, port):
            return True
        time.sleep(0.05)
    return False


def _environment(file: Path, port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return ours | {
        "NO_PROXY": "localhost,127.0.0.1",
        "SUNWISE_PORT": str(port),
        "SUNWISE_UTILITIES": str(file.resolve()),
        "SUNWISE_DATABASE": str(file.resolve().with_name("sunwise.sqlite")),
    }
