"""Rules on the retail customer side: the chain from customer to meter, and addresses that can be followed."""

from __future__ import annotations

from urllib.parse import urlsplit

from .rule import Faults, Place, Severity, rule
from .subjects import Resource, parsed
from .whole import Document

ERROR, WARNING, ADVICE = Severity
_CHAIN = (("Customer", "CustomerAccount"), ("CustomerAccount", "CustomerAgreement"))
_BELOW_AGREEMENT = ("ServiceLocation", "ServiceSupplier")


@rule(
    "CUST-01",
    WARNING,
    "Customer, account and agreement relate to each other both ways",
    why="FB_54 to 57 walk this chain by related links, down and up.",
    breaks="a Customer without a related CustomerAccount",
    lenient=ADVICE,
)
def chain_holds(document: Document) -> Faults:
    for above, below in _CHAIN:
        for kind, other in ((above, below), (below, above)):
            if document.spool.has(other):
                for place in _without_link(document, kind, other):
                    yield document.fault(f"The {kind} has no related link to a {other}.", place, kind)


@rule(
    "CUST-02",
    ADVICE,
    "An agreement relates to its place and supplier",
    why="FB_58 and 59: from the agreement a client comes to the ServiceLocation and the ServiceSupplier.",
    breaks="a CustomerAgreement without a related ServiceLocation",
)
def agreement_leads_on(document: Document) -> Faults:
    for other in _BELOW_AGREEMENT:
        if document.spool.has(other):
            for place in _without_link(document, "CustomerAgreement", other):
                words = f"The CustomerAgreement has no related link to a {other}."
                yield document.fault(words, place, "CustomerAgreement")


@rule(
    "CUST-03",
    ERROR,
    "A ServiceLocation names its UsagePoints by absolute https addresses",
    why="FB_58: each is the self link of a UsagePoint; it is the one bridge from the customer to the readings.",
    breaks="<cust:UsagePoint>UsagePoint/u1</cust:UsagePoint>",
    kinds="ServiceLocation",
    lenient=WARNING,
)
def points_are_addresses(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.name == "UsagePoint" and isinstance(value, str):
            target = parsed(value)
            if not _is_https(value):
                yield resource.fault(f"{value!r} is no absolute https address.", path)
            elif target is None or target.kind != "UsagePoint" or target.collection:
                yield resource.fault(f"{value} is not the address of one UsagePoint.", path)


@rule(
    "CUST-04",
    WARNING,
    "An account has its accountId, an agreement its agreementId",
    why="FB_56 and 57 show the numbers that are printed on the bill; people know their service by them.",
    breaks="a CustomerAccount without <cust:accountId>",
    kinds="CustomerAccount CustomerAgreement",
    lenient=ADVICE,
)
def accounts_have_numbers(resource: Resource) -> Faults:
    name = "accountId" if resource.kind == "CustomerAccount" else "agreementId"
    field = resource.cls.by_name[name]
    if resource.context.edition.has(resource.cls, field) and not getattr(resource.instance, field.attribute):
        yield resource.fault(f"The {resource.kind} has no {name}.")


@rule(
    "CUST-05",
    ERROR,
    "A Statement's address is absolute and https",
    why="FB_71: the bill is fetched from there, with the customer's token in the hand.",
    breaks="<cust:statementURL>bills/17.pdf</cust:statementURL>",
    kinds="Statement",
    lenient=WARNING,
)
def statements_can_be_fetched(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.name == "statementURL" and not _is_https(str(value)):
            yield resource.fault(f"{value!r} is no absolute https address.", path)


@rule(
    "CUST-06",
    WARNING,
    "A customer has a name",
    why="FB_54: who the customer is, by customerName or the Organisation's name.",
    breaks="a Customer without any name",
    kinds="Customer",
    lenient=ADVICE,
)
def customers_have_names(resource: Resource) -> Faults:
    customer = resource.instance
    organisation = getattr(customer, "organisation", None)
    names = (customer.customer_name, customer.name_, getattr(organisation, "organisation_name", None))
    if not any((*names, getattr(organisation, "name_", None))):
        yield resource.fault("The Customer has no customerName.")


@rule(
    "CUST-07",
    ERROR,
    "No password stands in an electronic address",
    why="The schema has a place for one. Nobody who may read a name and an address may read a password.",
    breaks="<cust:password>hunter2</cust:password>",
)
def passwords_stay_at_home(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.name == "password" and value:
            yield resource.fault("A password stands in the document.", path)


def _without_link(document: Document, kind: str, other: str) -> list[Place]:
    """Where the entries of a kind stand that have no related link to another."""
    question = """
        SELECT e.place FROM entry e WHERE e.kind = ? AND NOT EXISTS (
            SELECT 1 FROM link l LEFT JOIN entry t ON t.self_key = l.key WHERE l.n = e.n
            AND (t.kind = ? OR l.key LIKE '%/' || ? OR l.key LIKE '%' || ? || '/%')) ORDER BY e.n"""
    return [Place.parse(place) for (place,) in document.pairs(question, kind, other, other, other)]


def _is_https(href: str) -> bool:
    parts = urlsplit(href)
    return parts.scheme == "https" and bool(parts.netloc)
