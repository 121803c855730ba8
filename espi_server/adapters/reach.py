"""Where this server may speak to: addresses that strangers name are checked by their form, then by what they mean.

A third party chooses the address it is notified at. Left unchecked it could point at this machine, its neighbours
or a cloud's metadata service, and make this server ask them on its behalf.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from espi_server.errors import BadValue

HTTPS = 443
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter: no way of writing an IPv4 address (127.1, 0x7f000001, 2130706433) does.
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_UNSEEN = re.compile(r"[^\x21-\x7e]|\\")
_LONGEST = 2_000

# IANA's special-purpose registries, where Python's `is_global` says otherwise in some version we run on.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(each)
    for each in (
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_PUBLIC_6 = ipaddress.ip_network(
    "2000::/3"
)  # all unicast there is; mapped, NAT64 and local addresses lie outside


class BadAddress(BadValue):
    """This address cannot be spoken to."""


class NotPublic(BadAddress):
    """The name of this address leads to a number that is not a public one."""


@dataclass(frozen=True)
class Reach:
    """What may be spoken to. `anywhere` is for development, and for addresses the operator himself has set."""

    anywhere: bool = False
    ports: frozenset[int] = frozenset({HTTPS})

    def check(self, address: str) -> SplitResult:
        """The parts of an address of the right form; `BadAddress` says what would be right."""
        parts = _split(address)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise BadAddress(
                f"{address!r} is no web address: give one such as https://api.example.org/notify."
            )
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise BadAddress(
                f"{address!r} has a user name or a fragment, which an address to speak to has not."
            )
        if not self.anywhere:
            self._check_public(address, parts)
        return parts

    def allow(self, ip: str) -> None:
        """`NotPublic` unless this number is a public one."""
        if not self.anywhere and not _is_public(ip):
            raise NotPublic(f"The name leads to {ip}, which is not a public address.")

    def _check_public(self, address: str, parts: SplitResult) -> None:
        if parts.scheme != "https":
            raise BadAddress(f"{address!r} must begin with https.")
        if not _NAME.fullmatch(parts.hostname or ""):
            raise BadAddress(f"{address!r} must name a host by its full DNS name, not by a number.")
        if (parts.port or HTTPS) not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise BadAddress(f"{address!r} names port {parts.port}; allowed is {allowed}.")


def _split(address: str) -> SplitResult:
    if _UNSEEN.search(address) or len(address) > _LONGEST:
        raise BadAddress(f"{address[:80]!r} is longer than {_LONGEST} or has characters no address has.")
    try:
        parts = urlsplit(address)
        _ = parts.port  # out of range or not a number
    except ValueError as error:
        raise BadAddress(f"{address!r} cannot be read: {error}.") from error
    return parts


def _is_public(text: str) -> bool:
    ip = ipaddress.ip_address(text.partition("%")[0])
    if ip.version == 6 and ip not in _PUBLIC_6:
        return False
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast
