"""Who a household is, as a retail customer feed: customer, account, agreement, place, supplier, meter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espi_server.demo.entries import base, entry, feed
from espi_server.demo.households import Company, Household, Place, Service, company
from espi_server.demo.metering import Metered
from espi_server.demo.usage_feed import subscription
from espi_server.espi import customer, paths
from espi_server.espi.codes import Currency


def write(maker: Company, household: Household, metered: Sequence[Metered]) -> bytes:
    """The feed of one customer of a company."""
    reference = metered[0].service.customer
    href = paths.batch_retail_customer(base(maker), reference)
    updated = max(int(each.midnights[-1]) for each in metered)
    return feed(
        href,
        "cust-entry/RetailCustomer",
        "Green Button customer",
        updated,
        _entries(maker, household, metered),
    )


def _entries(maker: Company, household: Household, metered: Sequence[Metered]) -> Iterator[bytes]:
    at = paths.retail_customer(base(maker), metered[0].service.customer)
    here = paths.customer(at, metered[0].service.customer)
    links = (
        *paths.links(at, "Customer", metered[0].service.customer),
        paths.related_collection(f"{here}/CustomerAccount", "CustomerAccount"),
    )
    yield entry(links, "Customer", _customer(household, metered[0].service.place).write(), _since(metered))
    for number in dict.fromkeys(each.service.account for each in metered):
        yield from _account(
            maker, here, household, [each for each in metered if each.service.account == number]
        )


def _account(maker: Company, up: str, household: Household, metered: Sequence[Metered]) -> Iterator[bytes]:
    number = metered[0].service.account
    here = f"{up}/CustomerAccount/{number}"
    links = (
        *paths.links(up, "CustomerAccount", number),
        paths.related(up, "Customer"),
        paths.related_collection(f"{here}/CustomerAgreement", "CustomerAgreement"),
    )
    last = sum(each.periods[-1].bill.total for each in metered if each.periods)
    content = customer.CustomerAccount(
        name_=f"Account {number}",
        created_date_time=_since(metered),
        status=customer.Status(value="active" if any(each.ended is None for each in metered) else "closed"),
        billing_cycle=f"{metered[0].service.read_day:02}",
        budget_bill="no",
        last_bill_amount=last,
        contact_info=_contact(household, metered[0].service.place),
        account_id=number,
    )
    yield entry(links, "Account", content.write(), _since(metered))
    for each in metered:
        yield from _agreement(maker, here, each)


def _agreement(maker: Company, up: str, each: Metered) -> Iterator[bytes]:
    number = each.service.agreement
    here = f"{up}/CustomerAgreement/{number}"
    links = (
        *paths.links(up, "CustomerAgreement", number),
        paths.related(up, "CustomerAccount"),
        paths.related_collection(f"{here}/ServiceLocation", "ServiceLocation"),
        paths.related_collection(f"{here}/ServiceSupplier", "ServiceSupplier"),
    )
    yield entry(links, "Agreement", _contract(maker, each).write(), each.signed)
    yield from _location(maker, here, each)
    for role, code in _suppliers(each.service):
        yield entry(
            paths.links(here, "ServiceSupplier", code),
            "Supplier",
            _supplier(company(code), role, each).write(),
            each.signed,
        )


def _location(maker: Company, up: str, each: Metered) -> Iterator[bytes]:
    place, service = each.service.place, each.service
    here = f"{up}/ServiceLocation/{place.premise}"
    links = (
        *paths.links(up, "ServiceLocation", place.premise),
        paths.related(up, "CustomerAgreement"),
        paths.related_collection(f"{here}/Meter", "Meter"),
    )
    point = paths.usage_point(subscription(maker, service), service.usage_point)
    content = customer.ServiceLocation(
        name_=f"Premise {place.premise}",
        type="electricity" if not service.is_gas else "gas",
        main_address=_address(place),
        access_method="Meter outside, by the gate",
        needs_inspection=False,
        usage_points=[customer.UsagePoints(usage_point=[point])],
        outage_block=place.circuit or None,
    )
    yield entry(links, "Service location", content.write(), each.signed)
    meter = customer.Meter(
        type="smart meter", serial_number=service.meter, is_virtual=False, amr_system="mesh radio",
        form_number=None if service.is_gas else "2S", interval_length=service.step,
    )  # fmt: skip
    yield entry(paths.links(here, "Meter", service.meter), "Meter", meter.write(), each.signed)


def _customer(household: Household, place: Place) -> customer.Customer:
    return customer.Customer(
        organisation=_contact(household, place),
        kind="commercialIndustrial" if household.is_business else "residential",
        status=customer.Status(value="active"),
        locale="en_US",
        customer_name=household.person,
    )


def _contact(household: Household, place: Place) -> customer.Organisation:
    area, local = "555", household.phone.partition("-")[2]
    return customer.Organisation(
        postal_address=_address(place),
        phone1=customer.TelephoneNumber(country_code="1", area_code=area, local_number=f"555-{local}"),
        electronic_address=customer.ElectronicAddress(email1=household.email),
        organisation_name=household.person,
    )


def _address(place: Place) -> customer.StreetAddress:
    return customer.StreetAddress(
        street_detail=customer.StreetDetail(
            number=place.number, name_=place.street, suite_number=place.unit or None
        ),
        town_detail=customer.TownDetail(name_=place.town, state_or_province="CA", country="US"),
        postal_code=place.zip,
    )


def _contract(maker: Company, each: Metered) -> customer.CustomerAgreement:
    ended = None if each.ended is None else each.ended - each.signed
    return customer.CustomerAgreement(
        name_=f"Agreement {each.service.agreement}",
        status=customer.Status(value="active" if ended is None else "closed"),
        sign_date=each.signed,
        validity_interval=customer.DateTimeInterval(start=each.signed, duration=ended),
        is_pre_pay=False,
        pricing_structures=[f"https://www.{maker.code}.example/rates/{each.service.rate}"],
        currency=Currency.USD,
        agreement_id=each.service.agreement,
    )


def _suppliers(service: Service) -> list[tuple[str, str]]:
    """Role and code of the companies behind an agreement: one where it is bundled, else two."""
    return [("utility", service.udc)] + ([("lse", service.lse)] if service.lse != service.udc else [])


def _supplier(supplier: Company, role: str, each: Metered) -> customer.ServiceSupplier:
    return customer.ServiceSupplier(
        organisation=customer.Organisation(
            phone1=customer.TelephoneNumber(country_code="1", area_code="555", local_number=supplier.phone),
            organisation_name=supplier.name,
        ),
        kind=role,
        issuer_identification_number=supplier.code,
        effective_date=each.signed,
    )


def _since(metered: Sequence[Metered]) -> int:
    return min(each.signed for each in metered)
