"""Coming in: a password, a passkey or the utility's own provider, then what else is wanted, then a session.

Every wait is asked for before anything is looked at, and every slow hash is made outside a transaction. Whether a name
is here cannot be told from the answer: the same is said, and the same is computed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import been_here, challenge, contacts, securing, throttle
from espi_server.access.challenge import Passed, Sent, Subject
from espi_server.access.contacts import Contact, Means
from espi_server.access.throttle import Throttle, Tried
from espi_server.accounts import factors, hashing, passkeys, passwords, provider, sessions, signin
from espi_server.accounts.factors import Kinds, Recovery
from espi_server.accounts.models import Customer, Login, LoginSession, Utility
from espi_server.accounts.passkeys import NoPasskey, Place
from espi_server.accounts.portal import Portal
from espi_server.accounts.provider import Begun, Provider, Told
from espi_server.accounts.sessions import SignedIn
from espi_server.accounts.signin import Half
from espi_server.db import Database
from espi_server.errors import BadRequest, Forbidden, NotFound
from espi_server.settings import Settings

APP_AMR: Final = ("otp", "mfa")
_AGENT = 200


class WrongPassword(BadRequest):
    """The e-mail address or the password is not right."""


class WrongCode(BadRequest):
    """That code is not right, or it was used before."""


class StepOver(NotFound):
    """This sign-in is over. Sign in again."""


class NotACustomer(Forbidden):
    """The utility's sign-in knows you, but names no customer whose data are here."""


@dataclass(frozen=True)
class Browser:
    """What a browser brings along: from where (`limits.neighbourhood`), what it says it is, whom we take it for."""

    place: str
    agent: str = ""
    session: bytes | None = None
    device: str = ""
    been: str = ""  # its cookie of an earlier sign-in (`been_here`)


@dataclass(frozen=True)
class Wish:
    """Where she wants to go, and whether the second factor itself is wanted there; if `strong`, no code by mail."""

    next: str = ""
    second: bool = False
    strong: bool = False

    @property
    def kept(self) -> dict[str, Any]:
        """What a sign-in that is half done keeps of it."""
        return {"next": self.next, "must": self.second, "strong": self.strong}


@dataclass(frozen=True)
class Inside:
    """She is signed in: what the cookies hold, and where she goes."""

    cookie: str
    next: str
    device: str | None = None
    been: str = ""


@dataclass(frozen=True)
class Halfway:
    """The second step is still to come: what its cookie holds."""

    cookie: str


@dataclass(frozen=True)
class Offer:
    """What she may show as her second step. Where there is nothing, an app is set up (`proposal`)."""

    half: Half
    kinds: Kinds
    contacts: Sequence[Contact]
    sent: Sent | None
    login: Login

    @property
    def must_set_up(self) -> bool:
        """Has she nothing to show, and can no code be sent to her?"""
        return not self.kinds.any and not self.contacts


@dataclass(frozen=True)
class Reception:
    """Lets people in, at one installation."""

    database: Database
    throttle: Throttle
    settings: Settings

    @property
    def means(self) -> Means:
        """How codes are sent."""
        return Means.of(self.settings)

    # --- the first step -----------------------------------------------------------------------------

    def by_password(
        self, utility: Utility, name: str, password: str, wish: Wish, browser: Browser
    ) -> Inside | Halfway:
        """Let in who knows the password; `WrongPassword` and `Waits` do not tell whether the name is here."""
        tried = self._tried("sign-in", utility, name, browser)
        standing = self.throttle.check(tried)
        with self.database.reading() as session:
            # Where everybody signs in at the utility's own provider, no password is right.
            is_here = not provider.is_only(session, utility.id)
            login = signin.by_name(session, utility.id, name) if is_here else None
        kept = login.password_digest if login is not None and signin.is_open(login) else None
        if not passwords.matches(kept, password) or login is None or kept is None:
            with self.database.writing() as session:
                throttle.failed(session, tried)
            raise WrongPassword()
        fresh = passwords.digest(password) if hashing.is_stale(kept) else kept
        with self.database.writing() as session:
            throttle.succeeded(session, tried, standing)
            row = session.get_one(Login, login.id, with_for_update=True)
            if row.password_digest != kept or not signin.is_open(row):
                raise WrongPassword()
            row.password_digest = fresh
            return self._on(session, utility, row, ("pwd",), wish, browser)

    def by_passkey(self, place: Place, answer: str, wish: Wish, browser: Browser) -> Inside:
        """Let in who uses a passkey of one of this utility's logins."""
        with self.database.writing() as session:
            key = passkeys.answered(session, place, answer)
            login = session.get_one(Login, key.login_id)
            if login.password_digest is None or provider.is_only(session, place.utility.id):
                raise NoPasskey()  # who signs in elsewhere is let in there, or not any more
            return self._enter(session, login, passkeys.amr(key), browser, wish.next)

    def by_provider(
        self, utility: Utility, elsewhere: Provider, told: Told, begun: Begun, browser: Browser
    ) -> Inside | Halfway:
        """Let in whom the utility's own provider names; its first visit opens the login."""
        with self.database.writing() as session:
            login = self._named_there(session, utility, told)
            there = tuple(each for each in told.amr if each != sessions.ELSEWHERE)
            if told.acr and told.acr in elsewhere.second.split() and "mfa" not in there:
                there = (*there, "mfa")  # the utility said that this is what two factors are called there
            amr = (*there, sessions.ELSEWHERE)
            wish = Wish(begun.next, begun.must, begun.strong)
            return self._on(session, utility, login, amr, wish, browser, acr=told.acr, at=told.at)

    def step_up(self, utility: Utility, here: SignedIn, wish: Wish) -> Halfway:
        """Ask who is signed in already for the second factor only."""
        with self.database.writing() as session:
            login = session.get_one(Login, here.login_id)
            half = {"amr": list(here.amr), "acr": here.acr, "at": here.at, **wish.kept, "must": True}
            return Halfway(signin.begin(session, login, half))

    def ask_for_link(self, utility: Utility, name: str, browser: Browser) -> None:
        """Somebody forgot a password; who asks too often waits."""
        tried = self._tried("forgotten", utility, name, browser)
        # A place that asked often today is answered like any other, and nothing is sent: what is sent in a day to
        # whoever asks is not for one stranger to use up.
        asked = self.throttle.check(replace(tried, guessed=False)).failures
        with self.database.writing() as session:
            throttle.failed(session, replace(tried, guessed=False))  # each of them counts
            if asked < securing.LINKS_A_PLACE or not tried.guessed:
                securing.ask_for_link(session, utility, name, is_known=not tried.guessed)

    def been(self, login: Login) -> str:
        """What a browser is given in which she showed who she is."""
        if login.utility_id is None or login.password_digest is None:
            return ""
        return been_here.cookie(self.database.keyring, login.utility_id, login.name)

    def _tried(self, purpose: str, utility: Utility, name: str, browser: Browser) -> Tried:
        """What a name is counted by: by the browser where it was let in there; else by the place, among strangers."""
        own = been_here.of(self.database.keyring, utility.id, name, browser.been)
        place = f"browser {own}" if own else browser.place
        return Tried(purpose, f"{utility.code} {signin.named(name)[:254]}", place, guessed=not own)

    # --- the second step ----------------------------------------------------------------------------

    def offer(self, session: Session, utility: Utility, cookie: str) -> Offer:
        """What may be shown; `StepOver` where nothing is waited for."""
        half = signin.half(session, utility.id, cookie) if cookie else None
        login = session.get(Login, half.login_id) if half else None
        if half is None or login is None or not signin.is_open(login):
            raise StepOver()
        kinds = factors.kinds(session, login.id)
        sent = challenge.on_its_way(session, _subject(utility, half))
        return Offer(half, kinds, self._ways(session, utility, half, kinds), sent, login)

    def _ways(self, session: Session, utility: Utility, half: Half, kinds: Kinds) -> Sequence[Contact]:
        """Where a code may be sent to for this."""
        if kinds.app:
            return []  # whoever has an app shows its code: a message is worth less
        ways = contacts.usable(session, self.means, _subject(utility, half).person)
        texts = [each for each in ways if each.way == contacts.TEXT]
        # Where a code by mail is not enough, it still is what comes before setting up something better.
        return texts if half.strong and (texts or sessions.are_two(half.amr)) else ways

    def send(self, utility: Utility, cookie: str, way: str | None) -> Sent:
        """Send a code that way; another one where one is on its way already."""
        with self.database.writing() as session:
            offer = self.offer(session, utility, cookie)
            subject = _subject(utility, offer.half)
            if offer.sent is not None and offer.sent.way == (way or offer.sent.way):
                return challenge.send_again(session, self.means, subject, {})
            if way not in {each.way for each in offer.contacts}:
                raise contacts.CannotBeReached()
            return challenge.begin(session, self.means, subject, {}, way=way)

    def by_code(
        self, utility: Utility, cookie: str, code: str, browser: Browser, *, remember: bool = False
    ) -> Inside:
        """Let in who shows a code: of the app, of a message, or one of the recovery codes."""
        with self.database.reading() as session:
            offer = self.offer(session, utility, cookie)
        recovery = Recovery.read(code) if offer.kinds.recovery else None
        if recovery is not None:
            return self._by_recovery(utility, offer, recovery, browser)
        typed = factors.typed(code)
        if not offer.kinds.app:
            return self._by_message(utility, offer, typed, browser, remember)
        return self._by_app(utility, offer, typed, browser, remember)

    def by_second_passkey(
        self, place: Place, cookie: str, answer: str, browser: Browser, *, remember: bool = False
    ) -> Inside:
        """Let in who shows a passkey of this very login."""
        with self.database.writing() as session:
            offer = self.offer(session, place.utility, cookie)
            key = passkeys.answered(session, place, answer, offer.half.login_id)
            return self._finish(session, place.utility, offer, passkeys.amr(key), browser, remember)

    def by_setting_up(self, utility: Utility, cookie: str, code: str, browser: Browser) -> Inside:
        """Let in who had nothing to show, set up an app and typed its first code."""
        typed = factors.typed(code)
        with self.database.reading() as session:
            offer = self.offer(session, utility, cookie)
        self._count(utility, offer)
        with self.database.writing() as session:
            if not self.offer_again(session, utility, offer).must_set_up:
                raise StepOver()
            if factors.settle(session, offer.login.id, typed):
                securing.tell_factor(session, offer.login, "app", "added")
                return self._finish(session, utility, offer, APP_AMR, browser, remember=False)
        raise WrongCode()

    def proposal(self, utility: Utility, cookie: str, *, anew: bool = False) -> str:
        """The secret of the app that is being set up on the way in."""
        with self.database.writing() as session:
            offer = self.offer(session, utility, cookie)
            if not offer.must_set_up:
                raise StepOver()
            known = None if anew else factors.proposed(session, offer.login.id)
            return known or factors.propose(session, offer.login.id)

    def offer_again(self, session: Session, utility: Utility, offer: Offer) -> Offer:
        """The same offer as it stands in this transaction."""
        kinds = factors.kinds(session, offer.login.id)
        ways = self._ways(session, utility, offer.half, kinds)
        return Offer(offer.half, kinds, ways, offer.sent, offer.login)

    def _by_app(self, utility: Utility, offer: Offer, code: str, browser: Browser, remember: bool) -> Inside:
        tried = self._count(utility, offer)
        with self.database.writing() as session:
            if factors.enter(session, offer.login.id, code):
                return self._finish(session, utility, offer, APP_AMR, browser, remember)
            throttle.failed(session, tried)
        raise WrongCode()

    def _by_recovery(self, utility: Utility, offer: Offer, given: Recovery, browser: Browser) -> Inside:
        tried = self._count(utility, offer)
        with self.database.reading() as session:
            kept = factors.kept(session, offer.login.id, given)
        is_right = factors.matches(kept, given)
        with self.database.writing() as session:
            if is_right and kept and factors.use(session, offer.login.id, given, kept):
                securing.tell_factor(session, offer.login, "recovery", "used")
                return self._finish(session, utility, offer, APP_AMR, browser, remember=False)
            throttle.failed(session, tried)
        raise WrongCode()

    def _by_message(
        self, utility: Utility, offer: Offer, code: str, browser: Browser, remember: bool
    ) -> Inside:
        subject = _subject(utility, offer.half)
        match = challenge.check(self.database, self.means, subject, code)
        with self.database.writing() as session:
            passed: Passed = challenge.accept(session, match, subject)
            return self._finish(session, utility, offer, passed.amr, browser, remember)

    def _count(self, utility: Utility, offer: Offer) -> Tried:
        """One more try, counted and committed before anybody looks whether it is right."""
        # Counted for the login wherever it is tried: only who knows the password comes as far as this.
        tried = Tried("second-factor", "", f"login {offer.login.id}")
        self.throttle.check(tried)
        with self.database.writing() as session:
            if not signin.count_try(session, utility.id, offer.half.digest):
                raise StepOver()
        return tried

    def _finish(
        self,
        session: Session,
        utility: Utility,
        offer: Offer,
        amr: Sequence[str],
        browser: Browser,
        remember: bool,
    ) -> Inside:
        half = offer.half
        login = session.get_one(Login, half.login_id, with_for_update=True)
        if not signin.is_open(login) or not signin.finish(session, utility.id, half.digest):
            raise StepOver()
        whole = [*half.amr, *amr]  # the same word twice where a provider said it before
        return self._enter(
            session, login, whole, browser, half.next, acr=half.acr, at=half.at, remember=remember
        )

    # --- inside -------------------------------------------------------------------------------------

    def _on(
        self,
        session: Session,
        utility: Utility,
        login: Login,
        amr: Sequence[str],
        wish: Wish,
        browser: Browser,
        *,
        acr: str | None = None,
        at: int | None = None,
    ) -> Inside | Halfway:
        """In, or to the second step."""
        if not self._wants_more(session, utility, login, amr, wish, browser):
            return self._enter(session, login, amr, browser, wish.next, acr=acr, at=at)
        half: dict[str, Any] = {
            "amr": list(amr), "acr": acr, "at": clock.seconds() if at is None else at, **wish.kept,
        }  # fmt: skip
        return Halfway(signin.begin(session, login, half))

    def _wants_more(
        self,
        session: Session,
        utility: Utility,
        login: Login,
        amr: Sequence[str],
        wish: Wish,
        browser: Browser,
    ) -> bool:
        if sessions.are_strong(amr) if wish.strong else sessions.are_two(amr):
            return False
        if wish.second:
            return True
        is_ours = "pwd" in amr and sessions.ELSEWHERE not in amr
        is_alone = not is_ours or login.password_alone
        by_rule = Portal.of(utility).second_factor or factors.kinds(session, login.id).any or not is_alone
        return by_rule and not signin.is_known(session, login, browser.device)

    def _enter(
        self,
        session: Session,
        login: Login,
        amr: Sequence[str],
        browser: Browser,
        next: str,
        *,
        acr: str | None = None,
        at: int | None = None,
        remember: bool = False,
    ) -> Inside:
        lifetime = self.settings.session_lifetime
        cookie = sessions.begin(session, login, amr=amr, lifetime=lifetime, acr=acr, at=at)
        session.get_one(LoginSession, sessions.digest(cookie)).agent = browser.agent[:_AGENT] or None
        if browser.session is not None:
            sessions.end(session, browser.session)
        securing.record(session, login, "session.begun", customer=login.customer_id, amr=list(amr))
        device = signin.remember(session, login) if remember else None
        return Inside(cookie, next, device, self.been(login))

    def _named_there(self, session: Session, utility: Utility, told: Told) -> Login:
        wanted = (Customer.utility_id == utility.id, Customer.reference == told.reference)
        customer_id = session.scalar(select(Customer.id).where(*wanted)) if told.reference else None
        if customer_id is None:
            raise NotACustomer()
        name = f"{told.issuer} {told.subject} {told.reference}"
        login = session.scalar(
            select(Login).where(
                Login.kind == signin.CUSTOMER, Login.utility_id == utility.id, Login.name == name
            )
        )
        if login is None:
            login = Login(
                id=uuid.uuid4(), kind=signin.CUSTOMER, utility_id=utility.id, customer_id=customer_id, name=name,
                created_at=clock.seconds(),
            )  # fmt: skip
            session.add(login)
            session.flush()
            securing.record(session, login, "login.opened", customer=customer_id)
        if not signin.is_open(login) or login.customer_id != customer_id:
            raise NotACustomer()
        if told.email and told.email != login.email:
            login.email, login.email_since = told.email, clock.seconds()
        return login


def _subject(utility: Utility, half: Half) -> Subject:
    """What a code by message confirms: this very sign-in."""
    person = contacts.person(contacts.LOGIN, half.login_id)
    return Subject(utility.id, challenge.SIGN_IN, person, half.digest.hex(), half.digest)


def sign_out(session: Session, here: SignedIn) -> None:
    """This browser is signed out."""
    sessions.end(session, here.digest)
    login = session.get_one(Login, here.login_id)
    securing.record(session, login, "session.ended", reason="signed-out")
