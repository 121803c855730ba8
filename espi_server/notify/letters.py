"""Telling people: one place where words become mail and text messages, in their language, in both forms.

A template is plain text whose first line is the subject; the HTML is made from the very same paragraphs, so the two
cannot say different things. Its short form, for text messages, stands beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound, select_autoescape
from sqlalchemy.orm import Session

from espi_server.adapters.post import Letter, Mail, Text, Undelivered
from espi_server.db import Database
from espi_server.jobs.worker import GivesUp
from espi_server.notify.sending import Failed, Message

LANGUAGES = ("en", "es")


@dataclass(frozen=True)
class Note:
    """What is to be said to whom: the words are in the templates. `others` get the same mail.

    `sent` is done once it has left.
    """

    sender: str
    email: str | None
    phone: str | None
    language: str
    values: Mapping[str, Any]
    others: Sequence[str] = ()
    sent: Callable[[Session], None] | None = None


Compose = Callable[[Session, Message], Note]
"""Finds out what a message says, at the moment it leaves; raises Moot where there is nothing to say any more, and
GivesUp where nobody is there to say it to."""


@dataclass(frozen=True)
class People:
    """Sends mail to whom an address is known of, else a text message. `mail` and `text` where they are set up."""

    database: Database
    composers: Mapping[str, Compose]
    mail: Mail | None
    text: Text | None

    def send(self, message: Message) -> None:
        """Deliver it, or raise Failed, GivesUp or Moot."""
        compose = self.composers.get(message.kind)
        if compose is None:
            raise GivesUp(f"Nobody here knows how to say {message.kind}.")
        with self.database.reading() as session:
            note = compose(session, message)
        try:
            self._hand_over(message, note)
        except Undelivered as error:
            raise (GivesUp(str(error)) if error.final else Failed(str(error))) from error
        if note.sent is not None:
            with self.database.writing() as session:
                note.sent(session)

    def _hand_over(self, message: Message, note: Note) -> None:
        if note.email and self.mail is not None:
            for each in (note.email, *note.others):
                self.mail.mail(written(message.id, message.utility_id, message.kind, note, each))
        elif note.phone and self.text is not None:
            self.text.text(written(message.id, message.utility_id, message.kind, note, note.phone))
        elif note.email or note.phone:
            raise GivesUp("Neither mail (ESPI_MAIL_URL) nor text messages (ESPI_TEXT_URL) can reach them.")
        else:
            raise GivesUp(
                "Neither an e-mail address nor a telephone number of this customer is known: write a letter."
            )


def written(id: uuid.UUID, utility_id: uuid.UUID, kind: str, note: Note, to: str) -> Letter:
    """The letter a note becomes, in the note's language if there are words for it, else in English."""
    language = note.language if note.language in LANGUAGES else LANGUAGES[0]
    subject, _, text = _said(f"{language}/{kind}.txt", note.values).partition("\n")
    html = _HOUSE.get_template("letter.html").render(
        language=language, subject=subject, blocks=list(_blocks(text)), sender=note.sender
    )
    short = _said(f"{language}/{kind}.short.txt", note.values)
    return Letter(
        id=id, utility_id=utility_id, sender=note.sender, to=to, language=language, subject=subject,
        text=text.strip() + "\n", html=html, short=" ".join(short.split()),
    )  # fmt: skip


def kinds() -> frozenset[str]:
    """What can be said, in every language."""
    said = [name.partition("/") for name in _HOUSE.list_templates(extensions=["txt"])]
    short = ".short.txt"
    return frozenset(name.removesuffix(short) for language, _, name in said if name.endswith(short))


def _said(template: str, values: Mapping[str, Any]) -> str:
    try:
        return _HOUSE.get_template(template).render(**values).strip()
    except TemplateNotFound as error:
        raise GivesUp(f"There are no words for this: {error}.") from error


def _blocks(text: str) -> Iterator[list[str]]:
    """Paragraphs and lists; the lines of a list begin with a dash."""
    for paragraph in text.strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        listed = [line for line in lines if line.startswith("- ")]
        plain = [line for line in lines if not line.startswith("- ")]
        if plain:
            yield [" ".join(plain)]
        if listed:
            yield ["", *(line.removeprefix("- ") for line in listed)]


_HOUSE = Environment(
    loader=PackageLoader("espi_server.notify"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
