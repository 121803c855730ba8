"""Rows and files with good defaults: utilities, customers with their premises, tokens of every kind, an application.

make.utility(database, "north")
make.town(database, folder, "north")              # two customers, four usage points, everything about them
sun = make.access(database, "north", customer="C-1", scope=make.EVERYTHING)
client = make.client(database)
client.get(sun.resource, sun, check=200)
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from lxml import etree
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import applications, features, grants, tokens
from espi_server.access.models import Application, Authorization, FeatureState, Token, TokenFamily
from espi_server.accounts import utilities
from espi_server.accounts.models import Customer, Utility
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.energy import identity
from espi_server.energy.importer import import_files
from espi_server.energy.models import UsagePoint
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from tests.energy import feeds
from tests.energy.feeds import BASE, Household

INSTALLATION = "https://data.example.org"
NOW = 1_790_000_000
EVERYTHING = "FB=4_5_6_7_8_9_10_11_12_15_16_17_26_27_28_29_54_55_56_57_58_59_60_61_62_71"
USAGE = "FB=4_5_12_15_17"
ZONE = "America/Los_Angeles"
ATOM = "{http://www.w3.org/2005/Atom}"

# --- who -----------------------------------------------------------------------------------------------


def utility(database: Database, code: str = "north", **more: Any) -> Utility:
    """A utility in Pacific time, or as told, with all of the statewide tool switched on."""
    with database.writing() as session:
        made = utilities.add(session, code, **{"name": "Valley Electric", "timezone": ZONE, **more})
        session.add_all(
            FeatureState(
                utility_id=made.id, customer_class=features.EVERYBODY, feature=each, state=features.ON
            )
            for each in features.FEATURES.values()
        )
        return made


def customer(database: Database, reference: str, code: str = "north") -> uuid.UUID:
    """A customer of whom nothing is known but the reference."""
    with database.writing() as session:
        place = utilities.find(session, code)
        id = identity.made(place.namespace, "RetailCustomer", reference)
        session.add(Customer(id=id, utility_id=place.id, reference=reference, created_at=clock.seconds()))
    return id


@dataclass(frozen=True)
class Access:
    """An authorization and its tokens, as the token endpoint tells of them."""

    token: str
    refresh: str
    id: uuid.UUID
    application: uuid.UUID
    customer: uuid.UUID | None
    resource: str
    authorization: str
    customer_resource: str


def access(
    database: Database,
    code: str = "north",
    *,
    application: str = "Sun",
    customer: str | None = None,
    points: Sequence[str] = (),
    scope: str = EVERYTHING,
    until: int | None = None,
    lifetime: int | None = None,
) -> Access:
    """An operator's authorization over a customer, some usage points (by their source's ids), or all of them."""
    with database.writing() as session:
        place = utilities.find(session, code)
        granted = grants.authorize(
            session, place, _chosen(session, place, customer, points), application=application, scope=scope,
            until=until, by="a test",
        )  # fmt: skip
        answer = grants.token_answer(
            session, place, granted, installation=INSTALLATION, lifetime=lifetime, by="a test"
        )
    return Access(
        answer["access_token"], answer["refresh_token"], granted.id, granted.application_id, granted.customer_id,
        answer["resourceURI"], answer["authorizationURI"], answer["customerResourceURI"],
    )  # fmt: skip


def _chosen(session: Any, place: Utility, customer: str | None, points: Sequence[str]) -> grants.Chosen:
    if points:
        ids = session.scalars(
            select(UsagePoint.id).where(UsagePoint.utility_id == place.id, UsagePoint.source_id.in_(points))
        )
        return grants.of_usage_points(session, place, ids.all())
    return grants.of_customer(session, place, customer) if customer else grants.of_utility(session, place)


def token(
    database: Database,
    kind: str,
    code: str = "north",
    *,
    application: str | None = None,
    lifetime: int | None = None,
) -> str:
    """A token for a machine; its application is made where it is new."""
    with database.writing() as session:
        place = utilities.find(session, code)
        named = applications.find_or_create(session, place, application, by="a test") if application else None
        return tokens.issue(session, kind, place.id, application=named, lifetime=lifetime, issued_by="a test")


def change(database: Database, row: type[Any], where: Any, **values: Any) -> None:
    """Set columns by hand, where the server offers no way yet."""
    with database.writing() as session:
        session.execute(update(row).where(where).values(**values))


def end(database: Database, authorization: uuid.UUID, reason: str = "cancelled") -> None:
    """End an authorization as its customer would."""
    with database.writing() as session:
        grants.end(session, session.get_one(Authorization, authorization), reason)


def revoke(database: Database, token: str) -> None:
    """Revoke one token."""
    change(database, Token, Token.digest == tokens.digest(token), revoked_at=clock.seconds())


def revoke_family(database: Database, authorization: uuid.UUID) -> None:
    """Revoke a family of tokens, as after a replay."""
    change(database, TokenFamily, TokenFamily.authorization_id == authorization, revoked_at=clock.seconds())


def hold(database: Database, application: uuid.UUID, status: int = 3) -> None:
    """Put an application on hold."""
    change(database, Application, Application.id == application, status=status)


def customer_id(database: Database, reference: str, code: str = "north") -> uuid.UUID:
    """Our id of the customer a utility calls so."""
    with database.reading() as session:
        place = utilities.find(session, code)
        found = select(Customer.id).where(Customer.utility_id == place.id, Customer.reference == reference)
        return session.scalars(found).one()


def point_id(database: Database, source_id: str, code: str = "north") -> uuid.UUID:
    """Our id of the usage point a utility calls so."""
    with database.reading() as session:
        place = utilities.find(session, code)
        found = select(UsagePoint.id).where(
            UsagePoint.utility_id == place.id, UsagePoint.source_id == source_id
        )
        return session.scalars(found).one()


# --- what ----------------------------------------------------------------------------------------------

HOUSEHOLDS = (
    # Four local days over the end of a month, every quarter of an hour, with costs: the house of C-1.
    Household("101", days=4, interval=900, cost=True, quality=17),
    Household("102", days=2, published="2026-03-02T08:00:00Z"),  # the cabin of C-1
    Household("103", days=3, published="2026-03-03T08:00:00Z"),  # C-2
    Household("104", days=40, interval=86_400, service=1, uom=169, commodity=7),  # nobody's, gas by the day
)


def town(
    database: Database,
    folder: Path,
    code: str = "north",
    households: Iterable[Household] = HOUSEHOLDS,
) -> None:
    """Import two customers and all there can be about them; a second utility gets the same names and source ids."""
    files = [folder / f"{code}-{name}.xml" for name in ("usage", "C-1", "C-2")]
    files[0].write_bytes(feeds.feed(usage(list(households))))
    files[1].write_bytes(feeds.feed(person("C-1", {"G-1": "101", "G-2": "102"}, code), namespace="customer"))
    files[2].write_bytes(feeds.feed(person("C-2", {"G-3": "103"}, code), namespace="customer"))
    report = import_files(database, code, files, actor="a test")
    assert not report.errors, report.errors


def take(database: Database, folder: Path, entries: Iterable[str], code: str = "north") -> None:
    """Import these entries as one more delivery."""
    file = folder / f"{uuid.uuid4().hex}.xml"
    file.write_bytes(feeds.feed(entries))
    report = import_files(database, code, [file], actor="a test")
    assert not report.errors, report.errors


def usage(households: Sequence[Household]) -> list[str]:
    """Everything the households use, what the programme codes mean, and one power quality summary."""
    mapping = (
        "<e:programIdMapping><e:tOUorCPPorConsumptionTier>tou</e:tOUorCPPorConsumptionTier><e:code>1</e:code>"
        "<e:name>Peak</e:name></e:programIdMapping>"
    )
    return [
        *(entry for household in households for entry in household.entries()),
        *(households[0].summary("z2", bill=9_000_001).replace("2026-03-01T", "2026-03-05T").replace(
            f"<e:start>{households[0].midnights()[0]}", f"<e:start>{households[0].midnights()[2]}"
        ),),
        _quality(households[0]),
        feeds.entry("ProgramIdMappings", BASE, "p1", mapping),
    ]  # fmt: skip


def _quality(household: Household) -> str:
    start, end = household.midnights()[0], household.midnights()[-1]
    inside = (
        "<e:longInterruptions>1</e:longInterruptions>"
        f"<e:summaryInterval><e:duration>{end - start}</e:duration><e:start>{start}</e:start></e:summaryInterval>"
    )
    return feeds.entry("ElectricPowerQualitySummary", household.here, "q1", inside)


def person(reference: str, agreements: Mapping[str, str], mark: str) -> list[str]:
    """A customer's tree: one account, and per agreement a place with its usage point, meter and device.

    Everybody has the same name and address; `mark` stands in `pucNumber` and tells whose it really is.
    """
    at = f"{BASE}/RetailCustomer/{reference}"
    here = f"{at}/Customer/{reference}"
    account = f"{here}/CustomerAccount/A-{reference}"
    statement = (
        "<e:issueDateTime>1780000000</e:issueDateTime><e:statementRef><e:fileName>bill.pdf</e:fileName>"
        f"<e:statementURL>https://bills.example.org/{reference}.pdf</e:statementURL></e:statementRef>"
    )
    return [
        feeds.entry("Customer", at, reference, _customer(f"{mark} {reference}")),
        feeds.entry("Statement", here, "s1", statement),
        feeds.entry("CustomerAccount", here, f"A-{reference}", _account()),
        *(entry for agreement, point in agreements.items() for entry in _agreement(account, agreement, point)),
    ]  # fmt: skip


def _customer(mark: str) -> str:
    return (
        "<e:Organisation><e:postalAddress><e:streetDetail><e:number>5</e:number><e:name>Larkspur Lane</e:name>"
        "</e:streetDetail><e:townDetail><e:name>Alder Grove</e:name></e:townDetail></e:postalAddress>"
        "<e:organisationName>Ada Nowak</e:organisationName></e:Organisation><e:kind>residential</e:kind>"
        f"<e:pucNumber>{mark}</e:pucNumber><e:customerName>Ada Nowak</e:customerName>"
    )


def _account() -> str:
    return "<e:billingCycle>14</e:billingCycle><e:lastBillAmount>8325</e:lastBillAmount><e:accountId>A-1</e:accountId>"


def _agreement(account: str, id: str, point: str) -> list[str]:
    here = f"{account}/CustomerAgreement/{id}"
    place = f"{here}/ServiceLocation/L-{point}"
    location = (
        "<e:type>electricity</e:type><e:mainAddress><e:streetDetail><e:name>Larkspur Lane</e:name></e:streetDetail>"
        f"</e:mainAddress><e:accessMethod>Gate {point}</e:accessMethod><e:UsagePoints>"
        f"<e:UsagePoint>{BASE}/Subscription/S1/UsagePoint/{point}</e:UsagePoint></e:UsagePoints>"
    )
    dates = (
        "<e:programDateIdMapping><e:programDateType>CUST_DR_PROGRAM_ENROLLMENT_DATE</e:programDateType>"
        "<e:code>1</e:code><e:name>Enrolled</e:name></e:programDateIdMapping>"
    )
    return [
        feeds.entry("CustomerAgreement", account, id, f"<e:agreementId>{id}</e:agreementId>"),
        feeds.entry("ServiceLocation", here, f"L-{point}", location),
        feeds.entry("ServiceSupplier", here, "sup", "<e:kind>utility</e:kind>"),
        feeds.entry("ProgramDateIdMappings", here, "d1", dates),
        feeds.entry("Meter", place, f"M-{point}", f"<e:serialNumber>M-{point}</e:serialNumber>"),
        feeds.entry("EndDevice", place, f"E-{point}", f"<e:serialNumber>E-{point}</e:serialNumber>"),
    ]


# --- asking --------------------------------------------------------------------------------------------


def settings(database_url: str = "sqlite://", **more: Any) -> Settings:
    """Settings of an installation at `INSTALLATION`."""
    given = {"mode": "development", "secret_key": DEVELOPMENT_SECRET, "base_url": INSTALLATION, **more}
    return Settings(database_url=database_url, **given)


def app(database: Database, **more: Any) -> Flask:
    """The application over a database."""
    return create_app(settings(**more), database)


class Client:
    """Asks an application, with a token, by absolute address or by path."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._ask = app.test_client()

    def get(
        self,
        href: str,
        token: Access | str | None = None,
        *,
        check: int | None = None,
        method: str = "GET",
        **headers: str,
    ) -> TestResponse:
        """The answer; `check` asserts its status. Header names are given with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token if isinstance(token, str) else token.token}"
        parts = urlsplit(href)
        answer = self._ask.open(
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            method=method,
            headers=given,
            buffered=True,
        )
        if check is not None:
            assert answer.status_code == check, f"{href}: {answer.status_code} {answer.data[:600]!r}"
        return answer

    def feed(self, href: str, token: Access | str) -> Feed:
        """The feed or entry at an address; anything but 200 fails."""
        return Feed(self.get(href, token, check=200).data)


def client(database: Database, **more: Any) -> Client:
    """A client of a new application over a database."""
    return Client(app(database, **more))


def base(code: str = "north") -> str:
    """The resource base of a utility."""
    return f"{INSTALLATION}/{code}/espi/1_1/resource"


class Entry:
    """One Atom entry as a client sees it."""

    def __init__(self, element: Any) -> None:
        self.element = element
        self.id = str(element.findtext(f"{ATOM}id"))
        self.content = element.find(f"{ATOM}content")[0]
        self.kind = etree.QName(self.content).localname
        self.published = str(element.findtext(f"{ATOM}published"))
        self.updated = str(element.findtext(f"{ATOM}updated"))

    def hrefs(self, rel: str) -> list[str]:
        """The addresses of its links of one kind."""
        return [str(link.get("href")) for link in self.element.findall(f"{ATOM}link[@rel='{rel}']")]

    @property
    def self(self) -> str:
        """Its own address."""
        [href] = self.hrefs("self")
        return href

    def text(self, path: str) -> str | None:
        """The text of a descendant, such as `interval/start`, whatever the namespace."""
        found = self.content.find("/".join(f"{{*}}{part}" for part in path.split("/")))
        return None if found is None else str(found.text or "")

    @property
    def readings(self) -> list[tuple[int, int]]:
        """Start and value of each reading of an IntervalBlock."""
        return [
            (int(each.findtext("{*}timePeriod/{*}start")), int(each.findtext("{*}value")))
            for each in self.content.findall("{*}IntervalReading")
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}>"

    @property
    def canonical(self) -> bytes:
        """The entry as canonical XML."""
        return bytes(etree.tostring(self.element, method="c14n", exclusive=True, with_tail=False))


class Feed:
    """A feed, or an entry that is a whole document, as a client sees it."""

    def __init__(self, body: bytes) -> None:
        self.body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.root = etree.fromstring(self.body)
        found = [self.root] if self.root.tag == f"{ATOM}entry" else self.root.findall(f"{ATOM}entry")
        self.entries = [Entry(element) for element in found]

    def of(self, kind: str) -> list[Entry]:
        """Its entries of one kind."""
        return [entry for entry in self.entries if entry.kind == kind]

    @property
    def kinds(self) -> set[str]:
        """The kinds of its entries."""
        return {entry.kind for entry in self.entries}

    def link(self, rel: str) -> str | None:
        """The address of the feed's own link of one kind."""
        found = self.root.find(f"{ATOM}link[@rel='{rel}']")
        return None if found is None else str(found.get("href"))

    def __len__(self) -> int:
        return len(self.entries)


Freeze = Callable[[int], None]
