"""The demo's households as a third party meets them: one reader for any household, company and scope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from flask import Flask

from espi_server.access import grants, tokens
from espi_server.access.applications import find_or_create
from espi_server.accounts import utilities
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.demo.households import Household, every
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from tests.energy.reader import Answer, Reader

BASE = "http://localhost"
ALL_BLOCKS = "FB=4_5_6_7_8_9_10_11_12_15_16_17_26_27_28_29_54_55_56_57_58_59_60_61_62_71"
PLACES = [(household, code) for household in every() for code in household.companies]
"""Every household with each company that serves it."""


def named(place: tuple[Household, str]) -> str:
    """A place as it stands in the name of a test."""
    return f"{place[0].name}-{place[1]}"


@dataclass(frozen=True)
class Opened:
    """An authorization as its token answer tells of it."""

    reader: Reader
    usage: str
    people: str
    authorization: str


class Town:
    """All households in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        settings = Settings(mode="development", secret_key=DEVELOPMENT_SECRET, base_url=BASE)
        self.app: Flask = create_app(settings, database)
        self.usage = lru_cache(maxsize=64)(self._usage)

    def open(self, code: str, customer: str | None, scope: str, application: str = "Conformance") -> Opened:
        """Authorize an application for a customer's data, or (None) for all of the utility's."""
        with self.database.writing() as session:
            utility = utilities.find(session, code)
            chosen = (
                grants.of_utility(session, utility)
                if customer is None
                else grants.of_customer(session, utility, customer)
            )
            given = grants.authorize(
                session, utility, chosen, application=application, scope=scope, by="a test"
            )
            answer = grants.token_answer(session, utility, given, installation=BASE, by="a test")
        reader = Reader(self.app, answer["access_token"])
        return Opened(
            reader, answer["resourceURI"], answer["customerResourceURI"], answer["authorizationURI"]
        )

    def _usage(self, place: tuple[Household, str], scope: str = ALL_BLOCKS) -> Answer:
        """A household's whole usage feed at one company; read once for all tests that only look at it."""
        household, code = place
        opened = self.open(code, household.reference(code), scope)
        return opened.reader.feed(opened.usage)

    def machine(self, code: str, kind: str) -> Reader:
        """A reader with a machine's token of the same application."""
        with self.database.writing() as session:
            utility = utilities.find(session, code)
            application = find_or_create(session, utility, "Conformance", by="a test")
            token = tokens.issue(session, kind, utility.id, application=application, issued_by="a test")
        return Reader(self.app, token)
