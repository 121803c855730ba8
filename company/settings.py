"""Where things lie: from the environment, with defaults for a developer's machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """`utilities` is a file with secrets in it: keep it to yourself (chmod 600), and out of your repository."""

    port: int = 8001
    utilities: Path = Path("utilities.json")
    database: Path = Path("sunwise.sqlite")

    @staticmethod
    def load(environ: Mapping[str, str] = os.environ) -> Settings:
        """SUNWISE_PORT, SUNWISE_UTILITIES, SUNWISE_DATABASE."""
        return Settings(
            port=int(environ.get("SUNWISE_PORT", Settings.port)),
            utilities=Path(environ.get("SUNWISE_UTILITIES", Settings.utilities)),
            database=Path(environ.get("SUNWISE_DATABASE", Settings.database)),
        )

    @property
    def address(self) -> str:
        """Where browsers and utilities reach us."""
        return f"http://localhost:{self.port}"

    @property
    def callback(self) -> str:
        """Where utilities send browsers back to: registered with each of them, letter by letter."""
        return f"{self.address}/callback"
