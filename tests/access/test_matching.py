"""Finding the one customer a profile means: exactly one or nobody, and nothing to be learned by trying."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import event, select

from espi_server import clock
from espi_server.access import applications, asking, matching, profiles, sealing
from espi_server.access.asking import BY_ONE
from espi_server.access.matching import MISSES_OF_ONE, ByProfile
from espi_server.access.models import Application, AuditEvent, AuthorizationRequest
from espi_server.access.profiles import Known
from espi_server.accounts import matching as agreed
from espi_server.accounts import utilities
from espi_server.accounts.matching import BadMatching, Matching
from espi_server.accounts.models import Account, Customer, Login, Utility
from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy.importer import import_files
from espi_server.energy.places import Address
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make, oauth, portal
from tests.copies import KINDS, Copies
from tests.energy import feeds
from tests.oauth import SCOPE, Company
from tests.towns import build

pytestmark = pytest.mark.requirement("F-ID")

OAK = Address("12", "Oak St", "4", "Alder Grove", "CA", "94601-1234")
ADA = Known(
    names=["Ada Nowak-Łukasz Jr."], emails=["ada@mail.example"], phones=["+1 (530) 555-0142"],
    accounts=["A-77 41"], addresses=[OAK],
)  # fmt: skip


# --- two ways to write the same -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Nowak", "ADA NOWAK"),
        ("Nowak, Ada", "Ada Nowak"),
        ("José Núñez", "Jose Nunez"),
        ("Łukasz Øster", "Lukasz Oster"),
        ("Bob Smith", "Robert Smith"),
        ("Pepe García", "José Garcia Lopez"),
        ("Mrs. Ada M. Nowak", "Ada Maria Nowak"),
        ("O'Brien, Kate", "Katherine OBrien"),
        ("María de la Cruz", "Maria Cruz"),
        ("John Smith Jr.", "John Smith"),
        ("Oak Diner LLC", "The Oak Diner"),
        ("ΓΙΩΡΓΟΣ Παπας", "γιωργος παπας"),
        ("Madonna", "madonna"),
    ],
)
def test_names_that_mean_one_person(one: str, other: str) -> None:
    assert profiles.same_name(one, other)
    assert profiles.same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Nowak", "Eva Nowak"),
        ("Ada", "Ada Nowak"),
        ("A Nowak", "Ada Nowak"),
        ("John Smith Jr.", "John Smith Sr."),
        ("John Smith III", "John Smith Junior"),
        ("Bob Smith", "Bill Smith"),
        ("Ada Nowak Lee", "Ada Nowak Kim"),
        ("", "Ada Nowak"),
        ("...", "Ada Nowak"),
        ("LLC", "Oak Diner"),
    ],
)
def test_names_that_do_not(one: str, other: str) -> None:
    assert not profiles.same_name(one, other)
    assert not profiles.same_name(other, one)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "email",
            ("ADA@mail.example", " ada@mail.example "),
            ("ada@mail.example.org", "ada+x@mail.example", ""),
        ),
        (
            "phone_number",
            ("530 555 0142", "15305550142", "530-555-0142 ext. 7"),
            ("555 0142", "5305550143", "1"),
        ),
        ("account_number", ("a7741", "A-7741", "A 77-41"), ("A774", "7741")),
        ("given_name", ("ada", "ÁDA"), ("Eva", "")),
        ("family_name", ("nowak lukasz", "Łukasz", "Nowak"), ("Nowa", "Lee")),
        (
            "address.street_address",
            ("12 Oak Street Apt 4", "12 oak st. #4", "12 OAK ST, Unit 4", "12 Oak St\nApartment 4"),
            ("12 Oak St", "12 Oak St Apt 5", "12 Oak Ave Apt 4", "1 Oak St Apt 4", "Oak St Apt 4", ""),
        ),
        ("address.locality", ("alder grove", "ALDER  GROVE"), ("Alder",)),
        ("address.region", ("California", "ca"), ("Colorado", "Cal")),
        ("address.postal_code", ("94601", "94601-9999"), ("94602", "9460")),
    ],
)
def test_each_field_fits_in_other_spellings_and_nothing_else(
    name: str, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    def fits(text: str) -> bool:
        head, _, rest = name.partition(".")
        profile: dict[str, Any] = {head: {rest: text} if rest else text}
        return name in profiles.fits(profile, [name], ADA)

    assert [each for each in good if not fits(each)] == []
    assert [each for each in bad if fits(each)] == []


def test_the_parts_of_an_address_fit_one_place_together() -> None:
    cabin = Address("9", "Pine Ave", "", "Fresno", "CA", "93701")
    known = Known(addresses=[OAK, cabin])
    mixed = {"address": {"street_address": "12 Oak St #4", "postal_code": "93701"}}
    names = ["address.street_address", "address.postal_code"]

    assert len(profiles.fits(mixed, names, known)) == 1
    assert not profiles.fits({"address": "12 Oak St"}, names, known)
    assert not profiles.fits({}, names, known)


# --- what a utility agrees to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("required", "fields", "threshold", "tries", "words"),
    [
        (["email"], [], None, 50, "at least two fields"),
        (["email", "phone_number"], [], None, 50, "at least two fields"),
        (["address.street_address", "address.postal_code"], [], None, 50, "at least two fields"),
        (["name", "phone_number"], [], None, 50, "lead to a customer"),
        (["name", "address.street_address"], [], None, 50, "lead to a customer"),
        (["name", "email", "shoe_size"], [], None, 50, "shoe_size"),
        (["name", "email"], [], 3, 50, "threshold"),
        (["name", "email"], [], 1, 50, "threshold"),
        (["name", "email"], [], None, 0, "tries"),
    ],
)
def test_fields_that_could_find_a_neighbour_are_refused(
    required: list[str], fields: list[str], threshold: int | None, tries: int, words: str
) -> None:
    with pytest.raises(BadMatching, match=words):
        agreed.agree(Utility(portal={}), fields, required, threshold, tries)


def test_an_operator_agrees_shows_and_stops_on_the_command_line(sqlite_url: str) -> None:
    database = Database(sqlite_url, secret=DEVELOPMENT_SECRET)
    make.utility(database)
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": sqlite_url,
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }

    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["utility", "matching", "north", *words], env=environment)
        return result.exit_code, result.output

    assert said() == (0, "north compares no profiles: nobody is found.\n")
    assert said("--require", "email")[0] == 2
    code, output = said(
        "--require", "email", "--require", "name", "--field", "phone_number", "--threshold", "3"
    )
    assert code == 0
    assert "3 of 3 have to fit; 50 misses" in output
    assert said("--field", "email")[0] == 2
    _two_with_one_number(database)
    assert "tells nobody" in said("--require", "account_number", "--require", "name")[1]
    assert said("--json")[1].count("phone_number") == 1
    with database.reading() as session:
        kept = Matching.of(utilities.find(session, "north"))
    assert kept == Matching(("email", "name", "phone_number"), ("email", "name"), 3, 50)
    assert said("--stop") == (0, "north compares no profiles: nobody is found.\n")
    database.close()


def _two_with_one_number(database: Database) -> None:
    with database.writing() as session:
        north = utilities.find(session, "north").id
        for reference, number in (("C-1", "1"), ("C-2", "C-2/1")):
            customer = Customer(id=uuid.uuid4(), utility_id=north, reference=reference, created_at=0)
            session.add(customer)
            session.flush()
            session.add(Account(id=uuid.uuid4(), utility_id=north, customer_id=customer.id, reference=number))


# --- whom it finds --------------------------------------------------------------------------------------

HEAD = (
    "customer,account,agreement,class,rate,modifiers,rins,address,town,state,zip,circuit,meter,usage_point,"
    "udc,lse,start,end"
)


def people(url: str, folder: Path) -> None:
    """Ada and Eva live at one address and share a mailbox; Bob has no login; the other utility has the same people."""
    database = Database(url, secret=DEVELOPMENT_SECRET)
    for code in ("north", "south"):
        make.utility(database, code)
        rows = [
            f"C-{number},{account},G-{number},residential,R,,,{line},Alder Grove,CA,94601,,,M{number},{code},{code},,"
            for number, account, line in (
                (1, "A-7741", "12 Oak St Apt 4"), (2, "A-7742", "12 Oak St Apt 4"), (3, "A-7743", "9 Pine Ave"),
                (4, "A-7744", "9 Pine Ave"),
            )
        ]  # fmt: skip
        table = folder / f"{code}.csv"
        table.write_text("\n".join((HEAD, *rows)), "utf-8")
        assert not import_files(database, code, [table], actor="a test").errors
        for number, name in ((1, "Ada Nowak"), (2, "Eva Nowak"), (3, "Bob Lee"), (4, "Robert Lee")):
            _named(database, folder, code, f"C-{number}", name)
            if number != 3:
                box = f"{'home' if number < 3 else 'lee'}@mail.example"
                hers = Login.id == portal.login(database, f"C-{number}", code)
                make.change(database, Login, hers, email=box, email_since=clock.seconds())
    database.close()


def _named(database: Database, folder: Path, code: str, reference: str, name: str) -> None:
    inside = (
        "<e:Organisation><e:phone1><e:ituPhone>+1 530 555 0142</e:ituPhone></e:phone1>"
        f"<e:organisationName>{name}</e:organisationName></e:Organisation><e:customerName>{name}</e:customerName>"
    )
    at = f"{feeds.BASE}/RetailCustomer/{reference}"
    file = folder / f"{code}-{reference}.xml"
    file.write_bytes(feeds.feed([feeds.entry("Customer", at, reference, inside)], namespace="customer"))
    report = import_files(database, code, [file], actor="a test")
    assert not report.errors, report.errors


@pytest.fixture(params=KINDS)
def town(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[Database]:
    with copies.opened(request.param, "profiles", people, tmp_path) as database:
        yield database


def choose(
    database: Database, *required: str, fields: tuple[str, ...] = (), code: str = "north", **more: Any
) -> None:
    with database.writing() as session:
        agreed.agree(
            utilities.find(session, code), fields, required, more.get("threshold"), more.get("tries", 50)
        )


def seek(
    database: Database, profile: dict[str, Any], application: uuid.UUID, code: str = "north"
) -> uuid.UUID | None:
    with database.writing() as session:
        return ByProfile().find(session, utilities.find(session, code), profile, application)


def company(database: Database, name: str = "Sun", code: str = "north") -> uuid.UUID:
    with database.writing() as session:
        return applications.find_or_create(session, utilities.find(session, code), name, by="a test").id


def test_exactly_one_customer_is_found_by_all_that_was_agreed_or_nobody(town: Database) -> None:
    sun, ada, eva = company(town), make.customer_id(town, "C-1"), make.customer_id(town, "C-2")
    home = {"street_address": "12 Oak Street #4", "postal_code": "94601"}
    street = ("address.street_address", "address.postal_code")

    assert seek(town, {"account_number": "A-7741", "name": "Ada Nowak"}, sun) is None  # nothing was agreed
    choose(town, "account_number", "name")
    assert seek(town, {"account_number": " a-7741", "name": "Nowak, Ada"}, sun) == ada
    assert seek(town, {"account_number": "A-7741", "given_name": "Ada", "family_name": "Nowak"}, sun) == ada
    assert seek(town, {"account_number": "A-7741", "name": "Eva Nowak"}, sun) is None
    assert seek(town, {"account_number": "A-7741"}, sun) is None
    assert seek(town, {"name": "Ada Nowak"}, sun) is None
    assert seek(town, {"login_hint": "A-7741"}, sun) is None
    assert seek(town, {}, sun) is None
    assert seek(town, {"account_number": "A-7743", "name": "Bob Lee"}, sun) is None  # has no way to sign in

    moon = company(town, "Moon")  # what another company missed is nothing to it
    choose(town, *street, "name")
    assert seek(town, {"address": home, "name": "Eva Nowak"}, moon) == eva
    choose(town, *street, "family_name")
    assert seek(town, {"address": home, "family_name": "Nowak"}, moon) is None  # two live there
    choose(town, "email", "family_name")
    assert (
        seek(town, {"email": "home@mail.example", "family_name": "Nowak"}, moon) is None
    )  # a shared mailbox
    choose(town, "email", "name", fields=("phone_number", "address.region"), threshold=3)
    assert seek(town, {"email": "HOME@mail.example", "name": "Ada Nowak"}, moon) is None
    by_phone = {"email": "HOME@mail.example", "name": "Ada Nowak", "phone_number": "5305550142"}
    assert seek(town, by_phone, moon) == ada

    # A customer of another utility of the installation is nobody here.
    choose(town, "account_number", "name", code="south")
    there = seek(
        town, {"account_number": "A-7741", "name": "Ada Nowak"}, company(town, code="south"), "south"
    )
    assert there == make.customer_id(town, "C-1", "south") != ada
    make.change(town, Login, Login.customer_id == ada, status="closed")
    choose(town, "account_number", "name")
    assert seek(town, {"account_number": "A-7741", "name": "Ada Nowak"}, moon) is None


def test_no_match_and_no_such_customer_run_the_same_statements(town: Database) -> None:
    choose(town, "account_number", "name", fields=("email", "address.street_address", "address.postal_code"))
    sun = company(town)
    address = {"street_address": "12 Oak St #4", "postal_code": "94601"}
    asked = [
        {"account_number": "A-7741", "name": "Ada Nowak"},
        {"account_number": "A-7741", "name": "Nobody Atall"},
        {"account_number": "A-7743", "name": "Bob Lee"},
        {"account_number": "X-0000", "name": "Nobody Atall"},
        {"name": "Ada Nowak"},
        {"email": "home@mail.example", "address": address},
        {"login_hint": "A-7741"},
    ]

    counts, found = [], []
    for profile in asked:
        said: list[str] = []

        def note(conn: Any, cursor: Any, statement: str, *rest: Any, said: list[str] = said) -> None:
            said.append(statement.split("(")[0][:40])

        event.listen(town.engine, "before_cursor_execute", note)
        found.append(seek(town, profile, sun))
        event.remove(town.engine, "before_cursor_execute", note)
        counts.append([each for each in said if not each.startswith("BEGIN")])

    assert [each is not None for each in found] == [True, *[False] * 6]
    assert [each for each in counts if each != counts[0]] == []


def test_a_company_that_guesses_at_one_customer_is_stopped_and_so_is_one_that_guesses_at_many(
    town: Database, freeze: make.Freeze
) -> None:
    freeze(make.NOW)
    choose(town, "account_number", "name", tries=20)
    sun, moon = company(town), company(town, "Moon")
    right = {"account_number": "A-7741", "name": "Ada Nowak"}

    for number in range(MISSES_OF_ONE):
        assert seek(town, {"account_number": "A-7741", "name": f"Guess {number}"}, sun) is None
    assert seek(town, right, sun) is None  # too many misses at her
    assert seek(town, {"account_number": "A-7742", "name": "Eva Nowak"}, sun) is not None
    assert seek(town, right, moon) is not None  # another company has not guessed
    for number in range(20):
        seek(town, {"account_number": f"X-{number}", "name": "Ada Nowak"}, moon)
    assert seek(town, right, moon) is None
    freeze(make.NOW + 86_400)
    assert seek(town, right, moon) is not None
    matching.forget_old(town)
    freeze(make.NOW + 4 * 86_400)
    matching.forget_old(town)
    with town.reading() as session:
        assert session.scalars(select(matching.ProfileTry)).all() == []


def test_a_thousand_guessed_profiles_find_nobody(copies: Copies, tmp_path: Path) -> None:
    with copies.of("sqlite", "profiles", people, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        choose(database, "account_number", "name", tries=agreed.MOST_TRIES)
        sun = company(database)

        with database.writing() as session:
            north = utilities.find(session, "north")
            found = [
                ByProfile().find(
                    session, north, {"account_number": f"A-{7000 + number}", "name": "Max Muster"}, sun
                )
                for number in range(1_000)
            ]
            after = ByProfile().find(session, north, {"account_number": "A-7741", "name": "Ada Nowak"}, sun)
            # The name is right: only the number has to be guessed, and the day's tries end before it is.
            agreed.agree(north, [], ["account_number", "name"], None, 50)
            moon = company_in(session, north)
            lucky = [
                ByProfile().find(
                    session, north, {"account_number": f"A-{7690 + number}", "name": "Ada Nowak"}, moon
                )
                for number in range(60)
            ]
        database.close()

    assert found == [None] * 1_000
    assert after is None
    assert lucky == [None] * 60


def company_in(session: Any, utility: Any) -> uuid.UUID:
    return applications.find_or_create(session, utility, "Moon", by="a test").id


# --- the whole way --------------------------------------------------------------------------------------


@pytest.fixture
def sun(copies: Copies, tmp_path: Path) -> Iterator[Company]:
    """A company that may ask by message, at a utility that agreed to account number and name."""
    with copies.of("sqlite", "towns", build, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        letterbox.reachable(database, "C-1", email="ada@example.org")
        portal.login(database, "C-1")
        # Both customers of the town were delivered with the same account number; here it is hers.
        hers = make.customer_id(database, "C-1")
        north = select(Utility.id).where(Utility.code == "north")
        number = (Account.reference == "A-1") & Account.utility_id.in_(north)
        make.change(database, Account, number, customer_id=hers)
        choose(database, "account_number", "name")
        yield oauth.company(database)
        database.close()


def test_what_is_written_down_of_a_search_has_no_values_and_does_not_say_whom(sun: Company) -> None:
    with sun.database.writing() as session:
        row = _request(
            session, sun, {"account_number": "A-1", "name": "Ada Nowak", "address": {"region": "CA"}}
        )
    box = letterbox.Box(sun.database, ByProfile())
    _ask(sun, row)

    with sun.database.reading() as session:
        [act] = session.scalars(select(AuditEvent).where(AuditEvent.act == "customer.sought")).all()
        kept = session.get_one(AuthorizationRequest, row)
    assert act.detail["claims"] == ["account_number", "address.region", "name"]
    assert act.detail["found"] is True
    assert "customer" not in act.detail
    assert "Nowak" not in str(act.detail)
    assert kept.customer_id == make.customer_id(sun.database, "C-1")
    [letter] = box.empty()
    assert letter.to == "ada@example.org"


def test_a_customer_is_not_flooded_by_a_company_that_knows_her(sun: Company) -> None:
    asked = []
    for _ in range(BY_ONE + 2):
        with sun.database.writing() as session:
            asked.append(_request(session, sun, {"account_number": "A-1", "name": "Ada Nowak"}))
        _ask(sun, asked[-1])

    with sun.database.reading() as session:
        sent = [session.get_one(AuthorizationRequest, each).customer_id is not None for each in asked]
    assert sent == [True] * BY_ONE + [False] * 2


def _request(session: Any, company: Company, profile: dict[str, Any]) -> bytes:
    digest, now = uuid.uuid4().bytes * 2, clock.seconds()
    utility = utilities.find(session, "north")
    client = session.scalars(select(Application).where(Application.utility_id == utility.id)).first()
    held = {"profile": profile, "link": "/account/share?request=x"}
    session.add(
        AuthorizationRequest(
            digest=digest, stage="pending", utility_id=utility.id, application_id=client.id,
            parameters={"scope": SCOPE, "client_id": client.client_id}, created_at=now, expires_at=now + 600,
            poll_digest=uuid.uuid4().bytes * 2,
            sealed=sealing.seal(session, AuthorizationRequest, {"digest": digest}, held),
        )
    )  # fmt: skip
    session.flush()
    return digest


def _ask(company: Company, digest: bytes) -> None:
    asking.ask(company.database, letterbox.means(), ByProfile(), digest)
