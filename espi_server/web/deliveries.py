"""Deliveries over HTTP: POST to the standard's collections, taken in by the same importer as files.

Who may is asked before a byte of the body is read: the token's kind, then what the path names, then the body's kind
and size, then a free place. Small bodies are taken in while their sender waits; larger ones are kept whole in the
database, for a worker, and the answer says where to look. Nothing of a body that did not come whole is kept.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from espi_server import clock
from espi_server.access.closing import agreed
from espi_server.access.guard import closed
from espi_server.access.models import AuthorizationUsagePoint
from espi_server.accounts.models import Customer
from espi_server.energy import delivery
from espi_server.energy.delivery import Delivery, Result, Unreadable
from espi_server.energy.models import Kind, Resource, UsagePoint
from espi_server.energy.within import kinds_at
from espi_server.errors import BadRequest, LengthRequired, NotFound, Problem, UnsupportedMediaType
from espi_server.espi import paths, safe
from espi_server.espi.errors import EspiError
from espi_server.espi.paths import PATTERNS, Pattern
from espi_server.jobs import later
from espi_server.jobs.leases import DONE, DUE, PARKED, RUNNING
from espi_server.jobs.models import Job
from espi_server.rates.arriving import arrived
from espi_server.web.asked import Asked
from espi_server.web.described import OBJECT, TEXT, Answer, Schema, describes
from espi_server.web.house import house
from espi_server.web.resources import admitted
from espi_server.web.states import written

BUSY = "All places for deliveries are taken just now. Wait a moment and send it again."
ACCEPTED = ("application/atom+xml", "application/xml", "text/xml")
PAUSE = 2  # seconds until it is worth looking at a job again
_CHUNK = 256 * 1024
_STATES = {DUE: "waiting", RUNNING: "running", DONE: "done", PARKED: "failed"}

ENTRY: Schema = {
    "type": "object",
    "properties": {
        "line": {"type": ["integer", "null"]},
        "kind": TEXT,
        "id": TEXT,
        "href": TEXT,
        "outcome": {"enum": ["created", "changed", "unchanged"]},
        "days": {"type": "integer"},
    },
}
RESULT: Schema = {
    "type": "object",
    "description": "What came of each resource, and why each refused entry did not come in.",
    "properties": {
        "counts": OBJECT,
        "results": {"type": "array", "items": ENTRY},
        "refused": {"type": "array", "items": OBJECT},
        "repaired": {"type": "array", "items": OBJECT},
    },
}
STATE: Schema = {
    "type": "object",
    "required": ["state", "href"],
    "properties": {
        "state": {"enum": sorted(_STATES.values())},
        "href": TEXT,
        "reason": TEXT,
        "progress": OBJECT,
        "result": RESULT,
    },
}
_JSON, _XML = "application/json", "application/xml"


class TooLarge(Problem):
    """This delivery is larger than is taken over HTTP."""

    status = 413


def blueprint() -> Blueprint:
    """POST on every collection that takes deliveries, and where a larger one tells how far it is."""
    made = Blueprint("deliveries", __name__)
    for pattern in PATTERNS:
        if pattern.deliverers:
            view = _view(pattern)
            for rule in pattern.rules:
                for name in ("resource", "Resource"):
                    route = f"/<code>/espi/1_1/{name}{rule}"
                    made.add_url_rule(route, pattern.name, view, methods=["POST"])
    made.add_url_rule("/<code>/deliveries/<uuid:job>", "state", state, methods=["GET"])
    return made


def _view(pattern: Pattern) -> Callable[..., Response]:
    @describes(
        f"Deliver {pattern.kind} entries",
        method="POST",
        tag="deliveries",
        tokens=pattern.deliverers,
        description=f"Takes {', '.join(each.name for each in kinds_at(pattern.kind))}. gzip is understood.",
        body=dict.fromkeys(ACCEPTED, TEXT),
        answers={
            200: Answer("Everything came in.", {_JSON: RESULT, _XML: TEXT}),
            201: Answer("The one entry is new.", {_JSON: RESULT, _XML: TEXT}, {"Location": "Its address."}),
            202: Answer(
                "Kept; a worker takes it in.",
                {_JSON: STATE, _XML: TEXT},
                {"Location": "Where its state is told.", "Retry-After": "Seconds to wait."},
            ),
            207: Answer("Some entries were refused, the others came in.", {_JSON: RESULT, _XML: TEXT}),
            422: Answer("Every entry was refused.", {_JSON: RESULT, _XML: TEXT}),
        },
        problems=(400, 411, 413, 415, 429, 503),
        name=f"deliver_{pattern.name}",
    )
    def view(code: str, **arguments: str) -> Response:
        grant = admitted(code)
        if grant.letter not in pattern.deliverers:
            raise closed()
        asked = Asked(pattern, grant, pattern.ids(arguments))
        wanted = _delivery(asked)
        _check_head()
        with house().deliveries.inside_for(grant.utility_id), _body() as (file, digest):
            if _is_small(file):
                return _at_once(asked, wanted, file)
            return _later(asked, wanted, file, digest)

    return view


# --- what the path names ------------------------------------------------------------------------------


def _delivery(asked: Asked) -> Delivery:
    """Whom the path names; the guard's own answers where there is no such thing for this token."""
    grant = asked.grant
    reference = customer = None
    if "RetailCustomer" in asked.ids:
        customer = str(asked.id("RetailCustomer"))
        reference = _reference(asked)
    points = _usage_points(asked)
    _check_parents(asked)
    return Delivery(
        utility=grant.utility, path=asked.path, kind=asked.pattern.kind, actor=f"{grant.kind} token",
        customer=reference, customer_id=customer, usage_points=points,
        meter_reading=str(asked.id("MeterReading")) if "MeterReading" in asked.ids else None,
    )  # fmt: skip


def _reference(asked: Asked) -> str:
    chosen = select(Customer.reference).where(
        Customer.utility_id == asked.grant.utility_id, Customer.id == asked.id("RetailCustomer")
    )
    with house().database.reading() as session:
        found = session.scalar(chosen)
    if found is None:
        raise asked.nowhere()
    return found


def _check_parents(asked: Asked) -> None:
    """Every other resource the path names must be there, and where the path says."""
    for name in asked.ids.keys() & (Kind.__members__.keys() - {"UsagePoint"}):
        chosen = select(Resource.id).where(
            Resource.utility_id == asked.grant.utility_id,
            Resource.kind == int(Kind[name]),
            Resource.id == asked.id(name),
        )
        if "UsagePoint" in asked.ids:
            chosen = chosen.where(Resource.usage_point_id == asked.id("UsagePoint"))
        elif "RetailCustomer" in asked.ids:
            chosen = chosen.where(Resource.customer_id == asked.id("RetailCustomer"))
        with house().database.reading() as session:
            if session.scalar(chosen) is None:
                raise asked.nowhere()


def _usage_points(asked: Asked) -> tuple[str, ...] | None:
    """The usage points a path confines a delivery to; None where it does not."""
    if "Subscription" not in asked.ids and "UsagePoint" not in asked.ids:
        return None
    chosen = select(UsagePoint.id).where(UsagePoint.utility_id == asked.grant.utility_id)
    if "Subscription" in asked.ids:
        chosen = chosen.join(
            AuthorizationUsagePoint, AuthorizationUsagePoint.usage_point_id == UsagePoint.id
        ).where(AuthorizationUsagePoint.authorization_id == asked.id("Subscription"))
    if "RetailCustomer" in asked.ids:
        chosen = chosen.where(UsagePoint.customer_id == asked.id("RetailCustomer"))
    if "UsagePoint" in asked.ids:
        chosen = chosen.where(UsagePoint.id == asked.id("UsagePoint"))
    with house().database.reading() as session:
        found = session.scalars(chosen).all()
    if not found:
        raise asked.nowhere()
    return tuple(map(str, found))


# --- the body -----------------------------------------------------------------------------------------


def _check_head() -> None:
    """What the headers say already."""
    accepted = ", ".join(ACCEPTED)
    if request.mimetype not in ACCEPTED:
        raise UnsupportedMediaType(
            f"Send one of {accepted} as Content-Type, not {request.mimetype[:80] or 'none'!r}.",
            headers={"Accept": accepted},
            parameter="Content-Type",
        )
    if request.headers.get("Content-Encoding", "identity").lower() not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedMediaType(
            "Send the body plain or as gzip.",
            headers={"Accept-Encoding": "gzip, identity"},
            parameter="Content-Encoding",
        )
    if request.content_length is None and not request.headers.get("Transfer-Encoding"):
        raise LengthRequired()
    if (request.content_length or 0) > house().settings.upload_bytes:
        raise _too_large()


def _too_large() -> TooLarge:
    most = house().settings.upload_bytes
    return TooLarge(
        f"A delivery may have {most:,} bytes, as sent and unpacked. Send it in parts, entry by entry whole, or use "
        "the command `espi-server import`."
    )


@contextmanager
def _body() -> Iterator[tuple[Path, str]]:
    """The whole body in a file that is gone afterwards, and its digest."""
    most = house().settings.upload_bytes
    request.max_content_length = most
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryDirectory(prefix="espi_upload_") as folder:
        file = Path(folder) / "body"
        with file.open("wb") as target:
            try:
                while chunk := request.stream.read(_CHUNK):
                    size += len(chunk)
                    if size > most:
                        raise _too_large()
                    digest.update(chunk)
                    target.write(chunk)
            except RequestEntityTooLarge:
                raise _too_large() from None
            except (ClientDisconnected, OSError):
                raise _cut() from None
        # The server ends a body that breaks off without a word.
        if size < (request.content_length or 0):
            raise _cut()
        if not size:
            raise BadRequest("The body is empty. Send an Atom feed or entry.")
        yield file, digest.hexdigest()


def _cut() -> BadRequest:
    return BadRequest("The body ended before its length; nothing of it was kept. Send it again.")


def _limits() -> safe.Limits:
    return safe.Limits(size=house().settings.upload_bytes)


def _is_small(file: Path) -> bool:
    """Is it soon done? Asked of what is unpacked, since a little gzip may be a lot of work."""
    try:
        with safe.open_document(file, _limits()) as document:
            return document.seek(0, 2) <= house().settings.upload_at_once
    except EspiError as error:
        raise _unreadable(str(error)) from None


def _unreadable(words: str) -> BadRequest:
    return BadRequest(
        f"{words.removesuffix(' Nothing of this body was taken in.')} Nothing of it was taken in."
    )


# --- now or later -------------------------------------------------------------------------------------


def _at_once(asked: Asked, wanted: Delivery, file: Path) -> Response:
    try:
        result = delivery.take_in(
            house().database, wanted, file, limits=_limits(), arrived=arrived, agreed=agreed
        )
    except Unreadable as error:
        raise _unreadable(str(error)) from None
    answer = written(_told(result, asked.base, wanted), "delivery")
    new = delivery.created(result)
    if new:
        answer.headers["Location"] = _href(new, asked.base, wanted.customer_id)
    answer.status_code = 201 if new else _status(result)
    return answer


def _status(result: Result) -> int:
    """200 only where everything came in; who looks at the status alone must see that something did not."""
    if not result["refused"]:
        return 200
    return 207 if result["results"] else 422


def _later(asked: Asked, wanted: Delivery, file: Path, digest: str) -> Response:
    grant = asked.grant
    with house().database.writing() as session:
        job = later.ask(
            session, grant.utility_id, delivery.JOB, vars(wanted), access=grant.letter, actor=wanted.actor,
            fingerprint=wanted.fingerprint(digest), parts=delivery.pieces(file),
        )  # fmt: skip
    answer = _job(job, asked)
    answer.status_code = 202
    answer.headers.update({"Location": _address(asked, job), "Retry-After": str(PAUSE)})
    return answer


@describes(
    "How far a larger delivery is",
    tag="deliveries",
    tokens="UD",
    answers={200: Answer("Its state, and what came of it.", {_JSON: STATE, _XML: TEXT})},
    problems=(503,),
)
def state(code: str, job: Any) -> Response:
    """The state of a delivery, to tokens of its utility and of the kind that sent it."""
    grant = admitted(code)
    asked = Asked(paths.BY_NAME["usage_point_collection"], grant, {})
    with house().database.reading() as session:
        found = later.find(session, grant.utility_id, grant.letter, job)
    if found is None or found.kind != delivery.JOB:
        raise NotFound() if grant.letter in "UD" else closed()
    return _job(found, asked)


def _job(job: Job, asked: Asked) -> Response:
    told: dict[str, Any] = {
        "state": _STATES[job.state],
        "href": _address(asked, job),
        "since": _time(job.created_at),
    }
    if job.state == RUNNING and job.progress:
        told["progress"] = job.progress
    if job.state == PARKED or (job.state == DUE and job.last_error):
        told["reason"] = job.last_error
    if job.result is not None:
        told["result"] = _told(job.result, asked.base, Delivery(**job.payload))
    answer = written(told, "state")
    if job.state in (DUE, RUNNING):
        answer.headers["Retry-After"] = str(PAUSE)
    return answer


def _address(asked: Asked, job: Job) -> str:
    return f"{asked.addresses.public}/deliveries/{job.id}"


def _time(moment: int) -> str:
    return clock.written(moment)


# --- words --------------------------------------------------------------------------------------------


def _told(result: Result, base: str, wanted: Delivery) -> Result:
    """The result with addresses instead of bare ids."""
    results = [
        {
            "line": each["line"],
            "kind": each["kind"],
            "outcome": each["outcome"],
            "href": _href(each, base, wanted.customer_id),
            **({"days": each["days"]} if "days" in each else {}),
        }
        for each in result["results"]
    ]
    return {**result, "results": results}


def _href(each: Mapping[str, Any], base: str, customer: str | None) -> str:
    """Where the sender can read what it sent; of readings, the collection of their blocks."""
    point, kind, id = delivery.owner(each), each["kind"], each["id"]
    if point is None:
        return paths.entry(base, kind, id)
    at = paths.retail_customer(base, customer) if customer else base
    if delivery.is_readings(each):
        return paths.interval_blocks(at, point, id)
    return (
        paths.usage_point(at, point)
        if kind == "UsagePoint"
        else f"{paths.usage_point(at, point)}/{kind}/{id}"
    )
