"""What lets a company register an application itself: the operator's invitation, or a statement of the authority.

Registration is closed (RFC 7591 3, "protected"): an invitation is an initial access token, for one company, for so
many applications and until then; a statement is a note the central authority has signed, and works once.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, delete, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.access import applications, audit, tokens
from espi_server.access.oauth import policies, statements
from espi_server.access.oauth.errors import BadStatement
from espi_server.access.oauth.statements import Authority
from espi_server.accounts.models import Utility
from espi_server.db import Base, Code, Digest, Id, Name, Seconds, add_if_new
from espi_server.errors import Unauthorized


class Invitation(Base):
    """An initial access token: `uses` applications of one company may still be registered with it."""

    __tablename__ = "invitation"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), index=True)
    company: Mapped[Name]
    policy: Mapped[Code]
    scope: Mapped[str]  # the most its applications may ask for; "": everything the policy allows
    uses: Mapped[int]
    created_by: Mapped[Name]
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds]


class UsedStatement(Base):
    """The `jti` of a software statement that registered an application, so that it does so once."""

    __tablename__ = "used_statement"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    expires_at: Mapped[Seconds] = mapped_column(index=True)


class NotInvited(Unauthorized):
    """This invitation is unknown, used up, or over. Ask the utility for one."""


@dataclass(frozen=True)
class Admitted:
    """Who may register: for which company, under which policy, asking for at most what, and by what it was let in."""

    company: str
    policy: str
    scope: str
    by: str


def invite(
    session: Session,
    utility: Utility,
    company: str,
    *,
    policy: str = "standard",
    scope: str = "",
    uses: int = 1,
    lifetime: int = 14 * tokens.DAY,
    by: str,
) -> str:
    """A new invitation, in clear and once."""
    now = clock.seconds()
    token = tokens.chance("invitation")
    session.add(
        Invitation(
            digest=tokens.digest(token),
            utility_id=utility.id,
            company=applications.checked(company),
            policy=policies.named(policy).name,
            scope=scope,
            uses=uses,
            created_by=by,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    audit.record(
        session, utility.id, "invitation.made", actor=by, subject=f"invitation:{tokens.digest(token).hex()}",
        policy=policy, scope=scope, uses=uses, until=now + lifetime,
    )  # fmt: skip
    return token


def withdraw(session: Session, utility: Utility, company: str, *, by: str = audit.SERVER) -> int:
    """No invitation of this company works any more; how many that were."""
    done: Any = session.execute(
        delete(Invitation).where(Invitation.utility_id == utility.id, Invitation.company == company)
    )
    if done.rowcount:
        audit.record(
            session, utility.id, "invitation.withdrawn", actor=by, subject="invitation", times=int(done.rowcount)
        )  # fmt: skip
    return int(done.rowcount)


def by_invitation(session: Session, utility_id: uuid.UUID, token: str) -> Admitted:
    """Use an invitation once; of many who try at once as many succeed as it has uses."""
    now = clock.seconds()
    digest = tokens.digest(token)
    session.execute(delete(Invitation).where(Invitation.expires_at <= now - tokens.DAY))
    done: Any = session.execute(
        update(Invitation)
        .where(
            Invitation.digest == digest,
            Invitation.utility_id == utility_id,
            Invitation.uses > 0,
            Invitation.expires_at > now,
        )
        .values(uses=Invitation.uses - 1)
    )
    if not done.rowcount:
        raise NotInvited()
    found = session.get_one(Invitation, digest)
    return Admitted(found.company, found.policy, found.scope, "invitation")


def by_statement(
    session: Session, utility_id: uuid.UUID, authority: Authority | None, statement: Any, issuer: str
) -> tuple[Admitted, Mapping[str, Any]]:
    """Use a statement once: who is let in by it, and what it says of the application."""
    found = statements.read(authority, statement, issuer)
    session.execute(delete(UsedStatement).where(UsedStatement.expires_at < clock.seconds()))
    used = {"utility_id": utility_id, "digest": tokens.digest(found.jti), "expires_at": found.ends}
    if not add_if_new(session, UsedStatement, used):
        raise BadStatement("This software statement was used before.")
    return Admitted(found.company, "standard", "", "statement"), found.metadata
