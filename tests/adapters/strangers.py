"""A real server on this machine that answers as badly as one likes: it is handed each connection raw."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Behave = Callable[[socket.socket], None]


@contextmanager
def stranger(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that does this with each connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(listening, behave, tls), daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def _serve(listening: socket.socket, behave: Behave, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_one, args=(connection, behave, tls), daemon=True).start()


def _one(connection: socket.socket, behave: Behave, tls: ssl.SSLContext | None) -> None:
    with connection:
        try:
            if tls is None:
                behave(connection)
                return
            with tls.wrap_socket(connection, server_side=True) as encrypted:
                behave(encrypted)
        except OSError:
            pass  # the other side has hung up, as it should


def request(connection: socket.socket) -> bytes:
    """What the client sent: its head and as much of the body as its length says."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65_536)
        if not more:
            return read
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Behave:
    """Reads the request, says this, and hangs up."""

    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(answer)

    return behave
