"""Hearing what changed: notifications are checked, kept, answered at once, and worked off by a thread.

A notification holds addresses and no data. It comes at least once, in no order, and again for three days unless we
answer 2xx; the id in its header tells one from another.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from sqlite3 import Row
from xml.etree import ElementTree

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from . import homes, oauth
from .oauth import Ended
from .store import Store
from .utilities import NotNow, Utility

LARGEST = 1024 * 1024  # bytes of a notification
_PAUSE = 30  # seconds before a fetch that failed is tried again
_A_DAY = 86_400  # and for so long: `/authorizations` shows what was missed
_RESOURCES = "{http://naesb.org/espi}resources"
_AN_ID = re.compile("[0-9a-f-]{36}")


class Forged(Exception):
    """This notification is not from the utility, or is older than five minutes."""


def check(utility: Utility, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a notification that is genuine. Nothing of it is looked at before."""
    try:
        # A BatchList is XML, so the library must not read it as JSON.
        Webhook(utility.notify_secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        raise Forged() from error
    return next(value for name, value in headers.items() if name.lower() == "webhook-id")


def keep(store: Store, utility: Utility, id: str, body: bytes) -> bool:
    """Keep it to be worked off; False for one we have had."""
    now = int(time.time())
    return bool(
        store.do(
            "INSERT OR IGNORE INTO notice (utility, id, body, received_at, next_at) VALUES (?, ?, ?, ?, ?)",
            utility.code, id, body, now, now,
        )
    )  # fmt: skip


def addresses(body: bytes) -> list[str]:
    """What a BatchList names."""
    root = ElementTree.fromstring(body)  # noqa: S314 - from a utility that signed it, and expat limits expansion
    return [(each.text or "").strip() for each in root.iter(_RESOURCES)]


class Worker:
    """Works off what was kept, also what a process that ended had left; one at a time."""

    def __init__(self, store: Store, utilities: Mapping[str, Utility]) -> None:
        self._store, self._utilities = store, utilities
        self._bell = threading.Event()

    def start(self) -> None:
        """From now on, in the background."""
        threading.Thread(target=self._run, name="notices", daemon=True).start()

    def wake(self) -> None:
        """There is something to do."""
        self._bell.set()

    def sweep(self) -> None:
        """Do all that is due."""
        query = "SELECT * FROM notice WHERE done_at IS NULL AND next_at <= ? ORDER BY received_at"
        for notice in self._store.all(query, int(time.time())):
            self._work_off(notice)

    def _run(self) -> None:
        while True:
            self._bell.clear()
            self.sweep()
            self._bell.wait(_PAUSE)

    def _work_off(self, notice: Row) -> None:
        utility, now = self._utilities.get(notice["utility"]), int(time.time())
        if utility is None:
            return  # of a registration we no longer have
        done: int | None = now
        try:
            told = list(self._act(utility, addresses(notice["body"])))
        except NotNow as error:
            told = [("", str(error))]
            done = now if notice["received_at"] < now - _A_DAY else None
        except ElementTree.ParseError as error:
            told = [("", f"It cannot be read: {error}")]
        self._store.do(
            "UPDATE notice SET told = ?, done_at = ?, next_at = ? WHERE utility = ? AND id = ?",
            json.dumps(told), done, now + _PAUSE, utility.code, notice["id"],
        )  # fmt: skip

    def _act(self, utility: Utility, named: list[str]) -> Iterator[tuple[str, str]]:
        """Each address and what came of it. Whatever a message says, our tokens go nowhere but to what we know."""
        for address in named:
            plain = address.partition("?")[0]
            query = "SELECT * FROM home WHERE utility = ? AND ? IN (resource_uri, customer_uri, authorization_uri)"
            home = self._store.one(query, utility.code, plain)
            if home is not None:
                yield address, self._fetch(utility, home, address, plain)
            elif "/ApplicationInformation/" in address:
                yield address, "Our registration changed: something for a person to look at."
            elif plain == address and self._is_authorization(utility, address):
                found = homes.authorization(utility, address)
                state = (
                    "began at the utility and waits for its customer" if found["status"] == "1" else "is over"
                )
                yield address, f"An authorization {state}."
            else:
                yield address, "Nothing we fetch."

    def _fetch(self, utility: Utility, home: Row, address: str, plain: str) -> str:
        try:
            if plain == home["authorization_uri"]:
                return homes.look_again(self._store, utility, home["id"])
            if plain == home["resource_uri"]:
                return homes.fetch_window(self._store, utility, home["id"], address)
            return homes.fetch_customer(self._store, utility, home["id"])
        except Ended:
            homes.end(self._store, home["id"], "It no longer lets us in.")
            return "This access has ended."

    def _is_authorization(self, utility: Utility, address: str) -> bool:
        collection = oauth.own(utility)["authorizationURI"] + "/"
        return address.startswith(collection) and bool(_AN_ID.fullmatch(address.removeprefix(collection)))
