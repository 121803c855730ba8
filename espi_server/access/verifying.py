"""Verifying the audit: is every act there as it was chained, and every disclosure as it was sealed?"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, Text, Uuid, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, checkpoints, disclosure_seals
from espi_server.access.checkpoints import Checkpoint
from espi_server.access.models import AuditEvent, Disclosure, DisclosureSeal
from espi_server.accounts.models import Utility

PAGE = 1_000
_ACT = tuple(AuditEvent.__table__.columns)
PATIENCE = 3600  # seconds a disclosure may wait for its seal before that is a finding


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written: what kind of thing, at which act, and in words."""

    kind: str
    number: int | None
    words: str


@dataclass
class Verdict:
    """What was looked at in a utility's audit, and what was found; `waiting` disclosures are not sealed yet."""

    utility: str
    acts: int = 0
    disclosures: int = 0
    waiting: int = 0
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: str, number: int | None, words: str) -> None:
        """One more finding."""
        self.findings.append(Finding(kind, number, words))


def verify(
    session: Session, utility: Utility, secrets: Sequence[str], known: Sequence[Checkpoint] = ()
) -> Verdict:
    """Look at all of a utility's audit. `secrets` are the installation's, the present one first; `known` are
    checkpoints of this utility from outside the database."""
    verdict = Verdict(utility.code)
    walk = _Walk(session, utility.id, secrets, {each.number: each for each in known}, verdict)
    walk.acts()
    _check_numbers(session, utility.id, verdict)
    for each in known:
        if not checkpoints.is_ours(session, utility.id, each, secrets):
            verdict.find("checkpoint", each.number, f"{each.file} is not signed by a key of {utility.code}.")
        elif each.number > walk.last:
            verdict.find(
                "cut",
                each.number,
                f"The chain ends at {walk.last}, but {each.file} of {when(each.at)} knows act {each.number}:"
                " what came after was removed.",
            )
    _check_seals(session, utility.id, verdict)
    _check_unsealed(session, utility.id, verdict)
    return verdict


class _Walk:
    """Along a chain, act by act; each thing that is wrong is found once, and the walk goes on behind it."""

    def __init__(
        self,
        session: Session,
        utility_id: uuid.UUID,
        secrets: Sequence[str],
        known: Mapping[int, Checkpoint],
        verdict: Verdict,
    ) -> None:
        self._session, self._utility_id, self._verdict = session, utility_id, verdict
        self._keys = {key.name: key for key in (audit.key_of(each, utility_id) for each in secrets)}
        self._known = known
        self._strange: set[str] = set()
        self.last = 0
        self._previous = audit.FIRST

    def acts(self) -> None:
        """Every act."""
        for row in pages(self._session, self._utility_id):
            self._verdict.acts += 1
            self._check_place(row)
            self._check_content(row)
            if row["act"] == audit.SEALED:
                self._check_seal(row)
            self.last, self._previous = row["number"], row["digest"]

    def _check_place(self, row: Mapping[str, Any]) -> None:
        number, last = row["number"], self.last
        if number != last + 1:
            missing = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
            self._verdict.find("missing", number, f"Before act {number} there is no act {missing}.")
        elif row["previous"] != self._previous:
            words = f"Act {number} was chained to another act {last} than the one that is here."
            self._verdict.find("unlinked", number, words)

    def _check_content(self, row: Mapping[str, Any]) -> None:
        number, checkpoint = row["number"], self._known.get(row["number"])
        if checkpoint is not None and checkpoint.digest != hexed(row["digest"]):
            words = f"Act {number} is another one than {checkpoint.file} of {when(checkpoint.at)} knows."
            self._verdict.find("rewritten", number, words)
        key = self._keys.get(row["key"])
        if key is None:
            self._check_key(row["key"], number)
        elif not isinstance(row["digest"], bytes) or not hmac.compare_digest(
            _digest(key, row), row["digest"]
        ):
            self._verdict.find("altered", number, f"Act {number} is not as it was written.")

    def _check_key(self, name: str, number: int) -> None:
        if name not in self._strange:
            self._strange.add(name)
            words = (
                f"From act {number} on there are acts chained under another ESPI_SECRET_KEY (key {name}). If it was "
                "changed, give the earlier one: --earlier-secret FILE."
            )
            self._verdict.find("key", number, words)

    def _check_seal(self, row: Mapping[str, Any]) -> None:
        number, detail = row["number"], row["detail"] if isinstance(row["detail"], dict) else {}
        lines = self._sealed_by(number)
        self._verdict.disclosures += len(lines)
        sealed = f"The {detail.get('rows')} disclosures that act {number} sealed at {when(row['at'])}"
        if len(lines) != detail.get("rows"):
            self._verdict.find("disclosures", number, f"{sealed} are {len(lines)} now.")
        elif _summed(lines) != detail.get("digest"):
            self._verdict.find("disclosures", number, f"{sealed} are not as they were.")

    def _sealed_by(self, number: int) -> list[list[Any]]:
        columns = [as_written(self._session, each) for each in disclosure_seals.LINE]
        lines = self._session.execute(
            select(*columns)
            .join(DisclosureSeal, DisclosureSeal.disclosure_id == Disclosure.id)
            .where(DisclosureSeal.utility_id == self._utility_id, DisclosureSeal.number == number)
            .order_by(Disclosure.id)
        )
        return [list(map(partial(said, self._session), disclosure_seals.LINE, line)) for line in lines]


def hexed(value: Any) -> str:
    """A digest in hex; what was tampered with as it is."""
    return value.hex() if isinstance(value, bytes) else str(value)


def when(moment: Any) -> str:
    """As people read it; what was tampered with may be no moment any more."""
    try:
        return clock.written(moment)
    except (TypeError, ValueError, OverflowError):
        return f"the moment {moment!r}"


def _digest(key: audit.Key, row: Mapping[str, Any]) -> bytes:
    """What the digest should be; none fits what can no longer be written as it was."""
    try:
        return key.digest(row)
    except (ValueError, TypeError, RecursionError):
        return b""


def _summed(lines: Sequence[Sequence[Any]]) -> str:
    """The digest of disclosures; none where one holds what nobody here can have written."""
    try:
        return disclosure_seals.digest(lines)
    except (ValueError, TypeError):
        return ""


def _check_numbers(session: Session, utility_id: uuid.UUID, verdict: Verdict) -> None:
    """Acts whose number is none, which stand nowhere in the chain. Only SQLite can hold such a thing."""
    if session.get_bind().dialect.name != "sqlite":
        return
    strange = select(func.count()).where(AuditEvent.utility_id == utility_id, ~_has_number())
    count = session.scalar(strange) or 0
    if count:
        verdict.find("altered", None, f"{count} acts have something else in the place of their number.")


def _has_number() -> Any:
    return func.typeof(AuditEvent.number) == "integer"


def _check_seals(session: Session, utility_id: uuid.UUID, verdict: Verdict) -> None:
    """Does every seal belong to an act that seals?"""
    sealing = select(AuditEvent.number).where(
        AuditEvent.utility_id == utility_id,
        AuditEvent.number == DisclosureSeal.number,
        AuditEvent.act == audit.SEALED,
    )
    mine = select(func.count()).where(DisclosureSeal.utility_id == utility_id, ~sealing.exists())
    strays = session.scalar(mine) or 0
    if strays:
        verdict.find("disclosures", None, f"{strays} disclosures name a seal that is not in the chain.")


def _check_unsealed(session: Session, utility_id: uuid.UUID, verdict: Verdict) -> None:
    """Disclosures without a seal: those that wait for one, and those that can never have come by the server."""
    sealed = select(DisclosureSeal.disclosure_id).where(DisclosureSeal.disclosure_id == Disclosure.id)
    oldest_of = as_written(session, func.min(Disclosure.at))
    open = select(func.count(), oldest_of).where(Disclosure.utility_id == utility_id, ~sealed.exists())
    first = disclosure_seals.since(session, disclosure_seals.FURTHER)
    added, earliest = session.execute(open.where(Disclosure.id < first)).one()
    earliest = said(session, Disclosure.at, earliest)
    if added:
        words = f"{added} disclosures were added to the record of a time that was sealed, from {when(earliest)} on."
        verdict.find("added", None, words)
    verdict.waiting, oldest = session.execute(open.where(Disclosure.id >= first)).one()
    oldest = said(session, Disclosure.at, oldest)
    if verdict.waiting and (not isinstance(oldest, int) or oldest < clock.seconds() - PATIENCE):
        words = (
            f"{verdict.waiting} disclosures are not sealed, the oldest of {when(oldest)}. Is "
            "`espi-server work` running?"
        )
        verdict.find("unsealed", None, words)


def pages(
    session: Session, utility_id: uuid.UUID, start: int | None = None, end: int | None = None
) -> Iterator[dict[str, Any]]:
    """A utility's acts in order, page by page; of [start, end) in epoch seconds where given."""
    columns = [as_written(session, each) for each in _ACT]
    mine = select(*columns).where(AuditEvent.utility_id == utility_id)
    if session.get_bind().dialect.name == "sqlite":
        mine = mine.where(_has_number())
    if start is not None:
        mine = mine.where(AuditEvent.at >= start)
    if end is not None:
        mine = mine.where(AuditEvent.at < end)
    number, more = 0, True
    while more:
        page = session.execute(
            mine.where(AuditEvent.number > number).order_by(AuditEvent.number).limit(PAGE)
        ).all()
        for each in page:
            row = {column.name: said(session, column, each._mapping[column.name]) for column in _ACT}
            yield row
            number = row["number"]
        more = len(page) == PAGE


# --- reading what was tampered with ---------------------------------------------------------------------
#
# SQLite holds anything anywhere: words in the place of a number, bytes that are no text, nothing where something has
# to be. So a column is asked for as bytes, with the kind of thing that stands there before them.


def as_written(session: Session, column: Any) -> Any:
    """The column as what stands there, whatever it is; `said` reads it."""
    if session.get_bind().dialect.name != "sqlite":
        return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
    there = type_coerce(column, Text())
    return cast(func.typeof(there) + " " + func.coalesce(there, ""), LargeBinary).label(column.name)


def said(session: Session, column: Any, value: Any) -> Any:
    """The value of a column that was asked for `as_written`: as text where it is none that such a column can have."""
    if session.get_bind().dialect.name != "sqlite":
        return _loaded(value) if isinstance(column.type, JSON) else value
    kind, _, written = value.partition(b" ")
    if kind == b"null":
        return None
    expected, meant = _MEANT.get(column.type.__class__, (b"text", bytes.decode))
    try:
        if kind == expected:
            return meant(written)
    except (ValueError, RecursionError):
        pass
    return value.decode("utf-8", "replace")


def _uuid(text: bytes) -> uuid.UUID | str:
    found = uuid.UUID(text.decode())
    return found if found.hex.encode() == text else text.decode()


_MEANT: Mapping[type, tuple[bytes, Callable[[bytes], Any]]] = {
    Integer: (b"integer", int), BigInteger: (b"integer", int), LargeBinary: (b"blob", bytes), Uuid: (b"text", _uuid),
    JSON: (b"text", json.loads),
}  # fmt: skip


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
