"""Who lives in the demo: nine households, the companies that serve them, and what each is good for trying out.

All names and addresses are invented. Some ids, names and addresses are the same at two companies on purpose: the
gas company's C-1001 is not the electric company's, while the community energy provider shares its customers' numbers
with the company that delivers. Data must never wander between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from espi_server.demo.calendar import DAY, HOUR, QUARTER

TIMEZONE: Final = "America/Los_Angeles"
COMPANY: Final = "Fernhill Sandbox"  # the third party the households share their data with


@dataclass(frozen=True)
class Company:
    """A utility of the demo."""

    code: str
    name: str
    kind: str
    roles: tuple[str, ...]
    commodity: str
    phone: str


@dataclass(frozen=True)
class Place:
    """Where service is delivered; `premise` is the utility's own number of it."""

    premise: str
    number: str
    street: str
    town: str
    zip: str
    unit: str = ""
    circuit: str = ""


@dataclass(frozen=True)
class Service:
    """One agreement of a household with one company, and its meter. The ids are the company's own.

    `shape` is how energy is used there (`shapes.SHAPES`), `rate` what it costs (`tariffs.RATES`), `step` the seconds
    between readings. `ended` says how many days before the demo's last day they moved out.
    """

    company: str
    customer: str
    account: str
    agreement: str
    usage_point: str
    meter: str
    place: Place
    shape: str
    rate: str
    udc: str
    lse: str
    modifiers: tuple[str, ...] = ()
    step: int = QUARTER
    read_day: int = 8
    net_metered: bool = False
    patchy: bool = False
    ended: int | None = None

    @property
    def is_gas(self) -> bool:
        """Gas rather than electricity?"""
        return self.company == HARBOR.code


@dataclass(frozen=True)
class Household:
    """A household (or a business) with its story, and what it shares."""

    name: str
    title: str
    story: str
    person: str
    phone: str
    email: str
    services: tuple[Service, ...]
    scope: str
    is_business: bool = False

    @property
    def companies(self) -> tuple[str, ...]:
        """The codes of the companies that serve it, each once."""
        return tuple(dict.fromkeys(service.company for service in self.services))

    def at(self, company: str) -> tuple[Service, ...]:
        """Its services by one company."""
        return tuple(service for service in self.services if service.company == company)

    def reference(self, company: str) -> str:
        """The company's own number of this customer."""
        return self.at(company)[0].customer


ALDER: Final = Company("alder", "Alder Valley Electric", "iou", ("udc", "lse"), "electricity", "555-0100")
BROOK: Final = Company("brook", "Brookside Community Energy", "cca", ("lse",), "electricity", "555-0140")
HARBOR: Final = Company("harbor", "Harbor & Hill Gas", "gas", ("udc", "lse"), "gas", "555-0170")
COMPANIES: Final = (ALDER, BROOK, HARBOR)

BAKERIES: Final = 60

_COMMON = "1_3_13_19_32_37_39"
_BILLS = "15_16_27_28"
_PERSON = "51_53_54_55_56_57_58_59_60"
_MILL_LANE = Place("P-3001", "12", "Mill Lane", "Alder Grove", "95901", circuit="AG-12")
_STREETS = ("Station Road", "Market Street", "Cedar Street", "Harbor Street", "Orchard Road", "Quarry Way")


def every() -> tuple[Household, ...]:
    """The nine households, in the order in which they are shown."""
    return (
        _single(),
        _car(),
        _solar(),
        _two_premises(),
        _gas_and_electricity(),
        _unbundled(),
        _moved_out(),
        _business(),
        _gaps(),
    )


def named(name: str) -> Household:
    """The household of this name; KeyError where there is none."""
    return {each.name: each for each in every()}[name]


def company(code: str) -> Company:
    """The company with this code; KeyError where there is none."""
    return {each.code: each for each in COMPANIES}[code]


def _scope(
    *blocks: str, interval: int = QUARTER, cut: str = "daily", rin: bool = False, more: str = ""
) -> str:
    """A scope of the sandbox company: these function blocks beside the common ones, three years of history."""
    numbers = sorted({int(number) for each in (_COMMON, *blocks) for number in each.split("_")})
    terms = f"FB={'_'.join(map(str, numbers))};IntervalDuration={interval};BlockDuration={cut}"
    return f"{terms};HistoryLength={3 * 365 * DAY}{more}" + (";AdditionalScope=RIN" if rin else "")


def _service(number: int, place: Place, shape: str, rate: str, **more: Any) -> Service:
    """A service by Alder Valley Electric, with the ids of its customer `number`."""
    service = Service(
        company=ALDER.code,
        customer=f"C-{1000 + number}",
        account=f"{40_000 + number}-1",
        agreement=f"{50_000 + number}",
        usage_point=f"{7000 + number}",
        meter=f"M{88_000 + number}",
        place=place,
        shape=shape,
        rate=rate,
        udc=ALDER.code,
        lse=ALDER.code,
        read_day=3 + number * 2,
    )
    return replace(service, **more)


def _single() -> Household:
    """Without the RIN, so that its whole feed is valid against the published schema."""
    place = Place("P-2001", "14", "Juniper Court", "Alder Grove", "95901", unit="3", circuit="AG-11")
    return Household(
        "single",
        "One flat, one meter",
        "The plain case: quarter-hours, a time-of-use rate, a bill a month.",
        "Amina Okafor",
        "555-0111",
        "amina@home.example",
        (_service(1, place, "flat", "R-TOU"),),
        _scope("4_5_12", _BILLS, _PERSON),
    )


def _car() -> Household:
    place = Place("P-2002", "208", "Cedar Street", "Alder Grove", "95901", circuit="AG-11")
    return Household(
        "car",
        "An electric car on a tiered rate",
        "It charges at night, and takes every month into the second tier.",
        "Daniel Reyes",
        "555-0112",
        "daniel@home.example",
        (_service(2, place, "home with a car", "R-TIER"),),
        _scope("4_5", _BILLS, _PERSON),
    )


def _solar() -> Household:
    place = Place("P-2003", "31", "Orchard Road", "Alder Grove", "95901", circuit="AG-12")
    service = _service(3, place, "home with sun", "R-SUN", net_metered=True)
    return Household(
        "solar",
        "Sun on the roof",
        "Two series: what the house takes from the grid, and what it gives back.",
        "Mei-Ling Park",
        "555-0113",
        "meiling@home.example",
        (service,),
        _scope("4_5_7_8_17", _BILLS, _PERSON, rin=True),
    )


def _two_premises() -> Household:
    town = Place("P-2004", "5", "Larkspur Lane", "Alder Grove", "95901", circuit="AG-12")
    lake = Place("P-2104", "77", "Lake View Trail", "Pinecrest", "95917", circuit="PC-2")
    services = (
        _service(4, town, "home", "R-TOU"),
        _service(
            4,
            lake,
            "cabin",
            "R-TIER",
            account="40004-2",
            agreement="50104",
            usage_point="7104",
            meter="M88104",
            step=HOUR,
            read_day=21,
        ),
    )
    return Household(
        "two-premises",
        "A home and a cabin",
        "One customer, two places, two accounts; the cabin's meter reads by the hour.",
        "Tomasz Nowak",
        "555-0114",
        "tomasz@home.example",
        services,
        _scope("4_5_18", _BILLS, _PERSON, rin=True),
    )


def _gas_and_electricity() -> Household:
    electric = _service(5, _MILL_LANE, "home", "R-TOU")
    # The numbers are another customer's at the electric company.
    gas = _service(1, replace(_MILL_LANE, premise="P-2001", circuit=""), "gas heating", "G-1",
                   company=HARBOR.code, udc=HARBOR.code, lse=HARBOR.code, step=DAY, read_day=12)  # fmt: skip
    return Household(
        "gas-and-electricity",
        "Gas and electricity",
        "Two companies in one town; the gas meter is read once a day.",
        "Rosa Delgado",
        "555-0115",
        "rosa@home.example",
        (electric, gas),
        _scope("4_5_10", _BILLS, _PERSON, rin=True),
    )


def _unbundled() -> Household:
    place = Place("P-2006", "640", "Harbor Street", "Alder Grove", "95901", circuit="AG-14")
    delivery = _service(6, place, "home", "R-TOU-D", lse=BROOK.code)
    generation = replace(delivery, company=BROOK.code, rate="GREEN-1", step=HOUR)
    return Household(
        "unbundled",
        "Delivered by one, bought from another",
        "Alder Valley delivers, Brookside sells: two bills, and a rate number for each half.",
        "Grace Liu",
        "555-0116",
        "grace@home.example",
        (delivery, generation),
        _scope("4_5", _BILLS, _PERSON, rin=True),
    )


def _moved_out() -> Household:
    place = Place("P-2007", "19", "Elm Avenue", "Alder Grove", "95901", unit="2B", circuit="AG-14")
    return Household(
        "moved-out",
        "Moved out in mid-year",
        "The agreement has ended and the readings stop there; history stays.",
        "Peter Lindqvist",
        "555-0117",
        "peter@home.example",
        (_service(7, place, "flat", "R-TOU", ended=160),),
        _scope("4_5", _BILLS, _PERSON, rin=True),
    )


def _business() -> Household:
    services = tuple(_bakery(shop) for shop in range(BAKERIES))
    return Household(
        "business",
        "A business with sixty agreements",
        "Fern & Finch bake in sixty shops; each has a meter and a bill of its own.",
        "Fern & Finch Bakeries",
        "555-0118",
        "energy@fernandfinch.example",
        services,
        _scope("4_5_6_18_35", _BILLS, _PERSON, interval=HOUR, cut="monthly", rin=True, more=";BR=60"),
        is_business=True,
    )


def _bakery(shop: int) -> Service:
    """Every third shop has a meter that is read by the hour, the others are read once a day."""
    street = _STREETS[shop % len(_STREETS)]
    place = Place(
        f"P-{8001 + shop}", f"{100 + 6 * shop}", street, "Alder Grove", "95901", circuit=f"AG-{11 + shop % 5}"
    )
    return _service(
        8,
        place,
        "bakery",
        "B-TOU",
        agreement=f"{58_001 + shop}",
        usage_point=f"{7801 + shop}",
        meter=f"M{88_801 + shop}",
        step=DAY if shop % 3 else HOUR,
        read_day=17,
    )


def _gaps() -> Household:
    place = Place("P-2009", "3", "Station Road", "Alder Grove", "95901", circuit="AG-11")
    service = _service(9, place, "large home", "R-TOU", modifiers=("CARE",), patchy=True)
    return Household(
        "gaps",
        "Gaps and estimates",
        "A meter with a bad radio: missing hours, estimated days, and both changes of the clock.",
        "Zoë O'Brien",
        "555-0119",
        "zoe@home.example",
        (service,),
        _scope("4_5", _BILLS, _PERSON, rin=True),
    )
