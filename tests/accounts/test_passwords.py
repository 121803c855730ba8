"""Passwords: how long, which not, and what it costs to find out that there is none."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from espi_server.accounts import hashing, passwords
from espi_server.accounts.passwords import TooCommon, TooLong, TooShort

pytestmark = pytest.mark.requirement("CEC5")


@pytest.mark.parametrize(
    ("password", "alone", "error"),
    [
        ("kettle orchard", True, TooShort),
        ("kettle orchard 7", True, None),
        ("kettle8", False, TooShort),
        ("kettle 8", False, None),
        ("ключ от дома и сад", True, None),
        ("🔑" * 8, False, TooCommon),
        ("x" * 257, True, TooLong),
        ("correct horse battery staple", True, None),
        # On the list, in any case, said twice, a row of keys, or one thing again and again.
        ("Password", False, TooCommon),
        ("trustno1", False, TooCommon),
        ("sunshineSUNSHINE", True, TooCommon),
        ("1234567890123456", True, TooCommon),
        ("zyxwvutsrqponmlkj", True, TooCommon),
        ("qwertyuiopasdfgh", True, TooCommon),
        ("aaaaaaaaaaaaaaaa", True, TooCommon),
        ("ab12ab12ab12ab12", True, TooCommon),
        # Hers, and the utility's.
        ("ada@example.org", True, TooCommon),
        ("Valley-Electric", False, TooCommon),
        ("valley electric 2026", True, TooCommon),
        ("valley electric bill is high", True, None),
    ],
)
def test_a_password_is_long_and_not_the_first_guess(password, alone, error):
    about = ("ada@example.org", "Valley Electric", "north")

    if error is None:
        assert passwords.checked(password, alone=alone, about=about) == password
    else:
        with pytest.raises(error):
            passwords.checked(password, alone=alone, about=about)


def test_what_two_keyboards_write_differently_is_one_password():
    kept = passwords.digest("Café ﬁlter 12345")

    assert passwords.matches(kept, "Cafe\N{COMBINING ACUTE ACCENT} filter 12345")
    assert not passwords.matches(kept, "Cafe filter 12345")


def test_where_there_is_nothing_to_compare_with_it_costs_the_same(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(hashing, "matches", lambda kept, secret: asked.append(kept) or True)

    assert not passwords.matches(None, "anything")
    assert not passwords.matches("", "x" * 257)
    assert asked == [passwords.NOBODYS] * 2


def test_nobody_s_hash_costs_what_hers_does_and_what_rfc_9106_asks(real_hashes):
    assert extract_parameters(hashing.hashed(b"lamp")) == RFC_9106_LOW_MEMORY
    assert extract_parameters(passwords.NOBODYS) == RFC_9106_LOW_MEMORY
    assert not hashing.is_stale(passwords.NOBODYS)
    assert hashing.is_stale("$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g")
    assert hashing.is_stale("nonsense")


def test_the_list_is_there_and_its_package_is_not_loaded():
    assert len(passwords.common()) > 10_000
    assert "password" in passwords.common()
