"""`espi-server authorize` and `espi-server token add`: what an operator records, and what opens and closes with it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from espi_server import clock
from espi_server.access.models import Authorization, AuthorizationUsagePoint, Token
from espi_server.accounts.models import ServiceAgreement
from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy.models import Change
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.energy.feeds import local
from tests.make import Client, Feed

pytestmark = pytest.mark.requirement("FB_40", "FB_70", "F-REC", "UC1.3")

HOUR, DAY = 3600, 86_400


class Operator:
    """Somebody at a terminal."""

    def __init__(self, database_url: str) -> None:
        self._environment = {
            "ESPI_DATABASE_URL": database_url, "ESPI_MODE": "development", "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
            "ESPI_BASE_URL": make.INSTALLATION, "ESPI_CONFIG": "",
        }  # fmt: skip

    def run(self, *arguments: str, check: int = 0) -> Result:
        """The outcome of a command; `check` is its exit code."""
        result = CliRunner(env=self._environment).invoke(main, list(arguments))
        assert result.exit_code == check, result.output + repr(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def authorize(
        self, *arguments: str, code: str = "north", application: str = "Sun", scope: str = "FB=4_5_15"
    ) -> Any:
        """The token answer of an authorization."""
        result = self.run(
            "authorize",
            "--utility",
            code,
            "--application",
            application,
            "--scope",
            scope,
            "--json",
            *arguments,
        )
        return json.loads(result.stdout)

    def refused(self, *arguments: str, check: int, scope: str = "FB=4_5", application: str = "Sun") -> str:
        """What an authorization that cannot be recorded says."""
        result = self.run(
            "authorize",
            "--utility",
            "north",
            "--application",
            application,
            "--scope",
            scope,
            *arguments,
            check=check,
        )
        assert "gb" not in result.stdout
        return result.stderr

    def token(self, kind: str, *arguments: str) -> Any:
        """The answer of `token add`."""
        result = self.run("token", "add", "--utility", "north", "--kind", kind, "--json", *arguments)
        return json.loads(result.stdout)


@pytest.fixture
def operator(towns_url: str) -> Operator:
    return Operator(towns_url)


def rows(database: Database, table: type[Any]) -> list[Any]:
    """All rows of a table."""
    with database.reading() as session:
        return list(session.scalars(select(table)))


def live(database: Database) -> list[Authorization]:
    """The authorizations that have not been ended."""
    return [row for row in rows(database, Authorization) if row.ended_at is None]


# --- whose data ----------------------------------------------------------------------------------------


def test_a_customers_authorization_opens_all_her_usage_points(
    operator: Operator, towns: Database, client: Client
) -> None:
    answer = operator.authorize("--customer", "C-1", scope="FB=4_5_15_54_58;HistoryLength=94608000")

    assert set(answer) == {
        "access_token", "token_type", "expires_in", "refresh_token", "scope", "resourceURI", "authorizationURI",
        "customerResourceURI",
    }  # fmt: skip
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", HOUR)
    assert answer["scope"] == "FB=4_5_15_54_58;HistoryLength=94608000"
    usage = client.feed(answer["resourceURI"], answer["access_token"])
    points = {str(make.point_id(towns, each)) for each in ("101", "102")}
    assert {entry.id[9:] for entry in usage.of("UsagePoint")} == points
    people = client.feed(answer["customerResourceURI"], answer["access_token"])
    assert [entry.text("customerName") for entry in people.of("Customer")] == ["Ada Nowak"]


def test_some_usage_points_can_be_named(operator: Operator, towns: Database, client: Client) -> None:
    ids = [str(make.point_id(towns, each)) for each in ("101", "102")]

    both = operator.authorize("--usage-point", ids[0], "--usage-point", ids[1], application="Both")
    one = operator.authorize("--usage-point", ids[1], application="One")

    assert len(client.feed(both["resourceURI"], both["access_token"]).of("UsagePoint")) == 2
    [entry] = client.feed(one["resourceURI"], one["access_token"]).of("UsagePoint")
    assert entry.id == f"urn:uuid:{ids[1]}"
    assert {row.customer_id for row in live(towns)} == {make.customer_id(towns, "C-1")}


def test_all_opens_every_usage_point_there_is_now_and_no_customer(
    operator: Operator, towns: Database, client: Client
) -> None:
    answer = operator.authorize("--all", scope="FB=4_5_10_54")

    assert len(client.feed(answer["resourceURI"], answer["access_token"]).of("UsagePoint")) == 4
    assert answer["customerResourceURI"] == ""
    [row] = live(towns)
    assert row.customer_id is None
    assert rows(towns, Outbox) == []


def test_all_is_one_authorization_per_application(
    operator: Operator, towns: Database, client: Client
) -> None:
    first = operator.authorize("--all")
    other = operator.authorize("--all", application="Moon")
    second = operator.authorize("--all")

    assert len(live(towns)) == 2
    client.get(first["resourceURI"], first["access_token"], check=401)
    for answer in (other, second):
        client.get(answer["resourceURI"], answer["access_token"], check=200)


@pytest.mark.parametrize("given", [(), ("--customer", "C-1", "--all")])
def test_it_must_be_said_whose_data_and_only_once(operator: Operator, given: tuple[str, ...]) -> None:
    assert "--customer REF, --usage-point UUID (repeatable) or --all" in operator.refused(*given, check=2)


def test_usage_points_of_two_customers_are_not_one_authorization(operator: Operator, towns: Database) -> None:
    ids = [str(make.point_id(towns, each)) for each in ("101", "103")]

    assert "different customers" in operator.refused(
        "--usage-point", ids[0], "--usage-point", ids[1], check=1
    )
    assert rows(towns, Authorization) == []


def test_what_is_unknown_is_named(operator: Operator, towns: Database) -> None:
    stranger = str(make.point_id(towns, "101", "south"))

    assert stranger in operator.refused("--usage-point", stranger, check=3)
    assert "C-77" in operator.refused("--customer", "C-77", check=3)
    result = operator.run(
        "authorize", "--utility", "west", "--application", "Sun", "--scope", "FB=4", "--all", check=3
    )
    assert "west" in result.stderr
    assert rows(towns, Authorization) == []


# --- what is written down ------------------------------------------------------------------------------


@pytest.mark.requirement("F-NOTE")
def test_who_recorded_it_is_kept_and_the_customer_is_told(operator: Operator, towns: Database) -> None:
    operator.authorize("--customer", "C-1")

    [row] = live(towns)
    assert row.created_by.startswith("operator:")
    assert row.identified["method"] == "operator"
    [message] = rows(towns, Outbox)
    assert message.kind == "authorization.granted"
    assert message.recipient == f"customer:{row.customer_id}"
    assert message.payload == {"authorization": str(row.id)}
    assert [each.verb for each in rows(towns, Change) if each.entity == "Authorization"] == ["granted"]


@pytest.mark.requirement("FB_13")
def test_only_digests_of_tokens_are_kept(operator: Operator, towns: Database, towns_url: str) -> None:
    answer = operator.authorize("--customer", "C-1")
    machine = operator.token("custodian")

    secrets = [answer["access_token"], answer["refresh_token"], machine["access_token"]]
    digests = {row.digest for row in rows(towns, Token)}
    assert digests == {hashlib.sha256(each.encode()).digest() for each in secrets}
    for table in (Token, Authorization, Outbox, Change):
        for row in rows(towns, table):
            assert not any(each in repr(vars(row)) for each in secrets)


@pytest.mark.parametrize("length", [1, 40])
def test_a_token_has_at_least_256_random_bits_behind_the_prefix_of_its_kind(
    operator: Operator, length: int
) -> None:
    answers = [operator.token("upload", "--lifetime", str(60 * length)) for _ in range(2)]

    tokens = {answer["access_token"] for answer in answers}
    assert len(tokens) == 2
    assert all(each.startswith("gbu_") and len(each) >= 4 + 43 for each in tokens)


def test_without_json_the_answer_is_a_list_a_person_can_read(operator: Operator) -> None:
    result = operator.run(
        "authorize", "--utility", "north", "--application", "Sun", "--scope", "FB=4_5", "--customer", "C-1"
    )

    assert "access_token: gba_" in result.stdout
    assert "resourceURI: https://" in result.stdout
    assert "shown once" in result.stderr


# --- one at a time -------------------------------------------------------------------------------------


@pytest.mark.requirement("F-OFF", "F-NOTE")
def test_a_second_authorization_replaces_the_first_and_kills_its_tokens(
    operator: Operator, towns: Database, client: Client
) -> None:
    first = operator.authorize("--customer", "C-1")
    others = [
        operator.authorize("--customer", "C-2"), operator.authorize("--customer", "C-1", application="Moon"),
        operator.authorize("--customer", "C-1", code="south"),
    ]  # fmt: skip
    client.get(first["resourceURI"], first["access_token"], check=200)

    second = operator.authorize("--customer", "C-1", scope="FB=4_5")

    client.get(first["resourceURI"], first["access_token"], check=401)
    client.get(first["resourceURI"], second["access_token"], check=403)
    for answer in (*others, second):
        client.get(answer["resourceURI"], answer["access_token"], check=200)
    [ended] = [row for row in rows(towns, Authorization) if row.ended_at is not None]
    assert ended.ended_reason == "replaced"
    assert first["authorizationURI"].endswith(str(ended.id))
    assert all(row.revoked_at for row in rows(towns, Token) if row.authorization_id == ended.id)
    told = [each.kind for each in rows(towns, Outbox) if each.payload == {"authorization": str(ended.id)}]
    assert sorted(told) == ["authorization.ended", "authorization.granted"]


def test_a_replaced_subscription_is_gone_for_the_custodian_too(
    operator: Operator, towns: Database, client: Client
) -> None:
    first = operator.authorize("--customer", "C-1")
    custodian = make.token(towns, "custodian")
    client.get(first["resourceURI"], custodian, check=200)
    operator.authorize("--customer", "C-1")

    client.get(first["resourceURI"], custodian, check=404)
    status = client.feed(first["authorizationURI"], custodian).entries[0].text("status")
    assert status == "0"


# --- scope ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("NFR16", "F-C2")
def test_changing_the_rate_is_never_granted_by_an_operator(operator: Operator, towns: Database) -> None:
    said = operator.refused(
        "--customer", "C-1", check=1, scope="AdditionalScope=RIN_BillComparison_RateChange"
    )

    assert "customer must ask herself" in said
    assert rows(towns, Authorization) == []


@pytest.mark.parametrize(
    "scope",
    ["", "FB=", "FB=x", "nonsense", "FB=39", "FB=4 5", "FB=4;FB=5", "FB=4;HistoryLength=" + "9" * 40, "\0", "FB=4;é=1",
     "FB=" + "_".join(map(str, range(1, 120)))],
)  # fmt: skip
def test_a_scope_that_says_nothing_readable_is_refused(
    operator: Operator, towns: Database, scope: str
) -> None:
    assert "scope" in operator.refused("--customer", "C-1", check=1, scope=scope).lower()
    assert rows(towns, Authorization) == []


def test_consented_history_begins_where_the_scope_says(operator: Operator, client: Client) -> None:
    since = local("2026-02-01 06:00")

    answer = operator.authorize(
        "--customer", "C-1", scope=f"FB=4_5_15;HistoryLength={clock.seconds() - since}"
    )

    found = client.feed(answer["resourceURI"], answer["access_token"])
    starts = [start for block in found.of("IntervalBlock") for start, _ in block.readings]
    # A second or two pass between the scope and the grant; the readings come every quarter of an hour.
    assert min(starts) in (since, since + 900)
    assert [int(str(entry.text("billingPeriod/start"))) for entry in found.of("UsageSummary")] == []
    everything = operator.authorize("--customer", "C-1")
    whole = client.feed(everything["resourceURI"], everything["access_token"])
    assert len(whole.of("UsageSummary")) == 3


def test_the_answer_says_the_scope_in_its_one_spelling(operator: Operator) -> None:
    answer = operator.authorize("--customer", "C-1", scope="BlockDuration=Monthly;FB=15_5_4;")

    assert answer["scope"] == "FB=4_5_15;BlockDuration=monthly"


# --- wholesale -----------------------------------------------------------------------------------------


@pytest.fixture
def wholesale(towns: Database) -> None:
    """The cabin's agreement is a wholesale one."""
    make.change(towns, ServiceAgreement, ServiceAgreement.reference == "G-2", customer_class="wholesale")


@pytest.mark.usefixtures("wholesale")
def test_wholesale_agreements_are_left_out_of_whatever_is_shared(
    operator: Operator, towns: Database, client: Client
) -> None:
    cabin = make.point_id(towns, "102")
    answers = [
        operator.authorize("--customer", "C-1", scope=make.EVERYTHING), operator.authorize("--all"),
        operator.authorize(
            "--usage-point", str(cabin), "--usage-point", str(make.point_id(towns, "101")), application="Named"
        ),
    ]  # fmt: skip

    assert cabin not in {row.usage_point_id for row in rows(towns, AuthorizationUsagePoint)}
    for answer in answers:
        assert str(cabin) not in client.get(answer["resourceURI"], answer["access_token"], check=200).text
    people = client.feed(answers[0]["customerResourceURI"], answers[0]["access_token"])
    assert [entry.text("agreementId") for entry in people.of("CustomerAgreement")] == ["G-1"]


@pytest.mark.usefixtures("wholesale")
def test_nothing_but_wholesale_cannot_be_shared(operator: Operator, towns: Database) -> None:
    said = operator.refused("--usage-point", str(make.point_id(towns, "102")), check=1)

    assert "wholesale" in said
    assert rows(towns, Authorization) == []


# --- how long ------------------------------------------------------------------------------------------


def test_without_an_end_it_lasts_a_year(operator: Operator, towns: Database) -> None:
    operator.authorize("--customer", "C-1")

    [row] = live(towns)
    assert row.ends_at - row.starts_at == 365 * DAY


def test_the_last_day_ends_at_midnight_where_the_utility_is(operator: Operator, towns: Database) -> None:
    operator.authorize("--customer", "C-1", "--until", "2027-03-14")  # a day of 23 hours

    [row] = live(towns)
    assert row.ends_at == int(datetime(2027, 3, 15, tzinfo=ZoneInfo(make.ZONE)).timestamp())


def test_a_token_does_not_outlive_its_authorization(operator: Operator, towns: Database) -> None:
    today = datetime.fromtimestamp(clock.seconds(), ZoneInfo(make.ZONE)).date()

    answer = operator.authorize("--customer", "C-1", "--until", str(today), "--lifetime", str(30 * DAY))

    [row] = live(towns)
    assert answer["expires_in"] <= DAY
    assert all(each.expires_at <= row.ends_at for each in rows(towns, Token))


@pytest.mark.parametrize(
    ("until", "check"),
    [("2020-01-01", 1), ("9999-12-31", 2), ("2200-01-01", 2), ("tomorrow", 2), ("2026-02-30", 2)],
)
def test_an_end_that_cannot_be_is_refused(
    operator: Operator, towns: Database, until: str, check: int
) -> None:
    operator.refused("--customer", "C-1", "--until", until, check=check)

    assert rows(towns, Authorization) == []


@pytest.mark.parametrize("lifetime", ["0", "59", "-1", "9" * 30, "soon"])
def test_a_lifetime_that_cannot_be_is_refused(operator: Operator, lifetime: str) -> None:
    operator.refused("--customer", "C-1", "--lifetime", lifetime, check=2)
    operator.run("token", "add", "--utility", "north", "--kind", "upload", "--lifetime", lifetime, check=2)


# --- applications --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "  ", "x" * 257, "two\nlines", "bell\a", "nul\0"])
def test_an_application_has_a_name_people_can_read(operator: Operator, towns: Database, name: str) -> None:
    assert "printable" in operator.refused("--customer", "C-1", check=2, application=name)
    assert rows(towns, Authorization) == []


def test_a_name_of_any_letters_serves(operator: Operator, towns: Database, client: Client) -> None:
    operator.authorize("--customer", "C-1", application='Zoë & <Sön> "Solar" 😀')

    found = client.feed(f"{make.base()}/ApplicationInformation", make.token(towns, "custodian"))

    assert [entry.text("client_name") for entry in found.entries] == ['Zoë & <Sön> "Solar" 😀']


# --- tokens for machines -------------------------------------------------------------------------------


@pytest.mark.requirement("FB_33", "FB_35")
def test_each_kind_of_machine_token_opens_what_it_is_for(operator: Operator, client: Client) -> None:
    sun = operator.authorize("--customer", "C-1", scope="FB=4_5_35;BR=9")
    application = ("--application", "Sun")

    issued = operator.token("client", *application, "--scope", "FB=34_35")
    registration = operator.token("registration", *application)
    upload = operator.token("upload")
    custodian = operator.token("custodian", "--lifetime", "600")

    assert issued["client_access_token"] == issued["access_token"]
    assert issued["scope"] == "FB=34_35"
    assert len(client.feed(issued["authorizationURI"], issued["access_token"])) == 1
    bulk = client.feed(f"{issued['resourceURI']}/Batch/Bulk/9", issued["access_token"])
    assert bulk.entries == Feed(client.get(sun["resourceURI"], sun["access_token"]).data).entries
    assert len(client.feed(registration["resourceURI"], registration["access_token"])) == 1
    client.get(f"{make.base()}/ReadServiceStatus", upload["access_token"], check=200)
    assert len(client.feed(f"{custodian['resourceURI']}/UsagePoint", custodian["access_token"])) == 4
    assert custodian["expires_in"] == 600


@pytest.mark.parametrize("kind", ["client", "registration"])
def test_a_token_of_an_application_needs_one(operator: Operator, kind: str) -> None:
    bare = operator.run("token", "add", "--utility", "north", "--kind", kind, check=2)
    assert "--application" in bare.stderr

    unknown = operator.run(
        "token", "add", "--utility", "north", "--kind", kind, "--application", "Nobody", check=3
    )
    assert "Nobody" in unknown.stderr


def test_tokens_people_get_are_not_given_to_machines(operator: Operator, towns: Database) -> None:
    for kind in ("access", "refresh", "code"):
        operator.run("token", "add", "--utility", "north", "--kind", kind, check=2)
    operator.run("token", "add", "--utility", "north", "--kind", "upload", "--scope", "no scope", check=2)

    assert rows(towns, Token) == []


def test_a_token_expires(operator: Operator, client: Client, freeze: make.Freeze) -> None:
    issued = operator.token("custodian", "--lifetime", "60")
    client.get(f"{make.base()}/UsagePoint", issued["access_token"], check=200)

    freeze(clock.seconds() + 61)

    client.get(f"{make.base()}/UsagePoint", issued["access_token"], check=401)


def test_a_database_that_was_never_migrated_says_what_to_do(tmp_path: Any) -> None:
    result = Operator(f"sqlite:///{tmp_path}/empty.sqlite").run(
        "token", "add", "--utility", "north", "--kind", "upload", check=6
    )

    assert "espi-server migrate" in result.stderr
