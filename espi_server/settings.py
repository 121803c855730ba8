"""Every setting once: name, default, type, one line of help.

A setting comes from the environment (`ESPI_` + its name in capitals) or from the TOML file that `ESPI_CONFIG`
names; the environment wins. The README's table is printed from here, and a test keeps the two equal.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from espi_server.errors import Usage

PREFIX = "ESPI_"
CONSOLE = "console:"  # prints what would be sent
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 8  # different ones in a secret; 32 random hexadecimal digits have ten or more
OLDER_SECRETS = 2  # what is looked for in the database is looked for as each of them would have closed it
DEVELOPMENT_SECRET = "development-only-secret-not-for-real-people"  # noqa: S105 - refused in production


class BadSetting(Usage):
    """A setting has a value this server cannot use."""


def _text(value: Any) -> str:
    return str(value).strip()


def _number(value: Any) -> int:
    return int(str(value).replace("_", ""))


def _mode(value: Any) -> str:
    word = _text(value).lower()
    if word not in ("production", "development"):
        raise ValueError("production or development")
    return word


def _address(value: Any) -> str:
    address = _text(value).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an http or https address without query, such as https://data.example.org")
    return address


def _proxy(value: Any) -> str:
    if _text(value) == CONSOLE:
        raise ValueError("http://host:port")
    return _one_of_schemes(value, ("http",), "http://host:port")


def _mail(value: Any) -> str:
    return _one_of_schemes(value, ("smtp", "smtps"), "smtp://user:password@host:587 or smtps://…:465")


def _mailbox(value: Any) -> str:
    address = _text(value)
    if address and "@" not in address[1:-1]:
        raise ValueError("a mail address such as alarm@utility.example")
    return address


def _text_gateway(value: Any) -> str:
    return _one_of_schemes(
        value, ("https", "http"), "a web address such as https://gateway.example.org/messages"
    )


def _one_of_schemes(value: Any, schemes: tuple[str, ...], accepted: str) -> str:
    address = _text(value)
    parts = urlsplit(address)
    if address not in ("", CONSOLE) and (
        parts.scheme not in schemes or not parts.hostname or (parts.port or 1) < 1
    ):
        raise ValueError(accepted)
    return address


def _ports(value: Any) -> str:
    ports = [int(each) for each in _text(value).replace(",", " ").split()]
    if not ports or not all(0 < each < 65_536 for each in ports):
        raise ValueError("one or more ports such as 443 8443")
    return " ".join(map(str, ports))


def _older(value: Any) -> str:
    older = _text(value).split()
    if len(older) > OLDER_SECRETS:
        raise ValueError(f"at most {OLDER_SECRETS} secrets with blanks between")
    return " ".join(older)


def _days(value: Any) -> str:
    days = [int(each) for each in _text(value).replace(",", " ").split()]
    if not all(0 < each <= 365 for each in days):
        raise ValueError("numbers of days from 1 to 365, such as 30 7, or nothing")
    return " ".join(map(str, days))


def setting(default: Any, read: Callable[[Any], Any], help: str, *, secret: bool = False) -> Any:
    """One setting: its default, how its text is read, and a line of help."""
    return field(default=default, metadata={"read": read, "help": help, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """What an installation can choose. Built once, in `create_app()` or by the command line."""

    mode: str = setting("production", _mode, "`production`, or `development` for the demo and tests")
    database_url: str = setting(
        "sqlite:///espi.sqlite",
        _text,
        "where the data live: `sqlite:///file` or `postgresql://…`",
        secret=True,
    )
    secret_key: str = setting(
        "",
        _text,
        "at least 32 random characters; needed in production, development has one that everybody knows",
        secret=True,
    )
    secret_key_fallbacks: str = setting(
        "",
        _older,
        "secrets `ESPI_SECRET_KEY` had before, the latest first, two at most, with blanks between: what they closed "
        "still opens, until `espi-server keys reencrypt` has closed it anew",
        secret=True,
    )
    base_url: str = setting(
        "http://localhost:8000", _address, "the public address, without a utility's code; https in production"
    )
    proxies: int = setting(0, _number, "how many reverse proxies stand in front and set `X-Forwarded-*`")
    certificate_header: str = setting(
        "",
        _text,
        "the header in which the proxy hands on the TLS certificate a client has shown, such as "
        "`X-Client-Certificate`; needs `ESPI_PROXIES`, and the proxy must drop what clients send in it",
    )
    authority_keys: str = setting(
        "",
        _text,
        "a JWKS file with the public keys of the central authority, whose software statements let companies register; "
        "none: by invitation only",
    )
    authority_issuer: str = setting("", _text, "what the central authority calls itself in them (`iss`)")
    authority_mail: str = setting(
        "",
        _mailbox,
        "where the central authority takes reports about companies, for `espi-server case forward`",
    )
    workers: int = setting(1, _number, "server processes")
    threads: int = setting(32, _number, "threads per process; at least 32, so slow readers leave room")
    feeds: int = setting(24, _number, "feeds one process streams at once; below `threads`")
    feeds_per_application: int = setting(8, _number, "feeds one application may stream at once in a process")
    check_bytes: int = setting(
        8 * 1024 * 1024,
        _number,
        "bytes of a file that `/tools/validate` takes; larger ones are for the command",
    )
    check_seconds: int = setting(5, _number, "seconds of processor time one file may cost there")
    checks: int = setting(2, _number, "files judged there at once in a process")
    checks_per_hour: int = setting(
        60,
        _number,
        "files one address may have judged there an hour; set `ESPI_PROXIES` if a proxy stands in front",
    )
    upload_bytes: int = setting(
        64 * 1024 * 1024,
        _number,
        "bytes of a delivery over HTTP, as sent and unpacked; larger ones are for the command",
    )
    upload_at_once: int = setting(
        1024 * 1024, _number, "unpacked bytes up to which a delivery is taken in while its sender waits"
    )
    uploads: int = setting(4, _number, "deliveries one process receives at once; below `threads`")
    prepared_bytes: int = setting(
        1024 * 1024 * 1024,
        _number,
        "bytes, as gzip, of a batch that is prepared where a utility will have it; larger ones are sent at once",
    )
    prepared_seconds: int = setting(6 * 3600, _number, "seconds a prepared batch can be fetched")
    notify_after: int = setting(
        30,
        _number,
        "seconds changes wait before applications are told, so that those close together are one message",
    )
    expiry_notices: str = setting(
        "30 7",
        _days,
        "how many days before an authorization runs out its customer and company are told; empty for never",
    )
    senders: int = setting(
        8, _number, "messages `espi-server work` has on their way at once, each to another endpoint"
    )
    egress_proxy: str = setting(
        "", _proxy, "`http://host:port` through which applications are told; it resolves their names then"
    )
    egress_ports: str = setting("443", _ports, "ports of applications' addresses that may be spoken to")
    mail_url: str = setting(
        "",
        _mail,
        "the mail relay: `smtp://user:password@host:587` (STARTTLS, always) or `smtps://…:465`; none in development: "
        "the sandbox's telephone",
        secret=True,
    )
    mail_from: str = setting("", _text, "the sender's address of mail to customers")
    text_url: str = setting(
        "", _text_gateway, "the gateway for text messages: it gets `to`, `text` and `id` as JSON by POST"
    )
    text_token: str = setting("", _text, "the bearer token for that gateway", secret=True)
    contact_after: int = setting(
        172_800,
        _number,
        "seconds an address or a number must have stood in a customer's records before codes and links go there",
    )
    session_idle: int = setting(900, _number, "seconds after which a customer who does nothing is signed out")
    session_lifetime: int = setting(43_200, _number, "seconds after which she signs in again in any case")
    alarm_mail: str = setting(
        "",
        _mailbox,
        "where the installation's people are written to, when a token was used twice for example",
    )
    audit_checkpoints: str = setting(
        "", _text, "a folder outside the database for hourly signed checkpoints of the audit"
    )
    log_level: str = setting("INFO", _text, "`DEBUG`, `INFO`, `WARNING` or `ERROR`")

    @property
    def older_secrets(self) -> list[str]:
        """The secrets of `secret_key_fallbacks`."""
        return self.secret_key_fallbacks.split()

    @property
    def notice_days(self) -> list[int]:
        """The days of `expiry_notices`."""
        return sorted({int(each) for each in self.expiry_notices.split()})

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process; `BadSetting` names what is wrong and what would be right."""
        environ = os.environ if environ is None else environ
        values = _from_file(environ.get(PREFIX + "CONFIG", "")) | _from_environment(environ)
        return cls(**{name: _read(name, value) for name, value in values.items()}).checked()

    def checked(self) -> Settings:
        """These settings, or `BadSetting` where they are unsafe or contradict each other."""
        if self.threads < 32 or not 0 < self.feeds < self.threads:
            raise BadSetting(
                "ESPI_THREADS must be at least 32 and ESPI_FEEDS between 1 and ESPI_THREADS - 1."
            )
        if not 0 < self.feeds_per_application <= self.feeds:
            raise BadSetting("ESPI_FEEDS_PER_APPLICATION must be between 1 and ESPI_FEEDS.")
        if self.upload_bytes < 1 or self.upload_at_once < 0 or not 0 < self.uploads < self.threads:
            raise BadSetting(
                "ESPI_UPLOAD_BYTES must be at least 1, ESPI_UPLOAD_AT_ONCE at least 0 and ESPI_UPLOADS between 1 and "
                "ESPI_THREADS - 1."
            )
        if min(self.check_bytes, self.check_seconds, self.checks, self.checks_per_hour) < 1:
            raise BadSetting(
                "ESPI_CHECK_BYTES, ESPI_CHECK_SECONDS, ESPI_CHECKS and ESPI_CHECKS_PER_HOUR must be at least 1."
            )
        if self.certificate_header and not self.proxies:
            raise BadSetting(
                "ESPI_CERTIFICATE_HEADER needs ESPI_PROXIES: without a proxy anybody could write that header."
            )
        if self.authority_keys and not self.authority_issuer:
            raise BadSetting(
                "ESPI_AUTHORITY_KEYS needs ESPI_AUTHORITY_ISSUER, the iss of what those keys sign."
            )
        if min(self.prepared_bytes, self.prepared_seconds) < 1:
            raise BadSetting("ESPI_PREPARED_BYTES and ESPI_PREPARED_SECONDS must be at least 1.")
        if self.notify_after < 0 or not 0 < self.senders <= 200:
            raise BadSetting("ESPI_NOTIFY_AFTER must be at least 0 and ESPI_SENDERS between 1 and 200.")
        if not 0 < self.session_idle <= self.session_lifetime:
            raise BadSetting(
                "ESPI_SESSION_IDLE must be at least 1 and at most ESPI_SESSION_LIFETIME, both in seconds."
            )
        if self.contact_after < 0:
            raise BadSetting("ESPI_CONTACT_AFTER must be at least 0.")
        if self.mail_url not in ("", CONSOLE) and "@" not in self.mail_from:
            raise BadSetting("ESPI_MAIL_URL needs ESPI_MAIL_FROM, such as energy@utility.example.")
        if self.mode == "production":
            self._check_production()
        # Pages and keys need a secret, and nobody should have to make one to try things out.
        return self if self.secret_key else replace(self, secret_key=DEVELOPMENT_SECRET)

    @property
    def ways(self) -> tuple[str, ...]:
        """How customers can be written to: `mail`, `text`; in development the sandbox's telephone takes both."""
        is_demo = self.mode == "development"
        there = {"mail": bool(self.mail_url) or is_demo, "text": bool(self.text_url) or is_demo}
        return tuple(way for way, is_there in there.items() if is_there)

    def _check_production(self) -> None:
        if _is_guessable(self.secret_key):
            raise BadSetting(
                "ESPI_SECRET_KEY is missing, short, monotonous or the development one. Production needs at least "
                f"{SHORTEST_SECRET} random characters: `openssl rand -hex 32` prints some. "
                "For a trial on your own machine set ESPI_MODE=development."
            )
        if CONSOLE in (self.mail_url, self.text_url):
            raise BadSetting("ESPI_MAIL_URL and ESPI_TEXT_URL can be `console:` in development only.")
        if urlsplit(self.base_url).scheme != "https" and not _is_loopback(self.base_url):
            raise BadSetting(
                "ESPI_BASE_URL must be https in production (plain http only on a loopback address)."
            )


def _is_guessable(secret: str) -> bool:
    if len(secret) < SHORTEST_SECRET or secret == DEVELOPMENT_SECRET:
        return True
    return len(set(secret)) < FEWEST_CHARACTERS


def declared() -> list[tuple[str, str, str, bool]]:
    """Each setting as (variable, default, help, secret), in the order they are declared."""
    return [
        (PREFIX + each.name.upper(), str(each.default), each.metadata["help"], each.metadata["secret"])
        for each in fields(Settings)
    ]


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = (each.name for each in fields(Settings))
    return {name: environ[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in environ}


def _from_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadSetting(f"ESPI_CONFIG: the file {path} cannot be read as TOML: {error}") from error
    unknown = sorted(values.keys() - {each.name for each in fields(Settings)})
    if unknown:
        raise BadSetting(f"ESPI_CONFIG: {path} names settings that do not exist: {', '.join(unknown)}.")
    return values


def _read(name: str, value: Any) -> Any:
    declaration = next(each for each in fields(Settings) if each.name == name)
    try:
        return declaration.metadata["read"](value)
    except ValueError as error:
        help = declaration.metadata["help"]
        raise BadSetting(
            f"{PREFIX}{name.upper()}={value!r} is not usable: {error}. It means: {help}."
        ) from error


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
