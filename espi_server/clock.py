"""The one place that knows what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def seconds() -> int:
    """The present moment in whole seconds since 1970 UTC, the unit of every ESPI time."""
    return int(time.time())
