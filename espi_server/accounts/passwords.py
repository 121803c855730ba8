"""Passwords as NIST SP 800-63B-4 wants them: long rather than queer, not on a list, and never looked up elsewhere.

At least 15 characters where a password is all there is, 8 where a second factor stands beside it; any characters, none
demanded. The list of common ones is the one PyPI's `zxcvbn` carries; names a guesser would try first are added.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

from espi_server.accounts import hashing
from espi_server.errors import BadRequest, Internal

ALONE: Final = 15
BESIDE: Final = 8  # where a second factor stands beside it
LONGEST: Final = 256
_ROWS = (
    "abcdefghijklmnopqrstuvwxyzabc", "012345678901234567890123", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjkl",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)  # fmt: skip
# A hash of nothing anybody knows, at today's cost: what a password is compared with where there is no login.
NOBODYS: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$tnA9K6OOUlp0aRAL0+nEVg$DmYgUViBb5is2Dmf55ytjQIbGitrve0r8d2s1iEFJ3c"
)


class TooShort(BadRequest):
    """The password is too short."""


class TooLong(BadRequest):
    """The password is longer than 256 characters."""


class TooCommon(BadRequest):
    """This password is one of those that are tried first. Choose another."""


def checked(password: str, *, alone: bool, about: Iterable[str] = ()) -> str:
    """The password as it will be kept, if it may be chosen. `about`: names a guesser would try, hers and others."""
    chosen = spelled(password)
    least = ALONE if alone else BESIDE
    if len(chosen) < least:
        raise TooShort(f"A password has {least} characters or more.", least=least)
    if len(chosen) > LONGEST:
        raise TooLong()
    if is_common(chosen, about):
        raise TooCommon()
    return chosen


def is_long(password: str) -> bool:
    """May it stand alone?"""
    return len(spelled(password)) >= ALONE


def is_common(password: str, about: Iterable[str] = ()) -> bool:
    """Is all of it something that is tried first: on the list, a row of keys, one thing again and again, or a name?"""
    whole = password.casefold()
    plain = _plain(whole)
    bare = plain.rstrip("0123456789")
    names = {_plain(part) for each in about for part in (each, each.partition("@")[0])} - {""}
    return (
        whole in common()
        or _once(whole) in common()
        or len(_once(whole)) <= 4
        or any((plain and plain in row) or (plain and plain in row[::-1]) for row in _ROWS)
        or plain in names
        or (bare in names and len(plain) - len(bare) <= 4)
    )


def digest(password: str) -> str:
    """What is kept of it."""
    return hashing.hashed(spelled(password).encode("utf-8", "surrogatepass"))


def matches(kept: str | None, password: str) -> bool:
    """Is it hers? Where there is nothing to compare it with, that is found out at the same cost."""
    given = spelled(password)
    is_one = kept is not None and len(given) <= LONGEST
    found = hashing.matches(
        kept if kept and is_one else NOBODYS, given[:LONGEST].encode("utf-8", "surrogatepass")
    )
    return found and is_one


def spelled(password: str) -> str:
    """The one way to write the same characters, so that another keyboard's spelling is the same password (NFKC)."""
    return unicodedata.normalize("NFKC", password)


@lru_cache(maxsize=1)
def common() -> frozenset[str]:
    """Common passwords of a length that could be chosen at all, in small letters.

    The module that holds them is run by itself and let go: its package would keep twelve megabytes more for good.
    """
    package = find_spec("zxcvbn")
    found = Path(next(iter(package.submodule_search_locations or [""]))) if package else Path()
    spec = spec_from_file_location("_common_words", found / "frequency_lists.py")
    if spec is None or spec.loader is None or not (found / "frequency_lists.py").is_file():
        raise Internal("The list of common passwords (zxcvbn) is not installed.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return frozenset(each for each in module.FREQUENCY_LISTS["passwords"] if len(each) >= BESIDE // 2)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", spelled(text).casefold())


def _once(text: str) -> str:
    """What is said again and again, once: `passwordpassword` → `password`."""
    again = (text + text).find(text, 1)
    return text[:again]
