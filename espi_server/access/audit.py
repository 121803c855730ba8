"""The record of acts: who gave, took or changed access to whose data, chained so that nobody can rewrite it unseen.

Each utility has a chain of its own. An act's digest is an HMAC over the act and the digest before it, under a key that
only the installation's secret yields, so whoever can write to the database but does not know the secret can neither
change an act nor add one. Acts are noted where they happen and chained as the last thing before their commit: the
chain is locked for a moment, numbers have no gaps, and no act is without its record or the other way round.

What is recorded are ids, scopes and times: no token, code or secret, nothing personal.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access.models import AuditEvent
from espi_server.db import at_last, secret_of
from espi_server.errors import Internal

SERVER: Final = "server"
"""The actor where nobody asked: time passed, or a rule did it."""

SEALED: Final = "disclosures.sealed"

ACTS: Final[Mapping[str, frozenset[str]]] = {
    act: frozenset(names.split())
    for act, names in {
        "authorization.granted": "application customer scope history_from until method consent waits_until",
        "authorization.begun": "application customer scope history_from until method consent",
        "authorization.changed": "application scope history_from until method consent",
        "authorization.ended": "application reason",
        "consent.declined": "application customer reason",
        "authorization.narrowed": "application agreements",
        "authorization.moved": "application agreements",
        "agreement.closed": "",
        "agreement.reopened": "",
        "case.opened": "application customer number topic",
        "case.added": "number",
        "case.answered": "number",
        "case.forwarded": "number digest",
        "case.closed": "number outcome",
        "consent.asked": "application scope until",
        "consent.sent": "application customer",
        "code.issued": "application customer scope until",
        "code.replayed": "application authorization",
        "code.withdrawn": "application customer reason",
        "token.issued": "kind application authorization family scope until",
        "token.revoked": "kind application authorization",
        "token.replayed": "application authorization family",
        "challenge.sent": "purpose reference way",
        "challenge.passed": "purpose way",
        "challenge.failed": "purpose tries",
        "batch.asked": "application authorization bulk path query form",
        "invitation.made": "policy scope uses until",
        "invitation.withdrawn": "times",
        "application.added": "client_id policy status",
        "application.changed": "fields",
        "application.status": "before after",
        "application.secret": "purpose overlap",
        "customers.told": "kind customers",
        "client.refused": "hour times",
        "key.made": "purpose state",
        "key.rotated": "purpose before",
        "feature.changed": "customer_class state planned_for",
        "login.opened": "customer",
        "login.closed": "reason",
        "login.reopened": "",
        "login.link": "purpose",
        "login.password": "reason",
        "login.factor": "kind change",
        "login.email": "change",
        "login.provider": "issuer",
        "session.begun": "customer amr",
        "session.ended": "reason",
        "customer.sought": "application claims found",
        "data.exported": "query form entries size",
        "audit.exported": "start end",
        SEALED: "rows first last digest",
    }.items()
}
"""Every act, and what is written down of it, beside the `group` of those that are one (`together`)."""

FIRST: Final = bytes(32)
"""What the first act of a chain follows."""

GROUP: Final = "group"
_GROUP = "espi_acts_group"
_WAITING = "espi_acts"
_LOCK = 0x41554454  # "AUDT": advisory locks of chains, beside a number of the utility
_PURPOSE = b"espi_server: audit chain, 1"


@dataclass(frozen=True)
class Act:
    """What happened, as it will be chained: `actor` did `act` to `subject`."""

    at: int
    act: str
    actor: str
    subject: str
    detail: Mapping[str, Any]


def record(
    session: Session, utility_id: uuid.UUID, act: str, *, actor: str, subject: str, **detail: Any
) -> None:
    """Write down an act in the transaction of the act. `detail` has the names that `ACTS` lists for it."""
    if _GROUP in session.info:
        detail = {**detail, GROUP: session.info[_GROUP]}
    waiting = session.info.get(_WAITING)
    if waiting is None:
        waiting = session.info[_WAITING] = defaultdict(list)
        at_last(session, _chain)
    waiting[utility_id].append(made(act, actor, subject, detail))


@contextmanager
def together(session: Session) -> Iterator[None]:
    """Whatever is recorded meanwhile is one: its acts have the same `group`, an id. The outermost counts."""
    if _GROUP in session.info:
        yield
        return
    session.info[_GROUP] = str(uuid.uuid4())
    try:
        yield
    finally:
        del session.info[_GROUP]


def made(act: str, actor: str, subject: str, detail: Mapping[str, Any]) -> Act:
    """An act of this moment; names that are not its own are a mistake of ours."""
    unknown = detail.keys() - ACTS.get(act, frozenset()) - {GROUP}
    if act not in ACTS or unknown:
        raise Internal(f"The audit does not know {act} with {', '.join(sorted(unknown))}.")
    plain = {name: _plain(value) for name, value in detail.items() if value is not None}
    return Act(clock.seconds(), act, _text(actor)[:256], _text(subject)[:256], plain)


def _plain(value: Any) -> Any:
    """The value as JSON has it and gives it back: texts, whole numbers, yes and no, and lists of them."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str | uuid.UUID):
        return _text(str(value))
    raise Internal(f"The audit cannot write down a {type(value).__name__}.")


def _text(text: str) -> str:
    """Without what PostgreSQL or UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _chain(session: Session) -> None:
    """What was recorded, chained; utilities in one order, so that two transactions never wait for each other."""
    for utility_id, acts in sorted(session.info.pop(_WAITING).items()):
        append(session, utility_id, acts)


def append(session: Session, utility_id: uuid.UUID, acts: Sequence[Act]) -> int:
    """Chain acts now, holding the utility's chain until the commit; the number of the last of them."""
    _hold(session, utility_id)
    last, previous = head(session, utility_id)
    key = key_of(secret_of(session), utility_id)
    rows: list[dict[str, Any]] = []
    for number, each in enumerate(acts, last + 1):
        row: dict[str, Any] = {
            "utility_id": utility_id, "number": number, "at": each.at, "act": each.act, "actor": each.actor,
            "subject": each.subject, "detail": dict(each.detail), "key": key.name, "previous": previous,
        }  # fmt: skip
        previous = row["digest"] = key.digest(row)
        rows.append(row)
    session.execute(insert(AuditEvent), rows)
    return last + len(acts)


def head(session: Session, utility_id: uuid.UUID) -> tuple[int, bytes]:
    """Number and digest of the last act of a chain; 0 where there is none."""
    newest = (
        select(AuditEvent.number, AuditEvent.digest)
        .where(AuditEvent.utility_id == utility_id)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )
    found = session.execute(newest).first()
    return (found.number, bytes(found.digest)) if found else (0, FIRST)


def _hold(session: Session, utility_id: uuid.UUID) -> None:
    # SQLite's writing door is a lock already. Two utilities of one number share a lock, which does no harm.
    if session.get_bind().dialect.name == "postgresql":
        number = utility_id.int % 2**31
        session.execute(select(func.pg_advisory_xact_lock(_LOCK, number)))


@dataclass(frozen=True)
class Key:
    """The key of a utility's chain under one secret; its `name` stands in each act and tells nothing."""

    name: str
    key: bytes

    def digest(self, row: Mapping[str, Any]) -> bytes:
        """HMAC-SHA256 over the row, everything but the digest itself."""
        said = {name: row[name] for name in ("number", "at", "act", "actor", "subject", "detail", "key")}
        said |= {"utility": str(row["utility_id"]), "previous": bytes(row["previous"]).hex()}
        return hmac.new(self.key, canonical(said), hashlib.sha256).digest()


@lru_cache(maxsize=256)
def key_of(secret: str, utility_id: uuid.UUID) -> Key:
    """RFC 5869. Without a secret, which development alone allows, anybody can make the key."""
    derived = HKDF(SHA256(), 36, salt=None, info=_PURPOSE + utility_id.bytes).derive(secret.encode())
    return Key(derived[32:].hex(), derived[:32])


def canonical(value: Any) -> bytes:
    """The one way to write it as JSON: RFC 8785, for what stands here.

    Names are ASCII and there are no fractions, so sorted names and no blanks are all of that standard that is left.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
