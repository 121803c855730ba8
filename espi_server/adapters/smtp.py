"""Mail through a relay, never in clear text: STARTTLS is insisted on, or TLS is there from the start."""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from espi_server import clock
from espi_server.adapters.post import Letter, Undelivered

PATIENCE = 20.0  # seconds for each answer of the relay
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,253}")


@dataclass(frozen=True)
class Smtp:
    """A relay: `smtp://user:password@host:587`, or `smtps://…:465`."""

    url: str
    sender: str
    patience: float = PATIENCE
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def mail(self, letter: Letter) -> None:
        """Hand it to the relay, or raise Undelivered."""
        written = self._written(letter)
        try:
            with self._connected() as relay:
                relay.send_message(written)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise Undelivered(
                f"The relay refused the address: {code} {_said(words)}", final=code >= 500
            ) from error
        except smtplib.SMTPDataError as error:
            told = f"The relay refused the message: {error.smtp_code} {_said(error.smtp_error)}"
            raise Undelivered(told, final=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(f"The relay: {type(error).__name__}: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "smtps":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(
                host, parts.port or 465, timeout=self.patience, context=self.tls
            )
        else:
            relay = smtplib.SMTP(host, parts.port or 587, timeout=self.patience)
        try:
            if parts.scheme != "smtps":
                relay.starttls(context=self.tls)  # raises where the relay does not offer it
            if parts.username:
                relay.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            relay.close()
            raise
        return relay

    def _written(self, letter: Letter) -> EmailMessage:
        if not _ADDRESS.fullmatch(letter.to):
            raise Undelivered("The address is not one of mail.", final=True)
        message = EmailMessage()
        message["From"] = Address(letter.sender, addr_spec=self.sender)
        message["To"] = letter.to
        message["Subject"] = " ".join(letter.subject.split())
        message["Date"] = formatdate(clock.seconds())
        message["Message-ID"] = f"<{letter.id}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note is to answer it
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        message["Content-Language"] = letter.language  # last: giving it content drops such headers
        return message


def _said(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
