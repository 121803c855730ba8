"""What goes to people, and the two doors it leaves by: mail and text messages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Protocol, TextIO


class Undelivered(Exception):
    """It did not leave. `final`: it never will, to this address."""

    def __init__(self, words: str, *, final: bool = False) -> None:
        super().__init__(words)
        self.final = final


@dataclass(frozen=True)
class Letter:
    """One message to one person, in both forms of mail and in the short one of a text message.

    The id stays the same however often it is sent; `sender` is the name of the utility that writes.
    """

    id: uuid.UUID
    utility_id: uuid.UUID
    sender: str
    to: str
    language: str
    subject: str
    text: str
    html: str
    short: str


class Mail(Protocol):
    """A way for mail to leave."""

    def mail(self, letter: Letter) -> None:
        """Hand it over, or raise Undelivered."""
        ...


class Text(Protocol):
    """A way for text messages to leave."""

    def text(self, letter: Letter) -> None:
        """Hand its short form over, or raise Undelivered."""
        ...


@dataclass(frozen=True)
class Console:
    """Prints instead of sending, for developers."""

    stream: TextIO

    def mail(self, letter: Letter) -> None:
        """Print it."""
        print(f"Mail to {letter.to}: {letter.subject}\n\n{letter.text}\n", file=self.stream, flush=True)

    def text(self, letter: Letter) -> None:
        """Print its short form."""
        print(f"Text to {letter.to}: {letter.short}\n", file=self.stream, flush=True)
