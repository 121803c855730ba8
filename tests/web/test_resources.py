"""Every resource of the standard as it is served: forms of address, management entries, and how far consent reaches."""

from __future__ import annotations

import pytest
from lxml import etree

from espi_server import clock
from espi_server.access.models import Application, Authorization
from espi_server.db import Database
from espi_server.espi import xsd
from tests import make
from tests.make import Client, Feed
from tests.towns import UTILITIES
from tests.web.world import World

pytestmark = pytest.mark.requirement("FB_03")


# --- forms of address ----------------------------------------------------------------------------------

FORMS = [
    "Batch/Subscription/{s}", "Subscription/{s}/UsagePoint", "Subscription/{s}/UsagePoint/{u}",
    "Subscription/{s}/UsagePoint/{u}/UsageSummary", "ReadingType", "Batch/RetailCustomer/{rc}", "RetailCustomer/{rc}",
    "RetailCustomer/{rc}/Customer", "ProgramIdMappings",
]  # fmt: skip


def filled(world: World, path: str) -> str:
    """A path with C-1's ids in the north."""
    sun = world.sun["north"]
    return path.format(s=sun.id, rc=sun.customer, u=make.point_id(world.database, "101"))


@pytest.mark.requirement("FB_32", "FB_50")
@pytest.mark.parametrize("path", FORMS)
def test_resource_in_either_case_with_or_without_a_slash_is_one_address(world: World, path: str) -> None:
    sun, below = world.sun["north"], filled(world, path)
    first = world.get(below, sun, check=200)

    for form in (f"{make.base()}/{below}/", make.base().replace("/resource", "/Resource") + f"/{below}",
                 make.base().replace("/resource", "/Resource") + f"/{below}/"):  # fmt: skip
        answer = world.client.get(form, sun, check=200)

        assert answer.data == first.data
        assert answer.headers["ETag"] == first.headers["ETag"]
        assert b"/Resource/" not in answer.data


@pytest.mark.parametrize("old", ["ElectricPowerUsageSummary", "ElectricPowerUsageSumary"])
def test_usage_summaries_answer_to_their_old_names(world: World, old: str) -> None:
    sun = world.sun["north"]
    here = filled(world, "Subscription/{s}/UsagePoint/{u}/")
    now = world.feed(f"{here}UsageSummary", sun)

    assert world.get(f"{here}{old}", sun, check=200).data == now.body
    last = now.entries[0].self.rpartition("/")[2]
    assert world.feed(f"{here}{old}/{last}", sun).entries == [now.entries[0]]


def test_programme_codes_answer_to_the_name_others_use(world: World) -> None:
    found = world.feed("ProgramIdMappings", world.sun["north"])

    assert [entry.text("programIdMapping/name") for entry in found.entries] == ["Peak"]
    assert world.feed("ProgramIdMapping", world.sun["north"]).body == found.body


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/atom+xml", "application/xml", "text/xml", "application/json, text/plain, */*"],
)
def test_reading_never_fails_for_what_a_library_accepts(world: World, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}

    answer = world.client.get(world.sun["north"].resource, world.sun["north"], check=200, **headers)

    assert answer.content_type == "application/atom+xml"


# --- management ----------------------------------------------------------------------------------------


def test_the_service_says_that_it_is_up(world: World) -> None:
    for name in ("client of Sun", "upload", "custodian"):
        answer = world.get("ReadServiceStatus", world.machines["north", name], check=200)

        root = etree.fromstring(answer.data)
        assert root.tag == "{http://naesb.org/espi}ServiceStatus"
        assert root.findtext("{*}currentStatus") == "1"
        xsd.validator().assertValid(root)
        assert answer.mimetype == "application/xml"


@pytest.mark.requirement("FB_31", "FB_44")
@pytest.mark.parametrize("code", UTILITIES)
def test_an_authorization_says_what_was_granted_and_where_the_data_are(world: World, code: str) -> None:
    sun, client = world.sun[code], world.machines[code, "client of Sun"]

    document = world.client.feed(sun.authorization, client)

    xsd.validator().assertValid(document.root)
    [entry] = document.entries
    assert entry.self == sun.authorization
    assert entry.text("status") == "1"
    assert entry.text("token_type") == "Bearer"
    assert "BR=7" in str(entry.text("scope"))
    assert entry.text("resourceURI") == sun.resource
    assert entry.text("authorizationURI") == sun.authorization
    assert entry.text("customerResourceURI") == sun.customer_resource
    assert int(str(entry.text("expires_at"))) > clock.seconds()
    assert world.client.feed(f"{make.base(code)}/Authorization", client).entries == [entry]
    for href in (sun.resource, sun.customer_resource):
        world.client.get(href, sun, check=200)


def test_without_customer_data_there_is_no_customer_resource(world: World) -> None:
    meters = world.meters["north"]

    entry = world.client.feed(meters.authorization, world.machines["north", "custodian"]).entries[0]

    assert entry.text("customerResourceURI") in (None, "")


@pytest.mark.requirement("F-OFF")
def test_an_authorization_that_ends_stays_to_be_read_with_status_zero(
    towns: Database, client: Client
) -> None:
    ended, over = (make.access(towns, application="Sun", customer=each) for each in ("C-1", "C-2"))
    token = make.token(towns, "client", application="Sun")
    before = client.get(over.authorization, token, check=200)
    make.end(towns, ended.id)
    make.change(towns, Authorization, Authorization.id == over.id, starts_at=1, ends_at=clock.seconds() - 5)

    found = client.feed(f"{make.base()}/Authorization", token)

    assert [entry.text("status") for entry in found.entries] == ["0", "0"]
    xsd.validator().assertValid(found.root)
    after = client.get(
        over.authorization, token, check=200, If_None_Match=before.headers["ETag"],
        If_Modified_Since=before.headers["Last-Modified"],
    )  # fmt: skip
    assert Feed(after.data).entries[0].text("status") == "0"


@pytest.mark.requirement("FB_41", "FB_13")
def test_application_information_shows_no_secret(world: World) -> None:
    sun = world.sun["north"]
    for token in (world.machines["north", "registration of Sun"], world.machines["north", "custodian"]):
        document = world.get(f"ApplicationInformation/{sun.application}", token, check=200)

        found = Feed(document.data)
        xsd.validator().assertValid(found.root)
        [entry] = found.entries
        assert entry.text("client_name") == "Sun"
        assert not entry.text("client_secret")
        assert not entry.text("registration_access_token")
        assert entry.text("dataCustodianId") == "north"
        assert entry.text("dataCustodianResourceEndpoint") == make.base()
        assert entry.text("registration_client_uri") == entry.self
        assert [each.text for each in entry.content.findall("{*}grant_types")] == [
            "authorization_code", "client_credentials", "refresh_token",
        ]  # fmt: skip


def test_an_application_keeps_what_was_stated_about_it(towns: Database, client: Client) -> None:
    sun = make.access(towns, customer="C-1")
    make.change(
        towns, Application, Application.id == sun.application, notify_uri="https://sun.example.org/notify",
        redirect_uris=["https://sun.example.org/a", "https://sun.example.org/b"], scope="FB=4_5",
        information={"description": "Sun & Co <solar>", "software_id": "sun", "contacts": ["ops@sun.example.org"]},
    )  # fmt: skip

    found = client.feed(f"{make.base()}/ApplicationInformation", make.token(towns, "custodian"))

    xsd.validator().assertValid(found.root)
    [entry] = found.entries
    assert entry.text("thirdPartyNotifyUri") == "https://sun.example.org/notify"
    assert entry.text("thirdPartyApplicationDescription") == "Sun & Co <solar>"
    assert len(entry.content.findall("{*}redirect_uri")) == 2


def test_a_machine_token_without_an_application_opens_no_authorization(
    towns: Database, client: Client
) -> None:
    make.access(towns, customer="C-1", scope=f"{make.EVERYTHING}_35_67;BR=7")
    for kind in ("client", "registration"):
        stray = make.token(towns, kind)
        for path in ("Authorization", "Batch/Bulk/7", "Batch/BulkRetailCustomerInfo/7"):
            client.get(f"{make.base()}/{path}", stray, check=403)


# --- how far consent reaches ---------------------------------------------------------------------------


@pytest.mark.requirement("UC1.1", "NFR22", "FB_53", "FB_57", "FB_58", "FB_60")
def test_of_two_premises_only_the_one_that_was_shared_is_seen(world: World) -> None:
    cabin, whole = world.cabin["north"], world.sun["north"]
    everything = world.client.feed(whole.customer_resource, whole)

    found = world.client.feed(cabin.customer_resource, cabin)

    assert [entry.text("accessMethod") for entry in found.of("ServiceLocation")] == ["Gate 102"]
    assert [entry.text("agreementId") for entry in found.of("CustomerAgreement")] == ["G-2"]
    assert [entry.text("serialNumber") for entry in found.of("Meter")] == ["M-102"]
    assert [entry.text("serialNumber") for entry in found.of("EndDevice")] == ["E-102"]
    assert len(found.of("ServiceSupplier")) == len(found.of("ProgramDateIdMappings")) == 1
    assert found.of("Statement") == []
    hidden = {entry.self for entry in everything.entries} - {entry.self for entry in found.entries}
    assert len(hidden) == 7
    for href in hidden:
        world.client.get(href, whole, check=200)
        world.client.get(href, cabin, check=404)
    assert not any(href in found.body.decode() for href in hidden)


@pytest.mark.requirement("FB_58")
def test_a_location_names_its_usage_point_as_the_usage_feed_does(world: World) -> None:
    for consent in (world.sun["north"], world.cabin["north"]):
        usage = {entry.self for entry in world.client.feed(consent.resource, consent).of("UsagePoint")}
        places = world.client.feed(consent.customer_resource, consent).of("ServiceLocation")

        assert {
            each.text for place in places for each in place.content.iterfind("{*}UsagePoints/{*}UsagePoint")
        } == usage
        assert all(href.startswith("https://") for href in usage)


@pytest.mark.requirement("FB_51", "FB_54", "FB_57", "NFR22", "F-DATA")
@pytest.mark.parametrize(
    ("block", "elements"),
    [
        (54, {"Customer": {"customerName"}, "ServiceLocation": set()}),
        (57, {"CustomerAgreement": {"agreementId"}, "CustomerAccount": {"accountId"}, "Customer": set()}),
        (58, {"ServiceLocation": {"mainAddress", "accessMethod"}, "Customer": set(), "CustomerAccount": set()}),
    ],
)  # fmt: skip
def test_a_customers_tree_is_a_bare_chain_but_for_what_was_granted(
    world: World, block: int, elements: dict[str, set[str]]
) -> None:
    consent = make.access(world.database, application=f"FB {block}", customer="C-1", scope=f"FB={block}")

    found = world.client.feed(consent.customer_resource, consent)

    assert {"Customer", "CustomerAccount", "CustomerAgreement", "ServiceLocation"} <= found.kinds
    assert not found.kinds & {"Meter", "EndDevice", "Statement", "ServiceSupplier"}
    for kind, expected in elements.items():
        for entry in found.of(kind):
            shown = {etree.QName(each).localname for each in entry.content}
            assert expected <= shown if expected else not shown
    world.client.get(consent.customer_resource.replace("/Batch", "") + "/Customer", consent, check=200)
    world.client.get(consent.resource, consent, check=403)


def test_a_custodian_reads_every_resource_by_its_root_name(world: World) -> None:
    counts = {
        kind: len(world.feed(kind, world.machines["north", "custodian"]))
        for kind in (
            "UsagePoint", "MeterReading", "IntervalBlock", "Customer", "CustomerAccount", "CustomerAgreement",
            "ServiceLocation", "ServiceSupplier", "Meter", "EndDevice", "Statement", "ProgramDateIdMappings",
        )
    }  # fmt: skip

    assert counts == {
        "UsagePoint": 4, "MeterReading": 4, "IntervalBlock": 4 + 2 + 3 + 40, "Customer": 2, "CustomerAccount": 2,
        "CustomerAgreement": 3, "ServiceLocation": 3, "ServiceSupplier": 3, "Meter": 3, "EndDevice": 3,
        "Statement": 2, "ProgramDateIdMappings": 3,
    }  # fmt: skip


def test_a_customer_without_usage_points_has_an_empty_feed(towns: Database, client: Client) -> None:
    make.customer(towns, "C-9")
    customer = make.customer_id(towns, "C-9")
    for kind in ("custodian", "upload"):
        token = make.token(towns, kind)
        for path in (f"Batch/RetailCustomer/{customer}/UsagePoint", f"RetailCustomer/{customer}/UsagePoint"):
            assert client.feed(f"{make.base()}/{path}", token).entries == []
