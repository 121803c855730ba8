"""Every route × two utilities × every kind of token: nothing crosses over, and nobody learns what exists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from werkzeug.test import TestResponse

from espi_server.espi import paths
from tests import make
from tests.make import Access
from tests.towns import UTILITIES
from tests.web.world import BULK, World, unknown

pytestmark = pytest.mark.requirement("FB_03", "FB_13", "FB_33", "UC1.1", "NH-04", "NFR22")

# Who may GET what, in the standard's letters, as the tables of its API say it. A route that is not here fails.
RULES = {
    "ApplicationInformation": "D",
    "ApplicationInformation/{app}": "DR",
    "Authorization": "DC",
    "Authorization/{auth}": "DC",
    "ReadServiceStatus": "DCU",
    "Batch/Subscription/{s}": "DA",
    "Batch/Subscription/{s}/UsagePoint/{u}": "DA",
    "Batch/Bulk/{bulk}": "DC",
    "Batch/BulkRetailCustomerInfo/{brc}": "DC",
    "Batch/RetailCustomer/{rc}": "DA",
    "Batch/RetailCustomer/{rc}/UsagePoint": "DU",
    "RetailCustomer/{rc}": "DA",
} | {
    f"{path}{id}": letters
    for path, id, letters in (
        ("LocalTimeParameters", "/{t}", "DA"),
        ("ReadingType", "/{r}", "DA"),
        ("ProgramIdMappings", "/{pm}", "DA"),
        ("UsagePoint", "/{u}", "D"),
        ("MeterReading", "/{m}", "D"),
        ("IntervalBlock", "/{b}", "D"),
        *(
            (f"{above}{below}", id, letters)
            for above, letters in (("Subscription/{s}/", "DA"), ("RetailCustomer/{rc}/", "DU"), ("", "D"))
            for below, id in (
                ("UsagePoint", "/{u}"),
                ("UsagePoint/{u}/MeterReading", "/{m}"),
                ("UsagePoint/{u}/MeterReading/{m}/IntervalBlock", "/{b}"),
                ("UsagePoint/{u}/UsageSummary", "/{z}"),
                ("UsagePoint/{u}/ElectricPowerQualitySummary", "/{q}"),
            )
        ),
        *(
            ("/".join(("RetailCustomer/{rc}/Customer", *rest)), id, "DA")
            for *rest, id in (
                ("/{c}",),
                ("{c}/CustomerAccount", "/{a}"),
                ("{c}/Statement", "/{st}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement", "/{g}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ServiceLocation", "/{l}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ServiceSupplier", "/{p}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ProgramDateIdMappings", "/{d}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ServiceLocation/{l}/Meter", "/{mt}"),
                ("{c}/CustomerAccount/{a}/CustomerAgreement/{g}/ServiceLocation/{l}/EndDevice", "/{e}"),
            )
        ),
        *(
            (kind, f"/{{{letter}}}", "D")
            for kind, letter in (
                ("Customer", "c"), ("CustomerAccount", "a"), ("CustomerAgreement", "g"), ("ServiceLocation", "l"),
                ("ServiceSupplier", "p"), ("Meter", "mt"), ("EndDevice", "e"), ("Statement", "st"),
                ("ProgramDateIdMappings", "d"),
            )
        ),
    )
    for id in ("", id)
}  # fmt: skip

# Pages and probes that hold nobody's data.
OPEN = {"/healthz", "/readyz", "/openapi.json", "/static/<path:filename>", "/", "/<code>", "/<code>/"}
# Guarded, but no resource of the standard: see test_deliveries; the authorization server's, see tests/access/oauth.
GUARDED = {
    "/<code>/deliveries/<uuid:job>", "/.well-known/oauth-authorization-server/<code>",
    "/<code>/.well-known/oauth-authorization-server", "/<code>/.well-known/openid-configuration",
    *(f"/<code>/oauth/{name}" for name in ("authorize", "bc-authorize", "introspect", "jwks", "par",
                                           "revoke", "token", "userinfo", "register", "register/<client_id>")),
}  # fmt: skip
_DATA = re.compile("/<code>/espi/1_1/(resource|Resource)/(.*)")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def routes(world: World) -> dict[str, str]:
    """Every data route of the application below `resource`, in braces → the same by its first name."""
    found = {}
    for rule in world.client.app.url_map.iter_rules():
        match = _DATA.fullmatch(rule.rule)
        if match and match[1] == "resource":
            path = re.sub("<([a-z]+)>", r"{\1}", match[2])
            found[path] = "/".join(paths.ALIASES.get(part, part) for part in path.split("/"))
    return found


def test_every_route_is_told_here_or_open_to_all(world: World) -> None:
    rules = {rule.rule for rule in world.client.app.url_map.iter_rules()}

    # Whoever judges a file gets it back by an id nobody can guess, and it is no customer's; a customer's own pages
    # ask for her session (test_portal).
    elsewhere = ("/tools", "/<code>/account/")
    assert {
        rule for rule in rules if not _DATA.fullmatch(rule) and not rule.startswith(elsewhere)
    } <= OPEN | GUARDED
    assert set(routes(world).values()) == set(RULES)
    for rule in rules:
        assert rule.replace("/resource/", "/Resource/") in rules or rule in OPEN


# --- dead tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", UTILITIES)
def test_what_is_no_live_token_here_learns_nothing(world: World, code: str) -> None:
    mine = ids(world, code, "sun")

    for name, token in world.dead_ones(code).items():
        choices = (mine, nobody()) if name in ("none", "expired", "revoked") else (mine,)
        every = {path.format(**each) for path in RULES for each in choices}
        answers = [world.get(path, token, code) for path in sorted(every)]

        assert {answer.status_code for answer in answers} == {401}, name
        assert len({told(answer) for answer in answers}) == 1, name
        for answer in answers:
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith('Bearer realm="' if token is None else 'Bearer error="invalid_token"')


# --- live tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", UTILITIES)
def test_a_token_of_the_wrong_kind_is_told_the_same_whatever_exists(world: World, code: str) -> None:
    mine = ids(world, code, "sun")

    for name, (letter, token) in world.living(code).items():
        closed = [path for path, letters in RULES.items() if letter not in letters]
        if letter == "D":
            assert not closed
            continue
        answers = [
            world.get(path.format(**each), token, code) for path in closed for each in (mine, nobody())
        ]

        assert {answer.status_code for answer in answers} == {403}, name
        assert len({told(answer) for answer in answers}) == 1, name
        assert {answer.headers["WWW-Authenticate"].partition(",")[0] for answer in answers} == {
            'Bearer error="insufficient_scope"'
        }


@pytest.mark.parametrize(
    ("code", "who"),
    [("north", "sun"), ("south", "sun"), ("north", "moon"), ("south", "cabin"), ("north", "meters")],
)
def test_an_access_token_opens_its_own_and_nothing_else(world: World, code: str, who: str) -> None:
    token = getattr(world, who)[code].token
    mine = ids(world, code, who)

    check_reach(world, code, token, "A", mine, allowed=OPENED[who], silent=who == "meters")


@pytest.mark.parametrize(("code", "name", "who"), [("north", "Sun", "sun"), ("south", "Moon", "moon")])
def test_a_client_or_registration_token_opens_its_applications_own(
    world: World, code: str, name: str, who: str
) -> None:
    mine = ids(world, code, who)

    for kind, letter in (("client", "C"), ("registration", "R")):
        token = world.machines[code, f"{kind} of {name}"]
        check_reach(world, code, token, letter, mine, allowed=OPENED[who])


@pytest.mark.parametrize(
    ("code", "kind"), [("north", "custodian"), ("south", "custodian"), ("south", "upload")]
)
def test_a_utilitys_own_token_opens_that_utility_alone(world: World, code: str, kind: str) -> None:
    token, letter = world.machines[code, kind], {"custodian": "D", "upload": "U"}[kind]

    check_reach(world, code, token, letter, ids(world, code, "sun"), allowed=frozenset(GROUPS))


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("who", ["sun", "custodian"])
def test_no_other_form_opens_more(world: World, form: str, who: str) -> None:
    """JSON and tables: what holds of Atom holds of them."""
    if who == "custodian":
        token, letter, allowed = world.machines["north", who], "D", frozenset(GROUPS)
    else:
        token, letter, allowed = world.sun["north"].token, "A", OPENED[who]

    check_reach(world, "north", token, letter, ids(world, "north", "sun"), allowed=allowed, form=form)


def check_reach(
    world: World,
    code: str,
    token: str,
    letter: str,
    mine: Mapping[str, str],
    *,
    allowed: frozenset[str],
    silent: bool = False,
    form: str = "",
) -> None:
    """Own paths answer with nothing foreign in them; foreign ids answer as ids do that nobody has."""
    other = next(each for each in UTILITIES if each != code)
    forbidden = {
        id for place in UTILITIES for id, group in owners(world, place).items()
        if place != code or group not in allowed
    }  # fmt: skip
    for path in (path for path, letters in RULES.items() if letter in letters and comes_as(path, form)):
        asked = path + (f"?format={form}" if form else "")
        answer = world.get(asked.format(**mine), token, code)
        if answer.status_code == 200:
            assert not set(_ID.findall(answer.text)) & forbidden, path
            assert f"/{other}/" not in answer.text
            assert f"{other} C-" not in answer.text
        else:
            assert silent or missing(mine, path), f"{path}: {answer.status_code} {answer.text}"
        strangers = [ids(world, place, who) for place, who in ((other, "sun"), (code, "sun"), (code, "moon"))]
        for group in swapped(path):
            nobodys = world.get(
                asked.format(**(mine | {each: nobody()[each] for each in group})), token, code
            )
            assert nobodys.status_code in (403, 404)
            for theirs in strangers:
                if forbidden.issuperset(theirs[each] for each in group):
                    found = world.get(
                        asked.format(**(mine | {each: theirs[each] for each in group})), token, code
                    )
                    assert (found.status_code, told(found)) == (nobodys.status_code, told(nobodys)), path


def comes_as(path: str, form: str) -> bool:
    """Is there such a form of this path? Tables are of readings and of bills."""
    kind = [part for part in path.split("/") if "{" not in part][-1]
    tables = ("Subscription", "Bulk", "UsagePoint", "MeterReading", "IntervalBlock", "UsageSummary")
    return form != "csv" or kind in tables


def swapped(path: str) -> set[tuple[str, ...]]:
    """Which ids of a path are exchanged for a stranger's: each by itself, and all of them."""
    letters = tuple(re.findall(r"\{(\w+)\}", path))
    return {(each,) for each in letters} | ({letters} if letters else set())


# --- who owns what -------------------------------------------------------------------------------------

# The four usage points with their locations; the customers' chains above them; statements, which hang on none.
GROUPS = ("101", "102", "103", "104", "C-1", "C-2", "C-1 bills", "C-2 bills", "Sun", "Moon", "others", "all")
OPENED = {
    "sun": frozenset({"101", "102", "C-1", "C-1 bills", "Sun", "all"}),
    "moon": frozenset({"103", "C-2", "C-2 bills", "Moon", "all"}),
    "cabin": frozenset({"102", "C-1", "others", "all"}),
    "meters": frozenset({"101", "102", "103", "104", "others", "all"}),
}


@cache
def owners(world: World, code: str) -> dict[str, str]:
    """Every id a custodian can read at a utility, and which group it belongs to."""
    token = world.machines[code, "custodian"]
    found: dict[str, str] = {}
    for path in ("LocalTimeParameters", "ReadingType", "ProgramIdMappings"):
        found |= dict.fromkeys(_ids(world, code, path), "all")
    for source in ("101", "102", "103", "104"):
        point = str(make.point_id(world.database, source, code))
        for path in ("", "/MeterReading", "/UsageSummary", "/ElectricPowerQualitySummary"):
            below = _ids(world, code, f"UsagePoint/{point}{path}")
            found |= dict.fromkeys(below, source)
            if path == "/MeterReading":
                blocks = [_ids(world, code, f"UsagePoint/{point}{path}/{id}/IntervalBlock") for id in below]
                found |= dict.fromkeys((id for each in blocks for id in each), source)
        found[point] = source
    for reference in ("C-1", "C-2"):
        customer = str(make.customer_id(world.database, reference, code))
        for entry in world.feed(f"RetailCustomer/{customer}", token, code).entries:
            found[entry.id[9:]] = reference + (" bills" if entry.kind == "Statement" else "")
        for agreement, source in {"C-1": (("G-1", "101"), ("G-2", "102")), "C-2": (("G-3", "103"),)}[
            reference
        ]:
            for entry in world.feed(f"RetailCustomer/{customer}", token, code).entries:
                here = next(
                    each.self for each in world.feed(f"RetailCustomer/{customer}", token, code).of("CustomerAgreement")
                    if each.text("agreementId") == agreement
                )  # fmt: skip
                if entry.self.startswith(here):
                    found[entry.id[9:]] = source
        found[customer] = reference
    managed = {}
    for path in ("Authorization", "ApplicationInformation"):
        for entry in world.feed(path, token, code).entries:
            # Its address has the row's id, its entry one made of that.
            managed[entry.self.rpartition("/")[2]] = entry.id[9:]
    found |= dict.fromkeys((*managed, *managed.values()), "others")
    for name, consent in (("Sun", world.sun[code]), ("Moon", world.moon[code])):
        for id in (str(consent.id), str(consent.application)):
            found |= {id: name, managed[id]: name}
    return found


def _ids(world: World, code: str, path: str) -> list[str]:
    return [entry.id[9:] for entry in world.feed(path, world.machines[code, "custodian"], code).entries]


@cache
def ids(world: World, code: str, who: str) -> dict[str, str]:
    """A path argument of every kind, as far as this authorization has one; else one that nobody has."""
    consent: Access = getattr(world, who)[code]
    found = nobody() | {
        "app": str(consent.application), "auth": str(consent.id), "s": str(consent.id), "bulk": BULK, "brc": BULK,
        "rc": str(consent.customer or unknown()),
    }  # fmt: skip
    feeds = [world.client.feed(consent.resource, consent)]
    feeds += [world.client.feed(consent.customer_resource, consent)] if consent.customer_resource else []
    feeds += [world.feed("ProgramIdMappings", consent, code)]
    letters = {kind: letter for letter, kind in paths.LETTERS.items()}
    # The chain of the first premise, and what hangs on it.
    for entry in sorted((entry for feed in feeds for entry in feed.entries), key=lambda entry: entry.self):
        path = paths.parse(entry.self)
        assert path is not None
        chain = {letters[kind]: id for kind, id in path.ids.items()}
        if all(found[letter] == id or letter not in known(found) for letter, id in chain.items()):
            found |= chain
    return found


_NOBODY = {letter: unknown() for letter in paths.LETTERS} | {"bulk": "8", "brc": "8"}


def nobody() -> dict[str, str]:
    """Path arguments nobody has."""
    return dict(_NOBODY)


def known(found: Mapping[str, str]) -> set[str]:
    """The letters with an id somebody has."""
    return {letter for letter, id in found.items() if id != _NOBODY[letter]}


def missing(mine: Mapping[str, str], path: str) -> bool:
    """Does the path name something these ids have none of?"""
    return bool(set(re.findall(r"\{(\w+)\}", path)) - known(mine))


def told(answer: TestResponse) -> str:
    """What an answer says, without the request's own id."""
    body: dict[str, Any] = json.loads(answer.data)
    assert body.pop("instance") == answer.headers["X-Request-Id"]
    assert not _ID.search(answer.text)
    return json.dumps(body, sort_keys=True)
