"""Asking other people's servers, hardened: what they do cannot hold, fill or mislead this one.

The name is resolved once, every number it leads to is checked, and the connection goes to one of those very numbers
while TLS still verifies the name, so that a name that changes its meaning in between gains nothing. Redirects are
not followed. One deadline covers resolving, connecting, the handshake, sending and reading: a limit per read alone
lets a server send a byte every few seconds for ever. Of the answer's body a few bytes are read, and never unpacked.

On httpcore, whose network backend is the one place all this has to stand in. requests-hardened was tried: it checks
and pins, but has neither a deadline nor a limit of size.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore

from espi_server import __version__
from espi_server.adapters.reach import BadAddress, Reach

CONNECT = 3.0  # seconds for one number of a name
DEADLINE = 10.0  # seconds for everything
MOST = 64 * 1024  # bytes of an answer's body
_FAILED = (
    httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError, OSError,
)  # fmt: skip

Resolve = Callable[[str, int], Sequence[str]]
"""The numbers a name leads to, in the order they are to be tried; raises OSError."""


class NoAnswer(Exception):
    """No answer came: the words say how far it got."""


@dataclass(frozen=True)
class Answer:
    """What came back. `whole` tells whether all of the body is here; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    seconds: float

    @property
    def is_success(self) -> bool:
        """2xx, and nothing else."""
        return 200 <= self.status < 300


def numbers(host: str, port: int) -> list[str]:
    """What the system's resolver says of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class Client:
    """Asks. With a `proxy` (http://host:port) the proxy resolves names, and is the wall."""

    reach: Reach = field(default_factory=Reach)
    proxy: str = ""
    deadline: float = DEADLINE
    connect: float = CONNECT
    most: int = MOST
    resolve: Resolve = numbers
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status. Raises BadAddress or NoAnswer."""
        return self._asked("POST", address, body, headers)

    def get(self, address: str, headers: Mapping[str, str]) -> Answer:
        """The same for what is only looked at."""
        return self._asked("GET", address, None, headers)

    def _asked(self, method: str, address: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        self.reach.check(address)
        began = time.monotonic()
        backend = _Backend(self, began + self.deadline)
        try:
            with self._pool(backend) as pool:
                return self._answer(pool, method, address, body, headers, began)
        except _FAILED as error:
            raise NoAnswer(
                f"{type(error).__name__} after {time.monotonic() - began:.1f} s: {error}"
            ) from error

    def _pool(self, backend: httpcore.NetworkBackend) -> httpcore.ConnectionPool:
        common: dict[str, Any] = {"ssl_context": self.tls, "network_backend": backend, "max_connections": 1}
        if self.proxy:
            return httpcore.HTTPProxy(self.proxy, **common)
        return httpcore.ConnectionPool(**common)

    def _answer(
        self,
        pool: httpcore.ConnectionPool,
        method: str,
        address: str,
        body: bytes | None,
        headers: Mapping[str, str],
        began: float,
    ) -> Answer:
        given: dict[bytes | str, bytes | str] = {
            "User-Agent": f"espi_server/{__version__}",
            "Connection": "close",
        }
        given.update(headers)
        limits = {
            "connect": self.connect,
            "read": self.deadline,
            "write": self.deadline,
            "pool": self.deadline,
        }
        with pool.stream(
            method, address, headers=given, content=body, extensions={"timeout": limits}
        ) as response:
            read, whole = self._read(response)
            names = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            return Answer(response.status, names, read, whole, time.monotonic() - began)

    def _read(self, response: httpcore.Response) -> tuple[bytes, bool]:
        """As much of the body as may be; what goes wrong in it does not undo the answer."""
        read = b""
        try:
            for piece in response.iter_stream():
                read += piece
                if len(read) > self.most:
                    return read[: self.most], False
        except _FAILED:
            return read, False
        return read, True


class _Backend(httpcore.NetworkBackend):
    """Connects to checked numbers, within the deadline."""

    def __init__(self, client: Client, until: float) -> None:
        self._client = client
        self._until = until
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """httpcore asks for each connection here."""
        failed: Exception = httpcore.ConnectError(f"{host} leads nowhere")
        for ip in self._checked(host, port):
            try:
                patience = min(self._client.connect, _left(self._until))
                stream = self._inner.connect_tcp(ip, port, timeout=patience, socket_options=socket_options)
                return _Stream(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def _checked(self, host: str, port: int) -> Sequence[str]:
        """All numbers of a name; if one is not allowed none is, for a name that means both means harm."""
        resolve = numbers if self._client.proxy else self._client.resolve
        found = _in_time(resolve, host, port, _left(self._until))
        if not self._client.proxy:  # else it is the operator's own proxy that we speak to
            for ip in found:
                self._client.reach.allow(ip)
        return found


class _Stream(httpcore.NetworkStream):
    """A connection on which everything together ends at one moment."""

    def __init__(self, inner: httpcore.NetworkStream, until: float) -> None:
        self._inner = inner
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, up to `max_bytes`."""
        return self._inner.read(max_bytes, timeout=_left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it, on the socket itself: httpcore allows the time for each piece anew."""
        connection = self._inner.get_extra_info("socket")
        view = memoryview(buffer)
        while view:
            connection.settimeout(_left(self._until))
            try:
                view = view[connection.send(view) :]
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """It is over."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted; the name is verified, not the number."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(self._until)), self._until)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of the connection."""
        return self._inner.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for all of it is over")
    return left


def _in_time(resolve: Resolve, host: str, port: int, seconds: float) -> Sequence[str]:
    """The numbers of a name, or ConnectTimeout: the system's resolver has no limit that we could set."""
    answer: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolve(host, port))
        except (OSError, UnicodeError) as error:
            answer.put(OSError(f"{host} cannot be resolved: {error}"))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty as error:
        raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
    if isinstance(found, OSError):
        raise found
    return found


__all__ = ["Answer", "BadAddress", "Client", "NoAnswer", "Reach", "numbers"]
