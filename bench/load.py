"""A load generator on one core, servers on the other, and nginx with the same bytes to compare with."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

SERVER_CORE, LOAD_CORE = "0", "1"
ON_SERVER_CORE = ("taskset", "-c", SERVER_CORE)

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ application/atom+xml xml; }}
  gzip_types application/atom+xml; gzip_comp_level 1; gzip_proxied any;
  server {{
    listen 127.0.0.1:{port}; root {folder};
    location /plain/ {{ alias {folder}/; gzip off; }}
    location /compressed/ {{ alias {folder}/; gzip on; }}
  }}
}}
"""


def program(name: str) -> str | None:
    """Where a program is; Debian keeps nginx where only root looks."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def absent() -> list[str]:
    """What has to be installed before HTTP can be measured."""
    return [name for name in ("nginx", "wrk", "taskset") if program(name) is None]


def rate(url: str, *headers: str, connections: int, seconds: int) -> float:
    """Answered requests a second; ends the run where any answer is not the one meant."""
    given = [word for header in headers for word in ("-H", header)]
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *given, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url} did not answer as it should:\n{said}")
    [found] = re.findall(r"Requests/sec:\s+([\d.]+)", said)
    return float(found)


def interleaved(ways: dict[str, Callable[[], float]], repetitions: int) -> dict[str, float]:
    """The median rate of each way, over repetitions in which all take turns."""
    seen: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            seen[name].append(way())
    return {name: median(rates) for name, rates in seen.items()}


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """nginx, one worker on the server's core, with a folder's files under `/plain/` and `/compressed/`."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port, user=user))
    command = [*ON_SERVER_CORE, str(program("nginx")), "-p", str(folder), "-c", str(configuration)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait(port: int) -> None:
    """Until somebody listens there."""
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"Nothing came up on port {port}.")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
