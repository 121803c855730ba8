"""Whatever strangers send: a clear answer, never HTML, never a mistake of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import make
from tests.web.world import World

pytestmark = pytest.mark.requirement("CEC5", "FB_03", "FB_13")

QUICK = settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NUMBERS = ["0", "-1", "1", "99999999999999999999", "1e3", "٣", "0x10", "1_000", " 1", "+1", "1.0", ""]
TIMES = [
    "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z", "2016-12-31T23:59:60Z", "2026-01-01", "1767225600", "2026-01-01T00:00:00.123456789Z",
    "٢٠٢٦-01-01T00:00:00Z", "2026-01-01t00:00:00z", "",
]  # fmt: skip
RUDE = [
    "\0", "%00", "%", "%zz", "%ff%fe", "..", "../../etc/passwd", "%2e%2e%2f", "'; DROP TABLE token;--", "${jndi:x}",
    "{{7*7}}", "<script>", "a" * 5000, "\u202e", "😀", "\ud7ff", "%0d%0aSet-Cookie: x=1", "%s%n", "NaN", "null", "1'--",
    "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "*", "?", "#", ";", "//", "\\",
]  # fmt: skip
SEGMENTS = [
    "Batch", "Subscription", "UsagePoint", "MeterReading", "IntervalBlock", "UsageSummary", "Bulk", "RetailCustomer",
    "BulkRetailCustomerInfo", "Customer", "Authorization", "ApplicationInformation", "LocalTimeParameters",
    "ReadServiceStatus", "ElectricPowerUsageSummary", "ProgramIdMapping", "7", "",
]  # fmt: skip

text = st.one_of(st.sampled_from(RUDE), st.text(max_size=30))
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)


def ask(world: World, path: str, query: str = "", token: str | None = None, **headers: str) -> Any:
    """Send it as raw as a socket would; the answer must be ours and well formed."""
    environ = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    environ |= {
        "PATH_INFO": path.encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": query.encode("utf-8", "surrogatepass").decode("latin-1"),
    }
    answer = world.client.app.test_client().open("/", environ_overrides=environ, buffered=True)
    assert answer.status_code < 500, (path, query, headers, answer.data)
    assert answer.status_code not in (301, 302, 307, 308)
    if path.startswith("/north/espi/"):
        check_form(answer)
    return answer


def check_form(answer: Any) -> None:
    """JSON or XML that parses, and exactly as long as it says."""
    assert "html" not in (answer.content_type or "")
    if answer.data:
        assert answer.content_length == len(answer.data)
    if answer.status_code == 304 or answer.headers.get("Content-Encoding"):
        return
    if "json" in answer.content_type:
        assert json.loads(answer.data)["status"] == answer.status_code
    else:
        etree.fromstring(answer.data)


def tokens(world: World) -> list[str]:
    """One of every letter."""
    machines = world.machines
    return [
        world.sun["north"].token, machines["north", "custodian"], machines["north", "client of Sun"],
        machines["north", "upload"], machines["north", "registration of Sun"],
    ]  # fmt: skip


@QUICK
@given(data=st.data())
def test_no_path_is_too_strange(world: World, data: st.DataObject) -> None:
    own = [
        str(world.sun["north"].id),
        str(world.sun["north"].customer),
        str(make.point_id(world.database, "101")),
    ]
    parts = data.draw(
        st.lists(st.one_of(st.sampled_from(SEGMENTS), st.sampled_from(own), text), min_size=1, max_size=7)
    )
    token = data.draw(st.sampled_from(tokens(world)))
    root = data.draw(st.sampled_from(["resource", "Resource", "rEsource"]))

    ask(world, f"/north/espi/1_1/{root}/" + "/".join(parts), token=token)


@QUICK
@given(data=st.data())
def test_no_parameter_is_too_strange(world: World, data: st.DataObject) -> None:
    sun = world.sun["north"]
    names = st.sampled_from(
        [
            "published-min",
            "published-max",
            "updated-min",
            "updated-max",
            "max-results",
            "start-index",
            "depth",
            "SST",
        ]
    )
    values = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TIMES), text)
    pairs = data.draw(st.lists(st.tuples(st.one_of(names, text), values), max_size=5))
    path = data.draw(
        st.sampled_from(
            [f"Batch/Subscription/{sun.id}", f"RetailCustomer/{sun.customer}", "ReadingType", "Batch/Bulk/7"]
        )
    )

    for token in (sun.token, world.machines["north", "custodian"]):
        ask(
            world,
            f"/north/espi/1_1/resource/{path}",
            "&".join(f"{name}={value}" for name, value in pairs),
            token,
        )


@QUICK
@given(data=st.data())
def test_no_header_is_too_strange(world: World, data: st.DataObject) -> None:
    names = [
        "accept", "accept_encoding", "accept_language", "if_none_match", "if_modified_since", "if_match", "range",
        "if_range", "x_request_id", "x_forwarded_for", "x_forwarded_proto", "content_type", "cookie", "expect",
        "transfer_encoding",
    ]  # fmt: skip
    known = st.sampled_from(
        ["application/xml;q=x", "*/*;q=1e9", "gzip;q=-1", "W/", '"', "bytes=0-", "bytes=-1,5-3", "Mon, 99 Foo 0000",
         "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", ",,,;;;===", "application/" + "x" * 2000]
    )  # fmt: skip
    headers = data.draw(st.dictionaries(st.sampled_from(names), st.one_of(known, latin), max_size=5))
    token = data.draw(st.sampled_from([world.sun["north"].token, "nobody", None]))

    ask(world, world.sun["north"].resource.removeprefix(make.INSTALLATION), token=token, **headers)


@QUICK
@given(header=latin, code=st.sampled_from(["north", "NORTH", "nowhere", "north\0", "nörth", "espi"]))
def test_no_credential_is_too_strange(world: World, header: str, code: str) -> None:
    answer = ask(world, f"/{code}/espi/1_1/resource/Authorization", authorization=header)

    assert answer.status_code == 401


@pytest.mark.parametrize("id", RUDE)
def test_a_bulk_id_of_any_letters_leads_nowhere(world: World, id: str) -> None:
    for path in ("Batch/Bulk", "Batch/BulkRetailCustomerInfo"):
        for token in (world.machines["north", "custodian"], world.machines["north", "client of Sun"]):
            assert ask(world, f"/north/espi/1_1/resource/{path}/{id}", token=token).status_code in (403, 404)
