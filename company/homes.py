"""A customer's connection: keeping its tokens fresh, fetching what is new, and noticing that it is over."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Connection, Row
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import ParseError

import requests

from . import feed, oauth
from .oauth import Ended
from .store import Store
from .utilities import PATIENCE, NotNow, Utility

_EARLY = 60  # seconds before its end a token is replaced
_PIECE = 64 * 1024


def connect(store: Store, utility: Utility, visitor: str, answer: Mapping[str, Any]) -> str:
    """Keep what a customer let us have; the id of her new home here."""
    id, now = uuid.uuid4().hex, int(time.time())
    store.do(
        "INSERT INTO home (id, visitor, utility, scope, access_token, refresh_token, expires_at, resource_uri,"
        " authorization_uri, customer_uri, connected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        id, visitor, utility.code, answer["scope"], answer["access_token"], answer["refresh_token"],
        now + answer["expires_in"], answer["resourceURI"], answer["authorizationURI"],
        answer.get("customerResourceURI", ""), now,
    )  # fmt: skip
    return id


def fetch(store: Store, utility: Utility, id: str) -> str:
    """Fetch everything that is new to us, and say what came of it. Raises Ended or NotNow."""
    home = _home(store, id)
    told = _fetch_usage(store, utility, home, home["resource_uri"], home["etag"])
    if not home["name"]:
        fetch_customer(store, utility, id)
    return told


def fetch_customer(store: Store, utility: Utility, id: str) -> str:
    """Fetch whose home it is, where she shared that: it stands in a feed of its own, apart from usage."""
    address = _home(store, id)["customer_uri"]
    if not address:
        return "She did not share who she is."
    with _get(store, utility, id, address) as answer:
        store.do("UPDATE home SET name = ? WHERE id = ?", _read(answer).customer, id)
    return "We know who she is."


def fetch_window(store: Store, utility: Utility, id: str, address: str) -> str:
    """Fetch what a notification named: a part of what `fetch` would bring."""
    return _fetch_usage(store, utility, _home(store, id), address, "")


def look_again(store: Store, utility: Utility, id: str) -> str:
    """Ask with our own token what became of an authorization: its scope may have changed, or it has ended."""
    home = _home(store, id)
    found = authorization(utility, home["authorization_uri"])
    if found["status"] != "1":
        end(store, id, "It told us that you stopped sharing, or that the time was over.")
        return "This access has ended."
    if found["scope"] != home["scope"]:
        # What we may see has changed, and with it what an unchanged feed would mean.
        store.do("UPDATE home SET scope = ?, etag = '' WHERE id = ?", found["scope"], id)
        return "What we may see has changed."
    return "This access is as we know it."


def authorization(utility: Utility, address: str) -> dict[str, str]:
    """One of our authorizations, element by element: `status` is 1 as long as it stands, `scope` what it grants."""
    found = _authorizations(utility, oauth.own(utility), address)
    if not found:
        raise NotNow("There is no authorization at this address.")
    return found[0]


def authorizations(utility: Utility) -> list[dict[str, str]]:
    """All of them, also those that have ended and those we missed the beginning of."""
    token = oauth.own(utility)
    return _authorizations(utility, token, token["authorizationURI"])


def _authorizations(utility: Utility, token: Mapping[str, Any], address: str) -> list[dict[str, str]]:
    with _good(_got(address, {"Authorization": f"Bearer {token['access_token']}"})) as answer:
        return _read(answer).authorizations


def end(store: Store, id: str, why: str) -> None:
    """It is over: tokens are of no use any more, and not ours to keep."""
    store.do(
        "UPDATE home SET ended_at = ?, ended_why = ?, access_token = '', refresh_token = ''"
        " WHERE id = ? AND ended_at IS NULL",
        int(time.time()), why, id,
    )  # fmt: skip


def forget(store: Store, id: str) -> None:
    """Delete all we have of a home."""
    with store.transaction() as db:
        for table, name in (("block", "home"), ("bill", "home"), ("home", "id")):
            db.execute(f"DELETE FROM {table} WHERE {name} = ?", (id,))


def fresh_token(store: Store, utility: Utility, id: str, refused: str = "") -> str:
    """An access token that works: the one we have, or the next one where that is old, or was `refused`.

    A refresh token works once; whoever presents it again ends all that followed. So the transaction stays open while we
    ask, the next waits for it, and finds the new token.
    """
    with store.transaction() as db:
        home = db.execute("SELECT * FROM home WHERE id = ?", (id,)).fetchone()
        if home is None or home["ended_at"]:
            raise Ended("This access has ended.")
        token: str = home["access_token"]
        if token == refused or home["expires_at"] < time.time() + _EARLY:
            answer = oauth.refresh(utility, home["refresh_token"])
            db.execute(
                "UPDATE home SET access_token = ?, refresh_token = ?, expires_at = ?, scope = ? WHERE id = ?",
                (
                    answer["access_token"], answer["refresh_token"], int(time.time()) + answer["expires_in"],
                    answer["scope"], id,
                ),
            )  # fmt: skip
            token = answer["access_token"]
    return token


def _fetch_usage(store: Store, utility: Utility, home: Row, address: str, etag: str) -> str:
    with _get(store, utility, home["id"], address, etag) as answer:
        if answer.status_code == requests.codes.not_modified:
            return _told(store, home["id"], "Nothing is new.")
        found = _read(answer)
        tag = answer.headers.get("ETag", "")
    with store.transaction() as db:
        _keep(db, home["id"], found, address)
        if address == home["resource_uri"]:
            db.execute("UPDATE home SET etag = ? WHERE id = ?", (tag, home["id"]))
    return _told(store, home["id"], f"{_counted(found)} came.")


def _counted(found: feed.Feed) -> str:
    readings, bills = sum(block.number for block in found.blocks), len(found.bills)
    return f"{readings:,} readings" + (f" and {bills} {'bill' if bills == 1 else 'bills'}" if bills else "")


def _keep(db: Connection, id: str, found: feed.Feed, address: str) -> None:
    """A feed tells of all blocks there are now between its two moments, so those we have from there go first."""
    since, until = _window(address)
    db.execute("DELETE FROM block WHERE home = ? AND start + duration > ? AND start < ?", (id, since, until))
    for each in found.blocks:
        if series := found.series(each):
            amount = each.total * series.factor
            taken, given = (0.0, amount) if series.is_given else (amount, 0.0)
            db.execute(
                "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (id, each.href, each.start, each.duration, series.unit, taken, given, each.number),
            )
    for bill in found.bills:
        db.execute("INSERT OR REPLACE INTO bill VALUES (?, ?, ?, ?, ?)", (id, *bill))


def _window(address: str) -> tuple[int, int]:
    """The moments between which a feed tells all there is."""
    said = parse_qs(urlsplit(address).query)
    since, until = (said.get(name, [""])[0] for name in ("published-min", "published-max"))
    return (_seconds(since) if since else 0), (_seconds(until) if until else 2**40)


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp())


def _home(store: Store, id: str) -> Row:
    home = store.one("SELECT * FROM home WHERE id = ? AND ended_at IS NULL", id)
    if home is None:
        raise Ended("This access has ended.")
    return home


def _told(store: Store, id: str, words: str) -> str:
    store.do("UPDATE home SET fetched_at = ?, told = ? WHERE id = ?", int(time.time()), words, id)
    return words


def _get(store: Store, utility: Utility, id: str, address: str, etag: str = "") -> requests.Response:
    """GET with the customer's token. After a 401 one more try with a new one; then it is over."""
    token = fresh_token(store, utility, id)
    conditions = {"If-None-Match": etag} if etag else {}
    answer = _got(address, {"Authorization": f"Bearer {token}", **conditions})
    if answer.status_code == requests.codes.unauthorized:
        answer.close()
        token = fresh_token(store, utility, id, refused=token)
        answer = _got(address, {"Authorization": f"Bearer {token}", **conditions})
    if answer.status_code == requests.codes.unauthorized:
        answer.close()
        raise Ended("The utility takes our token no more.")
    return _good(answer)


def _got(address: str, headers: Mapping[str, str]) -> requests.Response:
    """The body comes as it is read, and gzipped on the way: requests asks for that by itself."""
    try:
        return requests.get(
            address, headers=dict(headers), stream=True, timeout=PATIENCE, allow_redirects=False
        )
    except requests.RequestException as error:
        raise NotNow(f"The utility did not answer: {error}") from error


def _good(answer: requests.Response) -> requests.Response:
    if answer.status_code in (requests.codes.ok, requests.codes.not_modified):
        return answer
    answer.close()
    wait = answer.headers.get("Retry-After", "")
    later = f" Try again in {wait} seconds." if wait else ""
    if answer.status_code == requests.codes.accepted:
        raise NotNow(f"The utility is preparing it.{later}")
    raise NotNow(f"The utility answered {answer.status_code}.{later}")


def _read(answer: requests.Response) -> feed.Feed:
    try:
        return feed.read(answer.iter_content(_PIECE))
    except (ParseError, requests.RequestException) as error:  # one that broke off is as good as none
        raise NotNow(f"The feed did not come whole: {error}") from error
