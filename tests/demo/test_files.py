import csv
import gzip
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from espi_server.demo import files, households
from espi_server.demo.calendar import chance, span
from espi_server.demo.metering import ESTIMATED, INTERPOLATED, read_out
from espi_server.demo.tariffs import RATES
from espi_server.espi import atom, safe
from espi_server.espi.codes import FlowDirectionKind
from espi_server.espi.content import CUSTOMER, ESPI
from espi_server.espi.scope import Scope
from espi_server.espi.tables import DataClass
from tests.conftest import ROOT
from tests.demo.prepared import DAYS, END

RIN = re.compile(r"[A-Z]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{1,10}")
PACIFIC = ZoneInfo(households.TIMEZONE)


def feeds(delivered):
    for paths in delivered.values():
        for path in paths:
            if ".xml" in path.name:
                data = path.read_bytes()
                packed = path.suffix == ".gz"
                yield path, atom.read_feed(safe.parse(gzip.decompress(data) if packed else data))


def only_service(name):
    (service,) = households.named(name).services
    return service


# Who lives there


def test_nine_households_are_served_by_three_companies():
    every = households.every()

    assert len({each.name for each in every}) == 9
    assert {code for each in every for code in each.companies} == {"alder", "brook", "harbor"}
    assert len(households.named("business").services) == 60


def test_some_numbers_are_the_same_at_two_companies_and_mean_different_people():
    (flat,) = households.named("single").services
    gas = households.named("gas-and-electricity").at("harbor")[0]

    assert (flat.customer, flat.usage_point, flat.meter) == (gas.customer, gas.usage_point, gas.meter)


def test_numbers_are_unique_within_a_company():
    services = [service for each in households.every() for service in each.services]

    for number in ("usage_point", "agreement", "meter"):
        assert len({(each.company, getattr(each, number)) for each in services}) == len(services)


@pytest.mark.parametrize("household", households.every(), ids=lambda each: each.name)
def test_every_scope_is_one_this_server_reads(household):
    scope = Scope.parse(household.scope)

    assert scope.classes


def test_every_rin_has_the_form_of_the_standard():
    rins = [rin for rate in RATES.values() for by_role in rate.rins.values() for rin in by_role.values()]

    assert rins
    assert all(RIN.fullmatch(rin) for rin in rins)


# What they deliver


def test_the_same_days_give_the_same_bytes(delivered, tmp_path):
    again = files.write(tmp_path, END, days=DAYS)

    for code, paths in delivered.items():
        assert [path.read_bytes() for path in again[code]] == [path.read_bytes() for path in paths]


def test_a_short_stretch_is_the_end_of_a_long_one():
    service = only_service("solar")

    short = read_out(service, END, 20).series[1].readings
    long = read_out(service, END, 60).series[1].readings

    assert short == long[long.start >= short.start[0]]


def test_every_resource_is_valid_and_every_entry_complete(delivered):
    schemas = {
        namespace: etree.XMLSchema(etree.parse(ROOT / "schemas" / name))
        for namespace, name in ((ESPI, "espi.xsd"), (CUSTOMER, "customer.xsd"))
    }

    for path, feed in feeds(delivered):
        assert feed.entries, path
        for entry in feed.entries:
            (content,) = entry.contents
            schema = schemas[etree.QName(content).namespace]
            assert schema.validate(content), (path, entry.line, schema.error_log.last_error)
            assert len(entry.hrefs("self")) == len(entry.hrefs("up")) == 1
            assert entry.id.startswith("urn:uuid:")


def test_ids_and_self_links_are_unique_within_a_file(delivered):
    for path, feed in feeds(delivered):
        selves = [entry.hrefs("self")[0] for entry in feed.entries]

        assert len(set(selves)) == len(selves) == len({entry.id for entry in feed.entries}), path


def test_every_file_names_its_own_company_only(delivered):
    for path, feed in feeds(delivered):
        hosts = {entry.hrefs("self")[0].split("/")[2] for entry in feed.entries}

        assert hosts == {f"data.{path.parent.name}.example"}


def test_the_agreement_table_has_a_line_for_every_agreement(delivered):
    (path,) = [path for path in delivered["alder"] if path.name == "agreements.csv"]

    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))

    assert len(rows) == sum(len(each.at("alder")) for each in households.every())
    assert {row["udc"] for row in rows} == {"alder"}
    assert [row["rins"] for row in rows if row["lse"] == "brook"] == [
        "delivery:USCA-AVXX-0100-0000 generation:USCA-XXBC-GRN1-0000"
    ]


# What the meters counted


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_the_days_the_clock_changes_have_their_own_length(day, hours):
    readings = read_out(only_service("single"), day, 1).series[0].readings

    assert len(readings) == hours * 4
    assert int(readings.duration.sum()) == hours * 3600


def test_the_gas_meter_knows_no_summer_time():
    gas = households.named("gas-and-electricity").at("harbor")[0]

    readings = read_out(gas, END, 396).series[0].readings

    assert set((readings.start % 86_400).tolist()) == {8 * 3600}
    assert set(readings.duration.tolist()) == {86_400}
    assert len(readings) >= 395


def test_the_wall_clock_shows_the_doubled_hour_twice():
    day = span(date(2026, 11, 1), date(2026, 11, 1), households.TIMEZONE)

    assert list(day.hour[4:14]) == [1.0, 1.25, 1.5, 1.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25]


def test_the_sun_flows_out_at_noon_and_never_at_night():
    delivered, received = read_out(only_service("solar"), date(2026, 6, 30), 30).series

    night = [datetime.fromtimestamp(start, PACIFIC).hour < 5 for start in received.readings.start.tolist()]

    assert (delivered.flow, received.flow) == (FlowDirectionKind.FORWARD, FlowDirectionKind.REVERSE)
    assert received.readings.value.sum() > 100_000
    assert received.readings.value[night].sum() == 0


def test_the_car_charges_at_night_and_reaches_the_second_tier():
    readings = read_out(only_service("car"), END, 40).series[0].readings

    night = [datetime.fromtimestamp(start, PACIFIC).hour < 3 for start in readings.start.tolist()]

    assert readings.value[night].max() > 1_800
    assert set(readings.tier.tolist()) == {1, 2}


def test_they_moved_out_and_nothing_was_read_after():
    service = only_service("moved-out")

    left = read_out(service, END, 396)

    assert int(left.series[0].readings.end[-1]) == left.ended
    assert left.ended == datetime(2026, 6, 14, tzinfo=PACIFIC).timestamp()
    assert all(period.end <= END - timedelta(days=service.ended - 1) for period in left.periods)


def test_the_bad_radio_leaves_gaps_and_estimates():
    readings = read_out(only_service("gaps"), END, 40).series[0].readings

    assert len(readings) < 40 * 96
    assert {ESTIMATED, INTERPOLATED} <= set(readings.quality.tolist())


def test_both_companies_of_an_unbundled_home_saw_the_same_energy():
    delivery, generation = (read_out(each, END, 40) for each in households.named("unbundled").services)

    assert delivery.series[0].readings.value.sum() == generation.series[0].readings.value.sum()


# What they owe


@pytest.mark.parametrize("household", households.every(), ids=lambda each: each.name)
def test_thirteen_months_have_their_bills_and_each_adds_up(household):
    for service in household.services[:3]:
        metered = read_out(service, END, files.DAYS)

        assert len(metered.periods) == 13 or service.ended
        for period in metered.periods:
            assert period.bill.total == sum(line.amount for line in period.bill.lines)
            assert all(line.amount % 1000 == 0 for line in period.bill.lines)
            measured = sum(line.quantity for line in period.bill.lines if line.kind == 3)
            assert measured == period.measured.amount


def test_the_discount_stands_on_the_bill_of_whom_it_is_for():
    discounted = read_out(only_service("gaps"), END, 40).periods[-1].bill

    assert any(line.note == "CARE discount" and line.amount < 0 for line in discounted.lines)


def test_chance_is_even_and_the_same_for_the_same_key():
    keys = list(range(10_000))

    drawn = chance(7, keys)

    assert (drawn == chance(7, keys)).all()
    assert 0.48 < drawn.mean() < 0.52


def test_the_first_household_s_feed_stays_within_the_published_schema():
    assert DataClass.RIN not in Scope.parse(households.named("single").scope).classes
    assert DataClass.RIN in Scope.parse(households.named("unbundled").scope).classes
