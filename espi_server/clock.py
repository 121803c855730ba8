"""The one place that knows what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def seconds() -> int:
    """The present moment in whole seconds since 1970 UTC, the unit of every ESPI time."""
    return int(time.time())


def written(moment: int) -> str:
    """Epoch seconds as people and machines read them: 2026-01-31T06:00:00Z."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
