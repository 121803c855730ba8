"""Mail and text messages leave through every door alike: a real relay, a real gateway, and the doors for trials."""

from __future__ import annotations

import io
import json
import secrets
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from espi_server.adapters.gateway import Gateway
from espi_server.adapters.http import Client, Reach
from espi_server.adapters.post import Console, Letter, Mail, Text, Undelivered
from espi_server.adapters.sandbox import Telephone, received
from espi_server.adapters.smtp import Smtp
from espi_server.db import Database
from espi_server.settings import BadSetting, Settings
from tests import make

AUTHORITY = trustme.CA()
LETTER = Letter(
    id=uuid.UUID(int=7), utility_id=uuid.UUID(int=1), sender="Valley Electric", to="ada@example.org", language="es",
    subject="Sun ya puede ver sus datos de energía", text="Hola:\n\n¿No fue usted?\n", html="<p>Hola:</p>",
    short="Sun puede ver sus datos",
)  # fmt: skip
TO_PHONE = replace(LETTER, to="+1 (530) 555-0142")


class Relay:
    """What a real relay got; it may refuse recipients and messages."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.answer_rcpt = self.answer_data = ""
        self.logins: list[tuple[str, str]] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.answer_rcpt:
            return self.answer_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer_data:
            return self.answer_data
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"pass:word")


@contextmanager
def relay(*, offers_tls: bool = True) -> Iterator[tuple[Relay, int]]:
    """A real SMTP server on this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    mine = Relay()
    more: dict[str, Any] = (
        {"tls_context": context, "require_starttls": True, "authenticator": mine.authenticate}
        if offers_tls
        else {}
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(mine, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield mine, port
    finally:
        controller.stop()


def smtp(port: int, login: str = "") -> Smtp:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return Smtp(f"smtp://{login}localhost:{port}", "energy@valley.example", patience=5, tls=context)


@contextmanager
def gateway(status: int = 200) -> Iterator[tuple[list[tuple[dict[str, str], Any]], Gateway]]:
    """A real HTTP gateway on this machine, and the door to it."""
    got: list[tuple[dict[str, str], Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield got, Gateway(f"http://127.0.0.1:{server.server_port}/m", "t0ken", Client(Reach(anywhere=True)))
    finally:
        server.shutdown()
        server.server_close()


# --- mail ----------------------------------------------------------------------------------------------


def test_mail_arrives_whole_in_both_forms_over_tls_and_after_a_login() -> None:
    with relay() as (mine, port):
        smtp(port, "energy:pass%3Aword@").mail(LETTER)

    [got] = mine.got
    assert mine.logins == [("energy", "pass:word")]
    assert str(got["Subject"]) == LETTER.subject
    assert str(got["From"]) == "Valley Electric <energy@valley.example>"
    assert (got["To"], got["Content-Language"], got["Auto-Submitted"]) == (
        "ada@example.org",
        "es",
        "auto-generated",
    )
    plain, html = got.get_body(("plain",)), got.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content().strip() == LETTER.html


def test_the_same_letter_keeps_its_message_id() -> None:
    with relay() as (mine, port):
        for _ in range(2):
            smtp(port, "energy:pass%3Aword@").mail(LETTER)

    assert mine.got[0]["Message-ID"] == mine.got[1]["Message-ID"] == f"<{LETTER.id}@valley.example>"


def test_a_relay_without_tls_gets_nothing() -> None:
    with relay(offers_tls=False) as (mine, port), pytest.raises(Undelivered, match="STARTTLS") as raised:
        smtp(port).mail(LETTER)

    assert mine.got == []
    assert not raised.value.final


def test_a_relay_nobody_vouches_for_gets_nothing() -> None:
    with relay() as (mine, port), pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
        Smtp(f"smtp://localhost:{port}", "energy@valley.example", patience=5).mail(LETTER)

    assert mine.got == mine.logins == []


def test_a_wrong_login_is_a_matter_of_settings_and_tried_again() -> None:
    with relay() as (_, port), pytest.raises(Undelivered) as raised:
        smtp(port, "energy:wrong@").mail(LETTER)

    assert not raised.value.final
    assert "wrong" not in str(raised.value)


@pytest.mark.parametrize(("answer", "final"), [("550 no such user", True), ("451 try later", False)])
@pytest.mark.parametrize("which", ["answer_rcpt", "answer_data"])
def test_what_the_relay_says_decides_whether_it_is_tried_again(which: str, answer: str, final: bool) -> None:
    with relay() as (mine, port), pytest.raises(Undelivered, match=answer) as raised:
        setattr(mine, which, answer)
        smtp(port, "energy:pass%3Aword@").mail(LETTER)

    assert raised.value.final is final


def test_a_relay_that_is_away_is_tried_again() -> None:
    with pytest.raises(Undelivered) as raised:
        smtp(1).mail(LETTER)

    assert not raised.value.final


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "ada@example.org, eve@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "<ada@example.org>",
    ],
)
def test_what_is_no_address_of_mail_goes_nowhere(to: str) -> None:
    with pytest.raises(Undelivered) as raised:
        smtp(1).mail(replace(LETTER, to=to))

    assert raised.value.final


def test_a_subject_cannot_add_a_header() -> None:
    with relay() as (mine, port):
        smtp(port, "energy:pass%3Aword@").mail(replace(LETTER, subject="Hello\r\nBcc: eve@example.org"))

    assert mine.got[0]["Bcc"] is None


# --- text messages -------------------------------------------------------------------------------------


def test_a_text_message_reaches_the_gateway_with_an_id_it_can_know_again() -> None:
    with gateway() as (got, door):
        door.text(TO_PHONE)

    [(headers, body)] = got
    assert body == {"to": "+15305550142", "text": LETTER.short, "id": str(LETTER.id)}
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer t0ken", str(LETTER.id))


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (422, True), (401, False), (429, False), (503, False)]
)
def test_what_the_gateway_answers_decides_whether_it_is_tried_again(status: int, final: bool) -> None:
    with gateway(status) as (_, door), pytest.raises(Undelivered, match=str(status)) as raised:
        door.text(TO_PHONE)

    assert raised.value.final is final


@pytest.mark.parametrize("to", ["", "call me", "12", "+1530555014212345678", "911;ext=1"])
def test_what_is_no_number_goes_nowhere(to: str) -> None:
    with gateway() as (got, door), pytest.raises(Undelivered) as raised:
        door.text(replace(LETTER, to=to))

    assert raised.value.final
    assert got == []


# --- every door ----------------------------------------------------------------------------------------


def test_the_doors_for_trials_take_what_the_real_ones_take(database: Database) -> None:
    letter = replace(LETTER, utility_id=make.utility(database).id)
    stream = io.StringIO()
    doors: list[Any] = [Console(stream), Telephone(database, make.settings())]

    for door in doors:
        mail: Mail = door
        text: Text = door
        mail.mail(letter)
        mail.mail(letter)
        text.text(replace(TO_PHONE, utility_id=letter.utility_id, id=uuid.UUID(int=8)))

    assert LETTER.subject in stream.getvalue()
    assert LETTER.short in stream.getvalue()
    with database.reading() as session:
        assert sorted((each.way, each.body) for each in received(session)) == [
            ("mail", LETTER.text), ("text", LETTER.short)
        ]  # fmt: skip


def test_the_sandboxs_telephone_refuses_to_exist_among_real_people(database: Database) -> None:
    with pytest.raises(BadSetting, match="development"):
        Telephone(database, Settings(mode="production", secret_key="x" * 40))


@pytest.mark.parametrize(
    "given",
    [
        {"ESPI_MAIL_URL": "console:"},
        {"ESPI_TEXT_URL": "console:"},
        {"ESPI_MAIL_URL": "smtp://relay.example.org:587"},
        {"ESPI_MAIL_URL": "http://relay.example.org"},
        {"ESPI_TEXT_URL": "ftp://gateway.example.org"},
        {"ESPI_EGRESS_PORTS": "443 0"},
        {"ESPI_EGRESS_PROXY": "socks5://proxy:1080"},
        {"ESPI_SENDERS": "0"},
        {"ESPI_NOTIFY_AFTER": "-1"},
    ],
)
def test_settings_of_doors_that_cannot_work_are_refused(given: dict[str, str]) -> None:
    safe = {"ESPI_SECRET_KEY": secrets.token_hex(32), "ESPI_BASE_URL": "https://data.example.org"}

    with pytest.raises(BadSetting, match=next(iter(given))):
        Settings.load(safe | given)
