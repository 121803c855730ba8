"""Two ways to write the same person: names, addresses, numbers, as a company and as the utility have them.

Everything here is pure: a claim of a profile and what the records say become the same text, or they do not fit.
Doubt is no fit: a unit that one of two addresses lacks may be the neighbour's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from espi_server.energy.places import Address

# Letters that no decomposition takes apart.
_PLAIN = str.maketrans({
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t",
})  # fmt: skip
_TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "madam", "sr", "sra", "srta", "don", "dona",
})  # fmt: skip
_GENERATIONS = {
    "sr": 1, "senior": 1, "jr": 2, "junior": 2, "ii": 2, "2nd": 2, "iii": 3, "3rd": 3, "iv": 4, "4th": 4,
}  # fmt: skip
_FORMS = frozenset({
    "llc", "inc", "incorporated", "co", "company", "corp", "corporation", "ltd", "limited", "lp", "llp", "pllc", "pc",
    "plc", "the",
})  # fmt: skip
_JOINED = frozenset({
    "de", "del", "la", "las", "los", "da", "do", "dos", "di", "van", "von", "der", "den", "y", "e", "and",
})  # fmt: skip

# Names that stand for one another; a name may stand in several lines.
_NICKNAMES = """
alexander alex alec sasha xander
alexandra alex sasha sandra lexi
alfred al fred alf
albert al bert
alberto beto
andrew andy drew
angela angie
anthony tony
antonio tony tono
arthur art artie
barbara barb babs
benjamin ben benny benji
bradley brad
carmen menchu
caroline carrie carol
catherine cathy kate katie cat
katherine kathy kate katie kat kit
katharine kathy kate katie kat
charles charlie chuck chas
christina chris tina christy
christine chris tina chrissy
christopher chris kit topher
cynthia cindy
daniel dan danny
david dave davey
deborah deb debbie
dolores lola
donald don donny
dorothy dot dottie dolly
douglas doug
edward ed eddie ted ned
eduardo lalo edu
eleanor ellie nora nell
elizabeth liz lizzie beth betty betsy eliza libby lisa
enrique kike quique
ernesto neto
eugene gene
evelyn evie
fernando nando
florence flo
frances fran frannie
francis frank fran
francisco paco pancho kiko frank
frederick fred freddie rick
gabriel gabe
gabriela gaby
gerald gerry jerry
gerardo jerry
gregory greg
guadalupe lupe lupita
guillermo memo
gustavo gus
harold harry hal
henry hank harry hal
ignacio nacho
isabel isa bella
jacob jake
jacqueline jackie
james jim jimmy jamie
janet jan
jeffrey jeff
jennifer jen jenny
jeremy jerry
jessica jess jessie
jesus chuy
john jack johnny jon
jonathan jon johnny nathan
jose pepe
joseph joe joey
josephine jo josie
joshua josh
judith judy
kenneth ken kenny
kimberly kim
larry lawrence laurence
leonard leo len lenny
leonardo leo
leticia lety
lillian lil lily
lorenzo larry
louis lou louie
luis lucho
manuel manny manolo
margaret maggie meg peg peggy marge greta
margarita rita mago
maria mary
matthew matt matty
michael mike mickey mick
miguel mike
mercedes meche
nancy nan
natalie nat
nathaniel nate nat nathan
nicholas nick nicky
nicolas nico
pamela pam
patricia pat patty tricia trish paty
patrick pat paddy
pedro pete
peter pete
philip phil
rafael rafa
raymond ray
rebecca becky becca
refugio cuca
ricardo rick richie
richard rich rick ricky dick
robert rob bob bobby robbie
roberto beto bob
rodolfo rudy fito
ronald ron ronnie
rosario chayo
salvador chava sal
samantha sam
samuel sam sammy
sandra sandy
sergio checo
sofia sofi
sophia sophie
stephanie steph
stephen steve
steven steve
suzanne sue susie suzy
susan sue susie suzy
teresa tere terry
theresa terry tess
terrence terry
theodore ted teddy theo
thomas tom tommy
timothy tim timmy
veronica vero ronnie
vicente chente
victor vic
victoria vicky tori
vincent vince vinny
virginia ginny
walter walt wally
william will bill billy liam
zachary zach zack
"""

_STREETS = {
    "STREET": "ST", "STR": "ST", "AVENUE": "AVE", "AV": "AVE", "ROAD": "RD", "DRIVE": "DR", "DRV": "DR", "LANE": "LN",
    "COURT": "CT", "PLACE": "PL", "BOULEVARD": "BLVD", "BOUL": "BLVD", "HIGHWAY": "HWY", "TERRACE": "TER",
    "TERR": "TER", "CIRCLE": "CIR", "PARKWAY": "PKWY", "SQUARE": "SQ", "TRAIL": "TRL", "ALLEY": "ALY", "LOOP": "LOOP",
    "CRESCENT": "CRES", "EXPRESSWAY": "EXPY", "FREEWAY": "FWY", "PLAZA": "PLZ", "POINT": "PT", "RIDGE": "RDG",
    "SPRINGS": "SPGS", "CROSSING": "XING", "HEIGHTS": "HTS", "MOUNT": "MT", "MOUNTAIN": "MTN", "SAINT": "ST",
    "FORT": "FT", "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "NORTHEAST": "NE", "NORTHWEST": "NW",
    "SOUTHEAST": "SE", "SOUTHWEST": "SW", "FIRST": "1ST", "SECOND": "2ND", "THIRD": "3RD", "FOURTH": "4TH",
    "FIFTH": "5TH", "SIXTH": "6TH", "SEVENTH": "7TH", "EIGHTH": "8TH", "NINTH": "9TH", "TENTH": "10TH",
}  # fmt: skip
_UNIT = re.compile(
    r"(?P<rest>.*?)[\s,]+(?:#|(?:apt|apartment|unit|suite|ste|no|num|number|rm|room|spc|space|dpto|depto)\b\.?\s*#?)\s*"
    r"(?P<unit>[0-9A-Za-z-]+)\s*",
    re.IGNORECASE | re.DOTALL,
)
_STATES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY",
    "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN",
    "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new hampshire": "NH",
    "new jersey": "NJ", "new mexico": "NM", "new york": "NY", "north carolina": "NC", "north dakota": "ND",
    "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA", "rhode island": "RI",
    "south carolina": "SC", "south dakota": "SD", "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT",
    "virginia": "VA", "washington": "WA", "west virginia": "WV", "wisconsin": "WI", "wyoming": "WY",
    "puerto rico": "PR",
}  # fmt: skip


_PHONE = 7  # digits at least, or anybody's extension would do


@dataclass(frozen=True)
class Known:
    """What the utility knows of one customer; every list may hold several spellings or places."""

    names: Collection[str] = ()
    emails: Collection[str] = ()
    phones: Collection[str] = ()
    accounts: Collection[str] = ()
    addresses: Collection[Address] = ()


def given(profile: Mapping[str, Any], name: str) -> str:
    """A claim by its name, `address.locality` inside `address`; empty where it says nothing.

    Where no whole name is given, first and last name are one.
    """
    head, _, rest = name.partition(".")
    value = profile.get(head)
    if rest:
        value = value.get(rest) if isinstance(value, Mapping) else None
    if name == "name" and not value:
        value = " ".join(filter(None, (given(profile, "given_name"), given(profile, "family_name"))))
    return value.strip() if isinstance(value, str) else ""


def fits(profile: Mapping[str, Any], fields: Iterable[str], known: Known) -> frozenset[str]:
    """Which of these fields of a profile fit a customer. All fields of an address fit the same one."""
    wanted = list(fields)
    said = {name: value for name in wanted if (value := given(profile, name))}
    plain = {name for name, value in said.items() if "." not in name and _FITS[name](value, known)}
    within = {name: value for name, value in said.items() if "." in name}
    best: set[str] = set()
    for each in known.addresses:
        found = {name for name, value in within.items() if _ADDRESS[name](value, each)}
        best = max(best, found, key=len)
    return frozenset(plain | best)


# --- names ----------------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Small letters without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each)).translate(_PLAIN)


def same_name(one: str, other: str) -> bool:
    """Do two whole names mean one person or company? Two of their words have to be the same, and none another."""
    (first, young), (second, old) = _read_name(one), _read_name(other)
    if young and old and young != old:
        return False
    shorter, longer = sorted((first, second), key=len)
    if not shorter:
        return False
    needed = 1 if len(longer) == 1 else 2
    return _paired(shorter, longer) >= needed


def _paired(shorter: list[str], longer: list[str]) -> int:
    """How many words of the shorter name are words of the longer; 0 where one of them is none, nor an initial."""
    left, whole, initials = list(longer), 0, []
    for word in shorter:
        found = next((each for each in left if each == word), None)
        found = found or next((each for each in left if is_nickname(word, each)), None)
        if found is None:
            initials.append(word)
            continue
        left.remove(found)
        whole += 1
    for word in initials:
        found = next((each for each in left if 1 in (len(word), len(each)) and word[0] == each[0]), None)
        if found is None:
            return 0
        left.remove(found)
    return whole


def _read_name(text: str) -> tuple[list[str], int]:
    """The words of a name that tell somebody apart, and which of that name (2 for Jr; 0 where it is not said)."""
    last, comma, rest = text.partition(",")
    words = _words(f"{rest} {last}" if comma and rest.strip() else text)
    # Behind a name: before it, Sr. is señor.
    generation = next((_GENERATIONS[each] for each in words[2:] if each in _GENERATIONS), 0)
    told = [each for each in words if each not in _GENERATIONS and each not in _TITLES | _FORMS | _JOINED]
    return told or words, generation


def _words(text: str) -> list[str]:
    joined = re.sub(r"['’ʼ`.]", "", folded(text))
    return re.findall(r"\w+", joined.replace("_", " "))


@lru_cache(maxsize=1)
def _nicknames() -> Mapping[str, frozenset[int]]:
    lines: dict[str, set[int]] = {}
    for number, line in enumerate(_NICKNAMES.split("\n")):
        for name in line.split():
            lines.setdefault(name, set()).add(number)
    return {name: frozenset(each) for name, each in lines.items()}


def is_nickname(one: str, other: str) -> bool:
    """Does one of two names stand for the other?"""
    known = _nicknames()
    return bool(known.get(one, frozenset()) & known.get(other, frozenset()))


def _has_given_name(text: str, known: Known) -> bool:
    words = _read_name(text)[0]
    return bool(words) and any(
        any(words[0] == each or is_nickname(words[0], each) for each in _read_name(name)[0])
        for name in known.names
    )


def _has_family_name(text: str, known: Known) -> bool:
    words = set(_read_name(text)[0])
    return bool(words) and any(words <= set(_read_name(name)[0]) for name in known.names)


# --- numbers and addresses ------------------------------------------------------------------------------


def mail(text: str) -> str:
    """A mail address as it is compared: without the case of its letters."""
    return text.strip().casefold()


def phone(text: str) -> str:
    """The digits of a telephone number, without the country code of North America."""
    digits = re.sub(r"[^0-9]", "", re.sub(r"(?i)\s*(?:ext|x)\.?\s*[0-9]+\s*$", "", text))
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def account(text: str) -> str:
    """An account number without what is put between its parts."""
    return re.sub(r"[\s./_-]", "", text).upper()


def street(text: str) -> tuple[str, str, str]:
    """Number, street and unit of an address line in one spelling."""
    line = " ".join(text.replace("\n", ", ").split())
    found = _UNIT.fullmatch(line)
    rest, unit = (found["rest"], found["unit"]) if found else (line, "")
    read = Address.of(rest, "", "", "")
    return _spelled(read.number, read.street, unit or read.unit)


def _spelled(number: str, name: str, unit: str) -> tuple[str, str, str]:
    words = re.findall(r"\w+", re.sub(r"['’.]", "", folded(name)).upper())
    told = re.sub(r"(?i)^(?:apt|apartment|unit|suite|ste|#)\.?\s*#?\s*", "", unit.strip())
    return (
        number.strip().upper(),
        " ".join(_STREETS.get(each, each) for each in words),
        told.strip("# ").upper(),
    )


def _same_street(text: str, place: Address) -> bool:
    wanted = street(text)
    return bool(wanted[1]) and wanted == _spelled(place.number, place.street, place.unit)


def _same_town(text: str, place: Address) -> bool:
    return bool(place.town) and _spelled("", text, "")[1] == _spelled("", place.town, "")[1]


def _same_state(text: str, place: Address) -> bool:
    return bool(place.state) and _state(text) == _state(place.state)


def _state(text: str) -> str:
    words = " ".join(folded(text).split())
    return _STATES.get(words, words.upper())


def _same_zip(text: str, place: Address) -> bool:
    return bool(zip_of(place.zip)) and zip_of(text) == zip_of(place.zip)


def zip_of(text: str) -> str:
    """A postal code without its extension."""
    return re.sub(r"\s", "", text).upper().partition("-")[0][:5]


def accounts_like(text: str) -> Iterator[str]:
    """The spellings an account number may be kept under."""
    plain = text.strip()
    yield from dict.fromkeys((plain, plain.upper(), account(plain)))


def _has_name(text: str, known: Known) -> bool:
    return any(same_name(text, each) for each in known.names)


def _has_mail(text: str, known: Known) -> bool:
    return mail(text) in {mail(each) for each in known.emails}


def _has_phone(text: str, known: Known) -> bool:
    return len(phone(text)) >= _PHONE and phone(text) in {phone(each) for each in known.phones}


def _has_account(text: str, known: Known) -> bool:
    return bool(account(text)) and account(text) in {account(each) for each in known.accounts}


_FITS: Final[Mapping[str, Callable[[str, Known], bool]]] = {
    "name": _has_name,
    "given_name": _has_given_name,
    "family_name": _has_family_name,
    "email": _has_mail,
    "phone_number": _has_phone,
    "account_number": _has_account,
}
_ADDRESS: Final[Mapping[str, Callable[[str, Address], bool]]] = {
    "address.street_address": _same_street,
    "address.locality": _same_town,
    "address.region": _same_state,
    "address.postal_code": _same_zip,
}
