"""The reverse proxies people put in front: nginx with its default upstream protocol (HTTP/1.0), and HAProxy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 15

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; }} }}
}}
"""
_HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:{port}
  default_backend feeds
backend feeds
  server one {address}
"""


@contextmanager
def direct(upstream: str, folder: Path) -> Iterator[str]:
    yield upstream


@contextmanager
def nginx(upstream: str, folder: Path) -> Iterator[str]:
    user = "user root;" if os.geteuid() == 0 else ""
    with _running("nginx", ["-p", str(folder), "-c"], _NGINX, upstream, folder, user=user) as url:
        yield url


@contextmanager
def haproxy(upstream: str, folder: Path) -> Iterator[str]:
    with _running("haproxy", ["-db", "-q", "-f"], _HAPROXY, upstream, folder) as url:
        yield url


EVERY: dict[str, Callable[[str, Path], object]] = {"direct": direct, "nginx": nginx, "haproxy": haproxy}


def missing(name: str) -> bool:
    """Is this proxy not installed here?"""
    return name != "direct" and program(name) is None


def program(name: str) -> str | None:
    """Where the program is; Debian keeps it where only root looks."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@contextmanager
def _running(
    name: str, arguments: list[str], configuration: str, upstream: str, folder: Path, **more: str
) -> Iterator[str]:
    port = _free_port()
    file = folder / f"{name}.conf"
    address = upstream.removeprefix("http://")
    file.write_text(
        configuration.format(port=port, upstream=upstream, address=address, folder=folder, **more)
    )
    process = subprocess.Popen([str(program(name)), *arguments, str(file)], stderr=subprocess.DEVNULL)
    try:
        _wait(process, port, name)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{name} did not come up.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
