"""Where every resource lives: the URL patterns of ESPI, said once, and the reading of anybody's links.

Paths are below the resource base ``…/espi/1_1/resource``; the standard, its samples and PG&E write it in
lower case, so that is what we emit, while ``Resource`` is understood too.

The builders take an *address to stand on*: the resource base, ``subscription(base, s)`` or
``retail_customer(base, rc)``. One feed computes it once, and every href of the feed is one f-string on it,
spelled in one way only: clients join the tree by comparing hrefs as text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile, pairwise
from urllib.parse import quote, unquote, urlsplit

RESOURCE = "/espi/1_1/resource"
"""The path of the resource base below a utility's public address."""

LETTERS: Mapping[str, str] = {
    "app": "ApplicationInformation",
    "auth": "Authorization",
    "s": "Subscription",
    "bulk": "Bulk",
    "brc": "BulkRetailCustomerInfo",
    "rc": "RetailCustomer",
    "u": "UsagePoint",
    "m": "MeterReading",
    "b": "IntervalBlock",
    "z": "UsageSummary",
    "q": "ElectricPowerQualitySummary",
    "t": "LocalTimeParameters",
    "r": "ReadingType",
    "pm": "ProgramIdMappings",
    "c": "Customer",
    "a": "CustomerAccount",
    "g": "CustomerAgreement",
    "l": "ServiceLocation",
    "p": "ServiceSupplier",
    "e": "EndDevice",
    "mt": "Meter",
    "st": "Statement",
    "d": "ProgramDateIdMappings",
    "er": "EligibleRate",
    "bc": "BillComparison",
    "ch": "RateChange",
}
"""The name of each path parameter, and whose id it is."""

ALIASES: Mapping[str, str] = {
    "ElectricPowerUsageSummary": "UsageSummary",
    "ElectricPowerUsageSumary": "UsageSummary",  # so spelled in the official table of paths
    "ProgramIdMapping": "ProgramIdMappings",  # PG&E
    "ProgramDateIdMapping": "ProgramDateIdMappings",
    "TimeConfiguration": "LocalTimeParameters",  # the name of its type in the schema
    "Account": "CustomerAccount",  # a sample of the Green Button Alliance
}
"""Other names of a path segment met in the field, and what they mean."""

CUSTOMER_KINDS = frozenset(
    {
        "RetailCustomer",
        "BulkRetailCustomerInfo",
        "Customer",
        "CustomerAccount",
        "CustomerAgreement",
        "ServiceLocation",
        "ServiceSupplier",
        "EndDevice",
        "Meter",
        "Statement",
        "ProgramDateIdMappings",
    }
)
SST_KINDS = frozenset({"EligibleRate", "BillComparison", "RateChange"})

_ACCOUNT = "RetailCustomer/{rc}/Customer/{c}/CustomerAccount"
_AGREEMENT = f"{_ACCOUNT}/{{a}}/CustomerAgreement"
_LOCATION = f"{_AGREEMENT}/{{g}}/ServiceLocation"
_USAGE_POINT = "Subscription/{s}/UsagePoint"


def _below(usage_point: str, tokens: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """What stands below a usage point."""
    for rest in ("MeterReading[/{m}]", "MeterReading/{m}/IntervalBlock[/{b}]"):
        yield f"{usage_point}/{{u}}/{rest}", tokens, (33,)
    for rest in ("UsageSummary[/{z}]", "ElectricPowerQualitySummary[/{q}]"):
        yield f"{usage_point}/{{u}}/{rest}", tokens, (33,)


# path ([/{id}]: the collection and its entries), tokens that may GET it, function blocks.
# Token letters are the standard's: Access, Client, Upload, Datacustodian, Registration.
_TABLE: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("ApplicationInformation", "D", (33,)),
    ("ApplicationInformation/{app}", "DR", (3, 41)),
    ("Authorization[/{auth}]", "DC", (3, 44)),
    ("ReadServiceStatus", "DCU", (3,)),
    ("Batch/Subscription/{s}", "DA", (3,)),
    ("Batch/Subscription/{s}/UsagePoint/{u}", "DA", (32,)),
    ("Batch/Bulk/{bulk}", "DC", (35, 34)),
    ("Batch/RetailCustomer/{rc}/UsagePoint", "DU", (33,)),
    ("LocalTimeParameters[/{t}]", "DA", (32, 33)),
    ("ReadingType[/{r}]", "DA", (32, 33)),
    # The standard gives ProgramIdMappings no path; like its fellow utility-wide kinds it stands at the root.
    ("ProgramIdMappings[/{pm}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}[/{{u}}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}/{{u}}/MeterReading[/{{m}}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}/{{u}}/MeterReading/{{m}}/IntervalBlock[/{{b}}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}/{{u}}/ElectricPowerQualitySummary[/{{q}}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}/{{u}}/UsageSummary[/{{z}}]", "DA", (32, 33)),
    (f"{_USAGE_POINT}/{{u}}/EligibleRate[/{{er}}]", "DA", ()),
    (f"{_USAGE_POINT}/{{u}}/BillComparison[/{{bc}}]", "DA", ()),
    (f"{_USAGE_POINT}/{{u}}/RateChange[/{{ch}}]", "DA", ()),
    ("UsagePoint[/{u}]", "D", (33,)),
    # The custodian's own tree: what its feeds link to, so that every self link can be fetched.
    *_below("UsagePoint", "D"),
    *_below("RetailCustomer/{rc}/UsagePoint", "DU"),
    ("RetailCustomer/{rc}/UsagePoint[/{u}]", "DU", (33,)),
    ("MeterReading[/{m}]", "D", (33,)),
    ("IntervalBlock[/{b}]", "D", (33,)),
    ("Batch/RetailCustomer/{rc}", "DA", (51, 53, 46)),
    ("Batch/BulkRetailCustomerInfo/{brc}", "DC", (67, 47)),  # C by analogy with Bulk
    ("RetailCustomer/{rc}", "DA", (50,)),
    ("RetailCustomer/{rc}/Customer[/{c}]", "DA", (50,)),
    (f"{_ACCOUNT}[/{{a}}]", "DA", (50,)),
    (f"{_AGREEMENT}[/{{g}}]", "DA", (50,)),
    (f"{_LOCATION}[/{{l}}]", "DA", (50,)),
    (f"{_AGREEMENT}/{{g}}/ServiceSupplier[/{{p}}]", "DA", (50,)),
    (f"{_LOCATION}/{{l}}/EndDevice[/{{e}}]", "DA", (50,)),
    (f"{_LOCATION}/{{l}}/Meter[/{{mt}}]", "DA", (50,)),
    ("RetailCustomer/{rc}/Customer/{c}/Statement[/{st}]", "DA", (71,)),
    # No path in the standard either: they name the dates of an agreement's programmes.
    (f"{_AGREEMENT}/{{g}}/ProgramDateIdMappings[/{{d}}]", "DA", (62,)),
    ("Customer[/{c}]", "D", (49,)),
    ("CustomerAccount[/{a}]", "D", (49,)),
    ("CustomerAgreement[/{g}]", "D", (49,)),
    ("ServiceLocation[/{l}]", "D", (49,)),
    ("ServiceSupplier[/{p}]", "D", (49,)),
    ("EndDevice[/{e}]", "D", (49,)),
    ("Meter[/{mt}]", "D", (49,)),
    ("Statement[/{st}]", "D", (49,)),
    ("ProgramDateIdMappings[/{d}]", "D", (49,)),
)

_DELIVERED = (
    {each for each in LETTERS.values() if each not in SST_KINDS}
    - {"ApplicationInformation", "Authorization", "Subscription"}
    - {"Bulk", "BulkRetailCustomerInfo", "RetailCustomer"}
)
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Pattern:
    """One URL pattern below the resource base, and all that follows from its spelling."""

    path: str
    tokens: str
    blocks: tuple[int, ...]

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path parameters, outermost first: ``("s", "u", "m")``."""
        return tuple(_PARAMETER.findall(self.path))

    @cached_property
    def kind(self) -> str:
        """The kind of the last named segment: ``IntervalBlock``, ``Subscription``, ``ReadServiceStatus``."""
        return [part for part in self.path.split("/") if not part.startswith("{")][-1]

    @cached_property
    def is_batch(self) -> bool:
        """Does it answer a whole tree of resources in one feed?"""
        return self.path.startswith("Batch/")

    @cached_property
    def is_collection(self) -> bool:
        """Does it answer all entries of its kind, rather than one?"""
        return not self.path.endswith("}") and self.kind != "ReadServiceStatus"

    @cached_property
    def is_customer(self) -> bool:
        """Does it answer retail customer data, which never share a feed with usage?"""
        return self.kind in CUSTOMER_KINDS

    @cached_property
    def deliverers(self) -> str:
        """The tokens that may POST entries here: the custodian's on every collection of data, uploads on one.

        ApplicationInformation and Authorization are registrations and consents; no delivery makes those.
        """
        if self.path == "Batch/RetailCustomer/{rc}/UsagePoint":
            return "DU"
        is_data = self.kind in _DELIVERED and not self.is_batch
        return "D" if is_data and self.is_collection and "D" in self.tokens else ""

    @cached_property
    def name(self) -> str:
        """A short unique name, good as an endpoint: ``subscription_usage_point_entry``."""
        words = [_snake(part) for part in self.path.split("/") if not part.startswith("{")]
        shape = "collection" if self.is_collection else "entry"
        return "_".join([*words, "feed" if self.is_batch else shape])

    @property
    def rule(self) -> str:
        """The route in Flask's spelling, with a leading slash: ``/Subscription/<s>/UsagePoint/<u>``."""
        return "/" + _PARAMETER.sub(r"<\1>", self.path)

    @property
    def rules(self) -> tuple[str, ...]:
        """``rule``, then the same with each other name of its kind: ``…/ElectricPowerUsageSummary/<z>``."""
        others = [alias for alias, kind in ALIASES.items() if kind == self.kind and alias in _ROUTED]
        return (self.rule, *(self.rule.replace(f"/{self.kind}", f"/{other}") for other in others))

    def ids(self, arguments: Mapping[str, str]) -> dict[str, str]:
        """A view's arguments by kind: ``{"s": "s7"}`` gives ``{"Subscription": "s7"}``."""
        return {LETTERS[letter]: arguments[letter] for letter in self.parameters}


# Names old clients and PG&E's ask for; the others were seen in links only.
_ROUTED = ("ElectricPowerUsageSummary", "ElectricPowerUsageSumary", "ProgramIdMapping")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _patterns() -> Iterator[Pattern]:
    for path, tokens, blocks in _TABLE:
        collection, optional, rest = path.partition("[")
        yield Pattern(collection, tokens, blocks)
        if optional:
            yield Pattern(collection + rest.rstrip("]"), tokens, blocks)


PATTERNS: tuple[Pattern, ...] = tuple(_patterns())
"""Every pattern, in the standard's order; names and rules are unique."""

BY_NAME: Mapping[str, Pattern] = {pattern.name: pattern for pattern in PATTERNS}


def link_prefix(kind: str) -> str:
    """``espi``, ``cust`` or ``sst``: the first word of a link's type."""
    if kind in CUSTOMER_KINDS:
        return "cust"
    return "sst" if kind in SST_KINDS else "espi"


def entry_type(kind: str) -> str:
    """The type of a link to one entry: ``espi-entry/UsagePoint``, ``cust-entry/Meter``."""
    return f"{link_prefix(kind)}-entry/{kind}"


def feed_type(kind: str) -> str:
    """The type of a link to a collection: ``espi-feed/MeterReading``."""
    return f"{link_prefix(kind)}-feed/{kind}"


# --- building -----------------------------------------------------------------------------------------


def collection(at: str, kind: str) -> str:
    """The collection of a kind right below `at`: ``collection(base, "ReadingType")``."""
    return f"{at}/{kind}"


def entry(at: str, kind: str, id: str) -> str:
    """An entry right below `at`: a utility-wide kind, or any kind in the custodian's root form."""
    return f"{at}/{kind}/{id}"


def subscription(base: str, s: str) -> str:
    """The address the usage points of one authorization stand on."""
    return f"{base}/Subscription/{s}"


def retail_customer(base: str, rc: str) -> str:
    """The address one customer's personal data stand on (and, in old downloads, usage points)."""
    return f"{base}/RetailCustomer/{rc}"


def batch_subscription(base: str, s: str) -> str:
    """The feed of all usage data of one authorization: its resourceURI."""
    return f"{base}/Batch/Subscription/{s}"


def batch_usage_point(base: str, s: str, u: str) -> str:
    """The feed of all usage data of one usage point."""
    return f"{base}/Batch/Subscription/{s}/UsagePoint/{u}"


def batch_bulk(base: str, bulk: str) -> str:
    """The feed of all authorizations of one application with this ``BR=`` number."""
    return f"{base}/Batch/Bulk/{bulk}"


def batch_retail_customer(base: str, rc: str) -> str:
    """The feed of one customer's personal data: an authorization's customerResourceURI."""
    return f"{base}/Batch/RetailCustomer/{rc}"


def batch_retail_usage_points(base: str, rc: str) -> str:
    """The feed of one customer's usage points, for custodian and upload tokens."""
    return f"{base}/Batch/RetailCustomer/{rc}/UsagePoint"


def batch_bulk_retail_customers(base: str, bulk: str) -> str:
    """The feed of personal data of all customers with this ``BR=`` number."""
    return f"{base}/Batch/BulkRetailCustomerInfo/{bulk}"


def authorizations(base: str) -> str:
    """The application's authorizations."""
    return f"{base}/Authorization"


def authorization(base: str, auth: str) -> str:
    """One authorization: its authorizationURI."""
    return f"{base}/Authorization/{auth}"


def application_information(base: str, app: str) -> str:
    """What the custodian and an application agreed on at registration."""
    return f"{base}/ApplicationInformation/{app}"


def service_status(base: str) -> str:
    """Is the service up?"""
    return f"{base}/ReadServiceStatus"


def usage_points(at: str) -> str:
    """All usage points below a subscription, a retail customer or the root."""
    return f"{at}/UsagePoint"


def usage_point(at: str, u: str) -> str:
    """One usage point; its own children stand on this address."""
    return f"{at}/UsagePoint/{u}"


def meter_readings(at: str, u: str) -> str:
    """The meter readings of a usage point."""
    return f"{at}/UsagePoint/{u}/MeterReading"


def meter_reading(at: str, u: str, m: str) -> str:
    """One meter reading."""
    return f"{at}/UsagePoint/{u}/MeterReading/{m}"


def interval_blocks(at: str, u: str, m: str) -> str:
    """The interval blocks of a meter reading; a block is this, a slash and its id."""
    return f"{at}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock"


def interval_block(at: str, u: str, m: str, b: str) -> str:
    """One interval block."""
    return f"{at}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock/{b}"


def usage_summaries(at: str, u: str) -> str:
    """The usage summaries of a usage point."""
    return f"{at}/UsagePoint/{u}/UsageSummary"


def usage_summary(at: str, u: str, z: str) -> str:
    """One usage summary."""
    return f"{at}/UsagePoint/{u}/UsageSummary/{z}"


def quality_summaries(at: str, u: str) -> str:
    """The power quality summaries of a usage point."""
    return f"{at}/UsagePoint/{u}/ElectricPowerQualitySummary"


def quality_summary(at: str, u: str, q: str) -> str:
    """One power quality summary."""
    return f"{at}/UsagePoint/{u}/ElectricPowerQualitySummary/{q}"


def customer(at: str, c: str) -> str:
    """One customer below a retail customer's address; Statement stands on it."""
    return f"{at}/Customer/{c}"


def customer_account(at: str, c: str, a: str) -> str:
    """One account of a customer."""
    return f"{at}/Customer/{c}/CustomerAccount/{a}"


def customer_agreement(at: str, c: str, a: str, g: str) -> str:
    """One agreement; ServiceSupplier and ProgramDateIdMappings stand on it."""
    return f"{at}/Customer/{c}/CustomerAccount/{a}/CustomerAgreement/{g}"


def service_location(at: str, c: str, a: str, g: str, location: str) -> str:
    """One service location of an agreement; EndDevice and Meter stand on it."""
    return f"{at}/Customer/{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ServiceLocation/{location}"


# --- links of an entry: (rel, href, type), self and up first ------------------------------------------

Links = tuple[tuple[str, str, str], ...]


def links(at: str, kind: str, id: str) -> Links:
    """Self and up of an entry of any kind right below `at`."""
    up = f"{at}/{kind}"
    return (("self", f"{up}/{id}", entry_type(kind)), ("up", up, feed_type(kind)))


def related(href: str, kind: str) -> tuple[str, str, str]:
    """A related link to one entry."""
    return ("related", href, entry_type(kind))


def related_collection(href: str, kind: str) -> tuple[str, str, str]:
    """A related link to a collection."""
    return ("related", href, feed_type(kind))


def usage_point_links(at: str, u: str, time_parameters: str, kinds: tuple[str, ...]) -> Links:
    """Links of a usage point: the collections of `kinds` it has, and its one LocalTimeParameters.

    `time_parameters` is that entry's whole href; `kinds` are MeterReading, UsageSummary and the like.
    """
    here = f"{at}/UsagePoint/{u}"
    return (
        ("self", here, "espi-entry/UsagePoint"),
        ("up", f"{at}/UsagePoint", "espi-feed/UsagePoint"),
        *(related_collection(f"{here}/{kind}", kind) for kind in kinds),
        ("related", time_parameters, "espi-entry/LocalTimeParameters"),
    )


def meter_reading_links(at: str, u: str, m: str, reading_type: str) -> Links:
    """Links of a meter reading: its interval blocks and its one ReadingType (a whole href)."""
    up = f"{at}/UsagePoint/{u}/MeterReading"
    here = f"{up}/{m}"
    return (
        ("self", here, "espi-entry/MeterReading"),
        ("up", up, "espi-feed/MeterReading"),
        ("related", f"{here}/IntervalBlock", "espi-feed/IntervalBlock"),
        ("related", reading_type, "espi-entry/ReadingType"),
    )


def interval_block_links(at: str, u: str, m: str, b: str) -> Links:
    """Links of an interval block."""
    up = f"{at}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock"
    return (("self", f"{up}/{b}", "espi-entry/IntervalBlock"), ("up", up, "espi-feed/IntervalBlock"))


def usage_summary_links(at: str, u: str, z: str) -> Links:
    """Links of a usage summary: related is its one usage point."""
    return (*links(f"{at}/UsagePoint/{u}", "UsageSummary", z), related(f"{at}/UsagePoint/{u}", "UsagePoint"))


def quality_summary_links(at: str, u: str, q: str) -> Links:
    """Links of a power quality summary."""
    return links(f"{at}/UsagePoint/{u}", "ElectricPowerQualitySummary", q)


# --- reading anybody's links --------------------------------------------------------------------------

_NAMES = {
    name: ALIASES.get(name, name)
    # ThirdParty leads the self link of the first downloads.
    for name in (*LETTERS.values(), *ALIASES, "ReadServiceStatus", "ThirdParty")
}
_NAMES_LOWER = {name.lower(): kind for name, kind in _NAMES.items()}
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_LONGEST = 2_048


@dataclass(frozen=True, slots=True)
class Path:
    """What a link points at: a kind, one entry or the collection, and the ids met on the way."""

    kind: str
    collection: bool
    ids: Mapping[str, str]
    last: str
    batch: bool = False

    @property
    def id(self) -> str | None:
        """The id of the entry itself; None for a collection."""
        return None if self.collection else self.ids.get(self.kind)

    @property
    def owner(self) -> tuple[str, str] | None:
        """Kind and id of the nearest resource above: ``("MeterReading", "01")`` of an IntervalBlock."""
        above = [(kind, id) for kind, id in self.ids.items() if kind != self.kind]
        return above[-1] if above else None

    def __str__(self) -> str:
        """The path below the base in the one spelling that is ours: equal paths print equally."""
        parts = [f"{kind}/{quote(id, safe='=:')}" for kind, id in self.ids.items()]
        if self.kind not in self.ids:
            parts.append(self.kind)
        return "/".join(["Batch", *parts] if self.batch else parts)


def parse(href: str) -> Path | None:
    """What this link points at, whoever wrote it; None if it is no ESPI path.

    Host, prefix, query, a trailing slash and percent-encoding do not matter. ``Resource`` and
    ``resource`` are the same, an alias is its kind, and thousands separators leave an id
    (PG&E writes ``UsageSummary/1,436,684,400,000``). Ids are otherwise as written.
    """
    if len(href) > _LONGEST:
        return None
    try:
        segments = [unquote(part) for part in urlsplit(href.strip()).path.split("/")]
    except ValueError:  # such as an unfinished [IPv6] host
        return None
    below, names = _below_the_base(segments)
    return _read(below, names) if below else None


def _below_the_base(segments: list[str]) -> tuple[list[str], Mapping[str, str]]:
    """The segments from the first kind on, and the names to read them by.

    Below ``…/1_1/resource`` the case of a name is forgiven; elsewhere only the exact word is taken for one.
    """
    while segments and not segments[-1]:
        segments = segments[:-1]
    for start, (version, base) in enumerate(pairwise(segments), start=2):
        if version == "1_1" and base.lower() == "resource":
            return list(dropwhile(lambda part: not part, segments[start:])), _NAMES_LOWER
    starts = (place for place, part in enumerate(segments) if part in _NAMES or part == "Batch")
    return segments[next(starts, len(segments)) :], _NAMES


def _read(parts: list[str], names: Mapping[str, str]) -> Path | None:
    """Names and ids in turn: ``UsagePoint/01/MeterReading`` is a kind, its id and a collection."""
    fold = str.lower if names is _NAMES_LOWER else str
    batch = fold("Batch") in (fold(parts[0]), fold(parts[-1]))  # the first downloads end in /Batch
    if fold(parts[0]) == fold("Batch"):
        parts = parts[1:]
    elif batch:
        parts = parts[:-1]
    ids: dict[str, str] = {}
    kind = ""
    for place in range(0, len(parts), 2):
        kind = names.get(fold(parts[place]), "")
        if not kind or kind in ids:
            return None
        if place + 1 < len(parts):
            id = _id(parts[place + 1])
            if id is None:
                return None
            ids[kind] = id
    if not kind:
        return None
    is_collection = kind not in ids and kind != "ReadServiceStatus"
    return Path(kind, is_collection, ids, ids.get(kind, kind), batch)


def _id(text: str) -> str | None:
    """The id as we keep it, or None for a text no id can be."""
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text if text.strip() == text and text.isprintable() and text not in ("", ".", "..") else None
