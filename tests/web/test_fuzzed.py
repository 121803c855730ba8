"""A published fuzzer reads `/openapi.json`, asks whatever it allows and forbids, and finds the answers it promises."""

from __future__ import annotations

import random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from espi_server.db import Database
from espi_server.espi.paths import PATTERNS
from tests.web import world as worlds
from tests.web.test_nothing_crosses import ids
from tests.web.world import World

EXAMPLES = 2  # for each operation
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)

pytestmark = pytest.mark.requirement("CEC5", "CEC7")


@pytest.fixture
def playground(towns: Database) -> World:
    """Both towns with tokens of every kind; what is documented may change them."""
    return worlds.build(towns)


def promised(world: World) -> Any:
    """What the document promises, as the fuzzer reads it; path parameters are often those of C-1's authorization."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", world.client.app)
    known = {"code": "north"} | ids(world, "north", "sun")

    @schema.hook
    def map_path_parameters(context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        chance = random.Random(repr(parameters))
        return parameters and {
            name: known[name] if name in known and chance.random() < 0.9 else value
            for name, value in parameters.items()
        }

    return schema


def tokens(world: World) -> list[str]:
    """A token of each kind, and one that is none."""
    machines = ("custodian", "client of Sun", "registration of Sun", "upload")
    return [world.sun["north"].token, *(world.machines["north", each] for each in machines), "gba_garbage"]


def check_all(world: World, mode: GenerationMode, examples: int) -> None:
    """Ask every operation, with what it allows or with what it does not."""
    asked = 0
    operations = [result.ok() for result in promised(world).get_all_operations()]
    # What ends the authorization or its tokens comes last; everything after it would only be refused.
    operations.sort(
        key=lambda each: each.method.upper() == "DELETE" or each.path.endswith(("/revoke", "/token"))
    )
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.query:
            continue

        @settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode), token=st.sampled_from(tokens(world)))
        def check(case: Any, token: str) -> None:
            nonlocal asked
            asked += 1
            headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
            case.call_and_validate(headers=headers, checks=CHECKS)

        check()
    assert asked >= len(PATTERNS)


# Answers do not hang on the database, so one kind is enough for every day.
@pytest.mark.parametrize("towns_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_is_promised(playground: World, mode: GenerationMode) -> None:
    check_all(playground, mode, EXAMPLES)


@pytest.mark.soak
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_is_promised_for_long(playground: World, mode: GenerationMode) -> None:
    check_all(playground, mode, 200)
