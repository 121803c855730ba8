"""What the demo says to the person who started it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click

from espi_server.settings import Settings


def curl(answer: Mapping[str, Any], query: str = "") -> str:
    """One line for a shell that fetches the feed a token answer opens."""
    bearer = shlex.quote(f"Authorization: Bearer {answer['access_token']}")
    return f"curl --compressed -H {bearer} {shlex.quote(answer['resourceURI'] + query)}"


def greet(settings: Settings, line: str) -> None:
    """Where to look and what to try, once the server listens."""
    click.echo(
        f"""
  The demo is up: nine households, three utilities, thirteen months of data.

  Look          {settings.base_url}
  Get a feed    paste this into another terminal; its token is good for a day

{line}

  Another one   espi-server demo --prepare --household solar
  Read on       docs/quickstart.md
  Stop          Ctrl-C; the next start is quick. Start over with espi-server demo --reset
"""
    )
    click.get_text_stream("stdout").flush()
