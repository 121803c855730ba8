"""Posting to strangers: whatever they do, it ends in time, in little memory, and at the address that was checked."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence

import pytest
import trustme

from espi_server.adapters.http import Answer, Client, NoAnswer
from espi_server.adapters.reach import BadAddress, Reach
from tests.adapters.strangers import request, says, stranger

ANYWHERE = Reach(anywhere=True)
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
SHORT = 0.6  # seconds everything may take, where a test is about what never ends
PATIENCE = 10 * SHORT

AUTHORITY = trustme.CA()


def post(port: int, **more: object) -> Answer:
    client = Client(reach=ANYWHERE, **{"deadline": 5.0, **more})
    return client.post(
        f"http://127.0.0.1:{port}/notify?x=1", b"<BatchList/>", {"Content-Type": "application/xml"}
    )


def test_a_post_arrives_as_it_was_given() -> None:
    seen = []

    def behave(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello")

    with stranger(behave) as port:
        answer = post(port)

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /notify?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in head
    assert body == b"<BatchList/>"
    assert (answer.status, answer.is_success, answer.body, answer.whole) == (200, True, b"hello", True)
    assert answer.headers["retry-after"] == "7"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked = []

    def elsewhere(connection: socket.socket) -> None:
        asked.append(request(connection))
        connection.sendall(OK)

    with stranger(elsewhere) as other:
        where = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{other}/\r\n\r\n".encode()
        with stranger(says(where)) as port:
            answer = post(port)

    assert (answer.status, answer.is_success) == (307, False)
    assert asked == []


def drip(head: bytes, piece: bytes) -> object:
    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return behave


def test_a_head_that_drips_ends_at_the_deadline() -> None:
    began = time.monotonic()

    with stranger(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")) as port, pytest.raises(NoAnswer, match="time"):
        post(port, deadline=SHORT)

    assert time.monotonic() - began < PATIENCE


def test_a_body_that_drips_ends_at_the_deadline_and_the_status_counts() -> None:
    began = time.monotonic()

    with stranger(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a")) as port:
        answer = post(port, deadline=SHORT)

    assert (answer.status, answer.whole) == (200, False)
    assert 0 < len(answer.body) < 100
    assert time.monotonic() - began < PATIENCE


def test_endless_interim_answers_end_at_the_deadline() -> None:
    with stranger(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")) as port, pytest.raises(NoAnswer):
        post(port, deadline=SHORT)


def test_an_endless_body_is_read_up_to_the_limit() -> None:
    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"a" * 65_536)

    with stranger(behave) as port:
        answer = post(port, most=1_000)

    assert (len(answer.body), answer.whole) == (1_000, False)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 60_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
    ids=["long header", "many headers", "another protocol", "nothing", "no status", "tls alert"],
)
def test_what_is_no_answer_is_told_as_none(answer: bytes) -> None:
    with stranger(says(answer)) as port, pytest.raises(NoAnswer):
        post(port)


@pytest.mark.parametrize(
    ("length", "read"), [(b"1000000000000", b"short"), (b"2", b"sh")], ids=["promises more", "promises less"]
)
def test_a_length_that_lies_changes_nothing(length: bytes, read: bytes) -> None:
    with stranger(says(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nshort")) as port:
        answer = post(port)

    assert (answer.status, answer.body) == (200, read)


def test_a_compressed_bomb_stays_compressed() -> None:
    with stranger(
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
    ) as port:
        answer = post(port)

    assert answer.body == b"\x1f\x8b\x08\x00"


def test_a_reader_that_takes_nothing_ends_at_the_deadline() -> None:
    began = time.monotonic()
    with stranger(lambda _: time.sleep(5)) as port, pytest.raises(NoAnswer):
        Client(reach=ANYWHERE, deadline=SHORT).post(f"http://127.0.0.1:{port}/", b"a" * 50_000_000, {})

    assert time.monotonic() - began < PATIENCE


def test_a_resolver_that_does_not_answer_ends_at_the_deadline() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(5)
        return ["127.0.0.1"]

    with pytest.raises(NoAnswer, match="resolved in time"):
        Client(reach=ANYWHERE, deadline=SHORT, resolve=slow).post("http://slow.example.org/", b"", {})


# --- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.org/notify",
        "ftp://api.example.org/",
        "file:///etc/passwd",
        "gopher://api.example.org/",
        "//api.example.org/",
        "https:///notify",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.0x1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://metadata/",
        "https://api.example.org./",
        "https://api.example.org@127.0.0.1/",
        "https://127.0.0.1@api.example.org/",
        "https://user:word@api.example.org/",
        "https://api.example.org\\@127.0.0.1/",
        "https://api.example.org\t/",
        "https://api.example.org/ x",
        "https://api.example.org/\r\nHost: x",
        "https://１２７.0.0.1/",
        "https://api。example。org/",
        "https://api.example.org:22/",
        "https://api.example.org:99999/",
        "https://api.example.org:x/",
        "https://api.example.org/#part",
        "https://-api.example.org/",
        "https://api_1.example.org/",
        "https://" + "a" * 3_000 + ".example.org/",
    ],
)
def test_an_address_of_the_wrong_form_is_refused_before_anything_is_asked(address: str) -> None:
    def nobody(host: str, port: int) -> Sequence[str]:
        raise AssertionError(f"{host} was resolved")

    with pytest.raises(BadAddress):
        Client(resolve=nobody).post(address, b"", {})


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
        "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1",
        "2001:db8::1", "2001::1", "2002:7f00:1::", "3fff::1", "fec0::1", "5f00::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_to_a_number_that_is_not_public_is_refused(ip: str) -> None:
    with pytest.raises(BadAddress, match="not a public address"):
        Client(resolve=lambda host, port: ["93.184.215.14", ip]).post("https://api.example.org/", b"", {})


@pytest.mark.parametrize("ip", ["93.184.215.14", "8.8.8.8", "2606:2800:220:1::1"])
def test_public_numbers_are_allowed(ip: str) -> None:
    Reach().allow(ip)


def test_another_port_is_allowed_where_the_installation_says_so() -> None:
    assert Reach(ports=frozenset({443, 8443})).check("https://api.example.org:8443/n").port == 8443


def test_the_number_that_was_checked_is_the_number_that_is_called() -> None:
    """A name whose meaning changes between two questions is asked once."""
    asked = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with stranger(says(OK)) as port:
        answer = Client(reach=ANYWHERE, resolve=rebinding).post(
            f"http://changing.example.org:{port}/", b"", {}
        )

    assert answer.status == 204
    assert asked == ["changing.example.org"]


def test_the_next_number_of_a_name_is_tried_where_the_first_does_not_answer() -> None:
    with stranger(says(OK)) as port:
        client = Client(reach=ANYWHERE, resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"])

        assert client.post(f"http://two.example.org:{port}/", b"", {}).status == 204


# --- TLS -----------------------------------------------------------------------------------------------


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def serving(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    return context


def test_the_name_of_the_address_is_verified_although_a_number_is_called() -> None:
    client = Client(reach=ANYWHERE, resolve=lambda host, port: ["127.0.0.1"], tls=trusting())

    with stranger(says(OK), serving("api.example.org")) as port:
        assert client.post(f"https://api.example.org:{port}/", b"", {}).status == 204
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            client.post(f"https://other.example.org:{port}/", b"", {})


def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    client = Client(reach=ANYWHERE, resolve=lambda host, port: ["127.0.0.1"])

    with stranger(says(OK), serving("api.example.org")) as port, pytest.raises(NoAnswer, match="CERTIFICATE"):
        client.post(f"https://api.example.org:{port}/", b"", {})


def test_old_tls_is_refused() -> None:
    assert Client().tls.minimum_version >= ssl.TLSVersion.TLSv1_2


# --- a proxy -------------------------------------------------------------------------------------------


def test_through_a_proxy_the_name_is_left_to_it_and_the_environment_plays_no_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def proxy(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with stranger(proxy) as port, pytest.raises(NoAnswer):
        Client(proxy=f"http://127.0.0.1:{port}").post("https://api.example.org/n", b"", {})

    assert seen[0].startswith(b"CONNECT api.example.org:443 HTTP/1.1\r\n")
