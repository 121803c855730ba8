"""Another address to sign in with: nothing changes before it is confirmed, and the old one can undo it for a week."""

from __future__ import annotations

from typing import Any

import pytest

from espi_server.accounts import email_changes, signin
from espi_server.accounts.models import Login
from tests import letterbox, make, ways
from tests.ways import Visitor
from tests.web.signing import MAIL, acts, ada, app, inside, link_in, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")
NEW = "ada.new@mail.example"


def asks(visitor: Visitor, email: str = f" {NEW.upper()} ", check: int = 303) -> Any:
    return visitor.send(visitor.get("security/email", check=200), "/security/email", check=check, email=email)


def signed_in(app: Any, mail: str = MAIL) -> Visitor:
    visitor = Visitor(app)
    visitor.sign_in(mail)
    return visitor


def told(box: letterbox.Box) -> dict[str, str]:
    """The link in the letter to each address."""
    return {letter.to: link_in(letter) for letter in box.empty()}


def presses(app: Any, link: str, check: int = 303, *, mail: str = "") -> Any:
    """A link in a letter, opened in some browser, and its one button; `mail` is who signs in there before."""
    visitor = Visitor(app, address="198.51.100.5")
    if mail:
        visitor.sign_in(mail)
    return visitor.send(
        visitor.get(link, check=200), link.partition("?")[0].partition("account")[2], check=check
    )


def address(town: Any, login: Any) -> tuple[str, str | None]:
    row = ways.login_of(town, login)
    return row.name, row.email


def test_a_new_address_is_hers_once_it_was_confirmed_and_the_old_one_opens_nothing(town, app, ada, freeze):
    freeze(make.NOW)
    box, visitor = letterbox.Box(town), signed_in(app)
    with town.writing() as session:
        reset = signin.link(session, session.get_one(Login, ada), signin.RESET)

    asks(visitor)
    page = visitor.get("security", check=200)
    links = told(box)
    still = address(town, ada)
    done = presses(app, links[NEW], mail=MAIL)

    assert set(links) == {MAIL, NEW}
    assert f"We sent a link to {NEW}" in page.text
    assert still == (MAIL, MAIL)
    assert address(town, ada) == (NEW, NEW)
    assert ways.login_of(town, ada).email_since == make.NOW  # no code goes there for two days
    assert done.headers["Location"].endswith("/security?said=email")
    assert Visitor(app).get(f"password/new?link={reset}").status_code == 404
    assert Visitor(app).get(links[NEW]).status_code == 404
    assert Visitor(app).sign_in(MAIL, check=400)
    assert signed_in(app, NEW).is_in
    assert [each for each in acts(town) if each[0] == "login.email"] == [
        ("login.email", {"change": "asked"}), ("login.email", {"change": "done"}),
    ]  # fmt: skip
    clear = letterbox.in_clear(town, "email_change", "email_link", "outbox", "audit_event")
    assert not any(each in clear for each in (NEW, *(link.partition("link=")[2] for link in links.values())))


def test_the_old_address_stops_it_before_and_undoes_all_of_it_for_a_week_after(town, app, ada, freeze):
    freeze(make.NOW)
    box, thief = letterbox.Box(town), signed_in(app)
    asks(thief)
    first = told(box)

    stopped = presses(app, first[MAIL])
    late = Visitor(app).get(first[NEW]).status_code
    asks(thief)
    second = told(box)
    presses(app, second[NEW], mail=MAIL)
    asks(thief, "third@mail.example")
    third = told(box)
    presses(app, third["third@mail.example"], mail=NEW)
    freeze(make.NOW + email_changes.REGRET - 1)
    undone = presses(app, second[MAIL])

    assert ("said=kept" in stopped.headers["Location"], late) == (True, 404)
    assert "said=undone" in undone.headers["Location"]
    assert address(town, ada) == (MAIL, MAIL)
    assert inside(town, ada) == []
    assert [Visitor(app).get(each).status_code for each in (second[MAIL], third[NEW])] == [404, 404]
    assert Visitor(app).sign_in(MAIL)
    freeze(make.NOW + email_changes.REGRET)
    with town.writing() as session:
        made = email_changes.begin(session, session.get_one(Login, ada), NEW)
        secret, _ = email_changes.link(session, made, email_changes.OBJECT)
    freeze(make.NOW + 2 * email_changes.REGRET)
    assert Visitor(app).get(f"email/keep?link={secret}").status_code == 404


def test_what_is_no_address_or_somebody_else_s_or_too_often_changes_nothing(town, app, ada):
    bob = ways.person(town, "C-2")
    box, visitor = letterbox.Box(town), signed_in(app)
    for wrong in (
        "",
        "ada",
        "a b@mail.example",
        "a@b@c",
        "a\u202e@mail.example",
        "x" * 250 + "@m.example",
        MAIL.upper(),
    ):
        assert "Enter another email address" in asks(visitor, wrong, 400).text
    asks(visitor, "c-2@mail.example")  # answered like any other
    letters = told(box)
    asks(visitor, "late@mail.example")
    late = told(box)["late@mail.example"]
    taken = ways.person(town, "C-2", email="late@mail.example")

    assert set(letters) == {MAIL}
    assert presses(app, late, 404, mail=MAIL)
    asks(visitor)
    assert "three times today" in asks(visitor, "more@mail.example", 429).text
    assert [address(town, each)[0] for each in (ada, bob, taken)] == [
        MAIL,
        "c-2@mail.example",
        "late@mail.example",
    ]
    south = Visitor(app, code="south")
    assert south.get(told(box)[NEW].replace("/north/", "/south/")).status_code == 404


def test_who_lives_on_codes_by_mail_sets_up_something_else_first(town, app, ada):
    ways.rule(town, second_factor=True)
    box, visitor = letterbox.Box(town), Visitor(app)
    visitor.sign_in(MAIL)
    page = visitor.follow(visitor.send(visitor.get("second-factor"), "/second-factor/send", way="mail"))
    visitor.send(page, "/second-factor", code=box.code())

    first = visitor.get("security/email", check=200)
    straight = visitor.post("security/email", visitor.get("security"), email=NEW)
    ways.app_of(town, ada)

    assert "Set up an app for codes first" in first.text
    assert straight.headers["Location"].endswith("/security/email")
    assert box.empty() == []
    assert asks(visitor)


def test_whose_mailbox_the_new_one_is_cannot_confirm_it_without_being_her(town, app, ada):
    ways.person(town, "C-2")
    box = letterbox.Box(town)
    asks(signed_in(app))
    link = told(box)[NEW]
    path = link.partition("account/")[2]
    stranger, bob, hers = Visitor(app), signed_in(app, "c-2@mail.example"), Visitor(app)

    sent_away = stranger.get(link, check=303).headers["Location"]
    forged = stranger.post(path, stranger.get("sign-in", check=200)).headers["Location"]
    refused = bob.get(link, check=403)
    also = bob.post(path, bob.get("security", check=200))

    assert all("/account/sign-in?next=" in each for each in (sent_away, forged))
    assert also.status_code == 403
    assert all("Somebody else is signed in here" in each.text for each in (refused, also))
    assert address(town, ada) == (MAIL, MAIL)
    hers.sign_in(MAIL)
    hers.send(hers.get(link, check=200), "/email/new")
    assert address(town, ada) == (NEW, NEW)
