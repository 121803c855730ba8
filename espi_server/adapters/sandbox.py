"""The sandbox's telephone: it keeps what would have been sent, so that a page can show it. Never with real people."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.adapters.post import Letter
from espi_server.at_rest import Personal
from espi_server.db import PII, Base, Code, Database, Id, Name, Seconds, add_if_new
from espi_server.settings import BadSetting, Settings


class SandboxMessage(Base):
    """A message the sandbox's telephone got."""

    __tablename__ = "sandbox_message"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    at: Mapped[Seconds]
    way: Mapped[Code]  # mail or text
    sender: Mapped[Name]
    recipient: Mapped[str] = mapped_column(Personal("sandbox_message.recipient"), info=PII)
    language: Mapped[Code]
    subject: Mapped[str] = mapped_column(Personal("sandbox_message.subject"), info=PII)
    body: Mapped[str] = mapped_column(Personal("sandbox_message.body"), info=PII)

    __table_args__ = (Index(None, "at"),)


class Telephone:
    """Takes mail and text messages; refuses to exist where people are real."""

    def __init__(self, database: Database, settings: Settings) -> None:
        if settings.mode != "development":
            raise BadSetting(
                "The sandbox's telephone shows everybody's messages to everybody; it exists in development only."
            )
        self._database = database

    def mail(self, letter: Letter) -> None:
        """Keep it; the same letter once."""
        self._keep(letter, "mail", letter.text)

    def text(self, letter: Letter) -> None:
        """Keep its short form; the same letter once."""
        self._keep(letter, "text", letter.short)

    def _keep(self, letter: Letter, way: str, body: str) -> None:
        values = {
            "id": letter.id, "utility_id": letter.utility_id, "at": clock.seconds(), "way": way,
            "sender": letter.sender, "recipient": letter.to, "language": letter.language, "subject": letter.subject,
            "body": body,
        }  # fmt: skip
        with self._database.writing() as session:
            add_if_new(session, SandboxMessage, values)


def received(session: Session, *, most: int = 100) -> list[SandboxMessage]:
    """What the telephone got, the newest first."""
    newest = select(SandboxMessage).order_by(SandboxMessage.at.desc(), SandboxMessage.id.desc())
    return list(session.scalars(newest.limit(most)))
