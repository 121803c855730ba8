"""What we ask a customer for, and what she gave us.

A scope names function blocks (`FB`), how fine and how far back, and the data classes by name. Ask for what you use: the
customer reads this list, and may take away from it. What you got is the scope in the token answer, never the one you
asked for.
"""

from __future__ import annotations

CLASSES = {
    "Usage": "how much you use, by quarter-hours",
    "Billing": "what your bills come to",
    "Basic": "your name and where the meter is",
}

# Interval readings of electricity and gas, also for roofs that give back (7, 8, 17); bills (15, 16, 27, 28); whose and
# where (54, 55, 58). Thirteen months of quarter-hours, a block a day.
ASKED = (
    "FB=4_5_7_8_10_15_16_17_27_28_54_55_58;IntervalDuration=900;BlockDuration=daily;HistoryLength=34128000;"
    f"AdditionalScope={'_'.join(CLASSES)}"
)


def split(granted: str) -> tuple[dict[str, str], dict[str, str]]:
    """Of the classes we ask for, those a scope grants and those it leaves out, each in words."""
    terms = dict(term.partition("=")[::2] for term in granted.split(";"))
    named = terms.get("AdditionalScope", "").split("_")
    inside = {name: words for name, words in CLASSES.items() if name in named}
    return inside, {name: words for name, words in CLASSES.items() if name not in named}
