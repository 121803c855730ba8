"""Installs the system packages the tests want, where that is possible: as root, with apt. Else says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

WANTED = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "curl": "curl", "chromium": "chromium"}


def main() -> None:
    missing = [program for program in WANTED if not shutil.which(program)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _install([WANTED[program] for program in missing])
        missing = [program for program in WANTED if not shutil.which(program)]
    if missing:
        print(
            f"Not here: {', '.join(missing)}. The tests that need them will skip and say so.", file=sys.stderr
        )


def _install(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Packages must not start their own servers here.
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
