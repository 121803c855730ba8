"""What is said to the person at the terminal."""

from __future__ import annotations

import click


def tell(message: str) -> None:
    """A line for the person at the terminal; data go to stdout instead."""
    click.echo(message, err=True)
