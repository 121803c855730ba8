"""Both towns with tokens of every kind, for tests that only look: made once per kind of database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access.models import Authorization
from espi_server.db import Database
from tests import make
from tests.make import EVERYTHING, Access, Client, Feed
from tests.towns import UTILITIES

BULK = "7"
FLEET = f"{EVERYTHING}_35_67;BR={BULK}"
LETTERS = {"access": "A", "client": "C", "registration": "R", "upload": "U", "custodian": "D"}


@dataclass(eq=False, repr=False)
class World:
    """Two utilities, each with the same applications and tokens.

    Per utility: `sun` holds C-1's authorization, `moon` C-2's, both of the same bulk id; `cabin` one of the two
    premises of C-1; `meters` usage data of every usage point.
    """

    database: Database
    client: Client
    sun: dict[str, Access] = field(default_factory=dict)
    moon: dict[str, Access] = field(default_factory=dict)
    cabin: dict[str, Access] = field(default_factory=dict)
    meters: dict[str, Access] = field(default_factory=dict)
    machines: dict[tuple[str, str], str] = field(default_factory=dict)
    dead: dict[tuple[str, str], str] = field(default_factory=dict)

    def living(self, code: str) -> dict[str, tuple[str, str]]:
        """Every live token of a utility: name → (letter, token)."""
        consents = {"sun": self.sun, "moon": self.moon, "cabin": self.cabin, "meters": self.meters}
        found = {name: ("A", each[code].token) for name, each in consents.items()}
        machines = {name: token for (place, name), token in self.machines.items() if place == code}
        return found | {name: (LETTERS[name.partition(" ")[0]], token) for name, token in machines.items()}

    def dead_ones(self, code: str) -> dict[str, str | None]:
        """Everything that is no live token at a utility: name → what is sent."""
        other = next(each for each in UTILITIES if each != code)
        found: dict[str, str | None] = {
            "none": None,
            "garbage": "gba_" + "x" * 43,
            "refresh": self.sun[code].refresh,
        }
        found |= {name: token for (place, name), token in self.dead.items() if place == code}
        return found | {f"{name} of {other}": token for name, (_, token) in self.living(other).items()}

    @cached_property
    def own(self) -> dict[str, frozenset[str]]:
        """By utility, every id in anything a custodian there can read, and of its authorizations and applications."""
        return {code: self._ids(code) for code in UTILITIES}

    def _ids(self, code: str) -> frozenset[str]:
        token, base = self.machines[code, "custodian"], make.base(code)
        paths = [
            *("UsagePoint", "MeterReading", "IntervalBlock", "LocalTimeParameters", "ReadingType"),
            *("ProgramIdMappings", "Authorization", "ApplicationInformation", "Customer", "CustomerAccount"),
            *("CustomerAgreement", "ServiceLocation", "ServiceSupplier", "Meter", "EndDevice", "Statement"),
            "ProgramDateIdMappings",
            *(f"RetailCustomer/{make.customer_id(self.database, each, code)}" for each in ("C-1", "C-2")),
            *(f"Batch/Subscription/{each.id}" for each in (self.sun[code], self.moon[code], self.meters[code])),
        ]  # fmt: skip
        feeds = [self.client.feed(f"{base}/{path}", token) for path in paths]
        return frozenset(entry.id.removeprefix("urn:uuid:") for feed in feeds for entry in feed.entries)

    def feed(self, path: str, token: Access | str, code: str = "north") -> Feed:
        """The feed at a path below a utility's resource base."""
        return self.client.feed(f"{make.base(code)}/{path}", token)

    def get(
        self, path: str, token: Access | str | None = None, code: str = "north", **more: Any
    ) -> TestResponse:
        """The answer at a path below a utility's resource base."""
        return self.client.get(f"{make.base(code)}/{path}", token, **more)


def build(database: Database) -> World:
    """Tokens of every kind at both utilities."""
    world = World(database, make.client(database, log_level="ERROR"))
    for code in UTILITIES:
        _live(world, code)
        _dead(world, code)
    return world


def _live(world: World, code: str) -> None:
    db = world.database
    world.sun[code] = make.access(db, code, application="Sun", customer="C-1", scope=FLEET)
    world.moon[code] = make.access(db, code, application="Moon", customer="C-2", scope=FLEET)
    world.cabin[code] = make.access(db, code, application="Cabin", points=["102"])
    world.meters[code] = make.access(db, code, application="Meters", scope=make.USAGE)
    for kind in ("client", "registration"):
        for application in ("Sun", "Moon"):
            world.machines[code, f"{kind} of {application}"] = make.token(
                db, kind, code, application=application
            )
    world.machines[code, "upload"] = make.token(db, "upload", code)
    world.machines[code, "custodian"] = make.token(db, "custodian", code)


def _dead(world: World, code: str) -> None:
    db, past = world.database, clock.seconds() - 3600
    world.dead[code, "expired"] = make.token(db, "custodian", code, lifetime=-1)
    revoked = make.access(db, code, application="Revoked", customer="C-1")
    make.revoke(db, revoked.token)
    world.dead[code, "revoked"] = revoked.token
    family = make.access(db, code, application="Replayed", customer="C-1")
    make.revoke_family(db, family.id)
    world.dead[code, "of a revoked family"] = family.token
    held = make.access(db, code, application="Held", customer="C-1")
    world.dead[code, "access on hold"] = held.token
    for kind in ("client", "registration"):
        world.dead[code, f"{kind} on hold"] = make.token(db, kind, code, application="Held")
    make.hold(db, held.application)
    ended = make.access(db, code, application="Ended", customer="C-1")
    make.end(db, ended.id)
    world.dead[code, "of an ended authorization"] = ended.token
    _move(world, code, "of an expired authorization", starts_at=past - 60, ends_at=past)
    _move(world, code, "of an authorization not yet begun", starts_at=past + 7200)


def _move(world: World, code: str, name: str, **times: int) -> None:
    access = make.access(world.database, code, application=name, customer="C-1")
    make.change(world.database, Authorization, Authorization.id == access.id, **times)
    world.dead[code, name] = access.token


def unknown() -> str:
    """An id nobody has."""
    return str(uuid.uuid4())
