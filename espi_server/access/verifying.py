"""Verifying the audit: is every act there as it was chained, and every disclosure as it was sealed?"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, checkpoints, disclosure_seals
from espi_server.access.checkpoints import Checkpoint
from espi_server.access.models import AuditEvent, Disclosure, DisclosureSeal
from espi_server.accounts.models import Utility

PAGE = 1_000
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
    for each in known:
        if not checkpoints.is_ours(session, utility.id, each, secrets):
            verdict.find("checkpoint", each.number, f"{each.file} is not signed by a key of {utility.code}.")
        elif each.number > walk.last:
            verdict.find(
                "cut",
                each.number,
                f"The chain ends at {walk.last}, but {each.file} of {_when(each.at)} knows act {each.number}:"
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
        if checkpoint is not None and checkpoint.digest != row["digest"].hex():
            words = f"Act {number} is another one than {checkpoint.file} of {_when(checkpoint.at)} knows."
            self._verdict.find("rewritten", number, words)
        key = self._keys.get(row["key"])
        if key is None:
            self._check_key(row["key"], number)
        elif not hmac.compare_digest(_digest(key, row), row["digest"]):
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
        lines = self._session.execute(
            select(*disclosure_seals.LINE)
            .join(DisclosureSeal, DisclosureSeal.disclosure_id == Disclosure.id)
            .where(DisclosureSeal.utility_id == self._utility_id, DisclosureSeal.number == number)
            .order_by(Disclosure.id)
        ).all()
        self._verdict.disclosures += len(lines)
        sealed = f"The {detail.get('rows')} disclosures that act {number} sealed at {_when(row['at'])}"
        if len(lines) != detail.get("rows"):
            self._verdict.find("disclosures", number, f"{sealed} are {len(lines)} now.")
        elif disclosure_seals.digest(lines) != detail.get("digest"):
            self._verdict.find("disclosures", number, f"{sealed} are not as they were.")


def _when(moment: Any) -> str:
    """As people read it; what was tampered with may be no moment any more."""
    try:
        return clock.written(moment)
    except (TypeError, ValueError, OverflowError):
        return f"the moment {moment!r}"


def _digest(key: audit.Key, row: Mapping[str, Any]) -> bytes:
    """What the digest should be; none fits what can no longer be written as it was."""
    try:
        return key.digest(row)
    except (ValueError, TypeError):
        return b""


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
    open = select(func.count(), func.min(Disclosure.at)).where(
        Disclosure.utility_id == utility_id, ~sealed.exists()
    )
    first = disclosure_seals.since(session, disclosure_seals.FURTHER)
    added, earliest = session.execute(open.where(Disclosure.id < first)).one()
    if added:
        words = f"{added} disclosures were added to the record of a time that was sealed, from {_when(earliest)} on."
        verdict.find("added", None, words)
    verdict.waiting, oldest = session.execute(open.where(Disclosure.id >= first)).one()
    if verdict.waiting and (not isinstance(oldest, int) or oldest < clock.seconds() - PATIENCE):
        words = (
            f"{verdict.waiting} disclosures are not sealed, the oldest of {_when(oldest)}. Is "
            "`espi-server work` running?"
        )
        verdict.find("unsealed", None, words)


def pages(
    session: Session, utility_id: uuid.UUID, start: int | None = None, end: int | None = None
) -> Iterator[dict[str, Any]]:
    """A utility's acts in order, page by page; of [start, end) in epoch seconds where given."""
    # As text: what was tampered with may be no JSON any more.
    detail = cast(AuditEvent.detail, Text).label("detail")
    columns = [detail if each.name == "detail" else each for each in AuditEvent.__table__.columns]
    mine = select(*columns).where(AuditEvent.utility_id == utility_id)
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
            row = dict(each._mapping)
            yield row | {"detail": _loaded(row["detail"])}
            number = row["number"]
        more = len(page) == PAGE


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
