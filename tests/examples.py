"""How many examples a property is tried with: some for every day, ten times as many in `make soak`."""

from __future__ import annotations

import hypothesis

EVERY_DAY, LONG = "house", "long"


def register() -> None:
    """Both profiles; `--hypothesis-profile=long` chooses the other one. No test measures time: load must not decide."""
    hypothesis.settings.register_profile(EVERY_DAY, deadline=None)
    hypothesis.settings.register_profile(LONG, deadline=None, max_examples=1_000)


def examples(number: int) -> int:
    """So many, or ten times as many."""
    return number * 10 if hypothesis.settings.get_current_profile_name() == LONG else number
