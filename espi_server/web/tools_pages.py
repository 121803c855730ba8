"""Tools as people use them: choose a file and see what was found, look up a rule or an element, fetch a schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from flask import Blueprint, Response, request

from espi_server.errors import Problem
from espi_server.espi import editions
from espi_server.espi import explain as explanations
from espi_server.espi.checks.rule import RULES, Profile, Rule, Severity
from espi_server.espi.checks.table import SUBJECTS, weight
from espi_server.espi.tables import FUNCTION_BLOCKS
from espi_server.espi.verdict import amount, how_chosen
from espi_server.tools import schemas
from espi_server.tools.judging import Judgement
from espi_server.tools.keeping import LASTS
from espi_server.tools.models import KeptVerdict
from espi_server.web import charts, explained, looks, uploads
from espi_server.web.house import house

blueprint = Blueprint("tools_pages", __name__)

_STYLES = ("tools.css",)
_SHOWN = 5  # findings of one rule that are not folded away
_PROFILES = {
    Profile.CERTIFICATION: "as a certification laboratory: schema, conventions, data tests",
    Profile.LENIENT: "as a patient reader: what can still be understood without guessing",
    Profile.SST: "certification, with the Statewide Standard Tool’s elements",
}
_EDITIONS = [
    (uploads.DETECT, "the one the file names, else 4.0"),
    *((each.name, each.title) for each in editions.EDITIONS.values()),
]
_NOTES = {
    "4.0": "The one in force. Our structure equals the published one, element by element; a test compares them.",
    "3.3": "Still met with many utilities: the usage side of 4.0, and no Statement on the customer side.",
    "0.7": "What files call espiDerived.xsd: fewer customer elements, and links need no type.",
    "sst": "4.0, and beside it the three elements for rate identification numbers. Those are ours, not NAESB’s.",
}


class Group(NamedTuple):
    """What one rule found: its severity to this profile, how often, and where."""

    rule: Rule
    severity: str
    number: int
    findings: list[dict[str, Any]]


@blueprint.get("/tools/")
def index() -> Response:
    """What tools there are."""
    return _page("tools/index.html", rules=len(RULES))


@blueprint.get("/tools/validate")
def validate() -> Response:
    """The form."""
    return form()


def form(problem: Problem | None = None) -> Response:
    """The form; with a problem, what went wrong with the last one."""
    settings = house().settings
    field = str((problem.more.get("parameter") if problem else "") or "file")
    chosen = {name: uploads.said(name) for name in ("profile", "edition", "claims")} if problem else {}
    response = _page(
        "tools/validate.html",
        status=problem.status if problem else 200,
        problem=problem,
        field=field,
        chosen=chosen,
        profiles=[(str(each), words) for each, words in _PROFILES.items()],
        editions=_EDITIONS,
        most=settings.check_bytes,
        minutes=LASTS // 60,
    )  # fmt: skip
    if problem:
        response.headers.update(problem.headers)
        response.headers["Cache-Control"] = "no-store"
    return response


def result(kept: KeptVerdict, judgement: Judgement) -> Response:
    """What was found in a file."""
    verdict = judgement.verdict
    return _page(
        "tools/result.html",
        verdict=verdict,
        edition=editions.named(verdict["edition"]).title,
        how=how_chosen(editions.named(verdict["edition"]), is_detected=verdict["edition_detected"]),
        until=_clock(kept.expires_at),
        id=kept.id,
        groups=list(_groups(verdict)),
        shown=_SHOWN,
        quotes=judgement.quotes,
        passed=[RULES[id] for id in judgement.passed if id in RULES],
        blocks=[(number, FUNCTION_BLOCKS.get(number, "")) for number in verdict["function_blocks"]["shown"]],
        totals=[amount(each["uom"], each["flowDirection"], each["value"]) for each in verdict["summary"]["totals"]],
        period=_period(verdict["summary"]),
        bars=judgement.days,
        days=judgement.days_a_bar,
        draw=charts.bars,
        day=_day,
        one_line=_is_one_line(verdict),
    )  # fmt: skip


def gone() -> Response:
    """The page for a result that is not kept, or never was."""
    response = _page("tools/gone.html", status=404, minutes=LASTS // 60)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get(explained.PATH)
def problems() -> Response:
    """What every error code means, and what to do."""
    tables = {"authorization": explained.OAUTH, "data": explained.PROBLEMS}
    return _page("tools/problems.html", tables=tables)


@blueprint.get("/tools/rules")
def rules() -> Response:
    """Every rule, from its own declaration."""
    subjects = [
        (SUBJECTS[subject], list(each))
        for subject, each in groupby(RULES.values(), key=lambda rule: rule.subject_matter)
    ]
    return _page("tools/rules.html", subjects=subjects, weight=weight, number=len(RULES))


@blueprint.get("/tools/schemas")
def schema_files() -> Response:
    """Every schema to fetch, by edition."""
    by_edition = groupby(schemas.every().values(), key=lambda file: file.edition)
    return _page(
        "tools/schemas.html",
        editions=[(edition, list(files)) for edition, files in by_edition],
        notes=_NOTES,
        of_json=schemas.of_json(),
    )


@blueprint.get("/tools/schemas/explain")
def look_up() -> Response:
    """Where the form for an element leads: its own page."""
    path = request.args.get("element", "").strip("/ ")[:200]
    return explain(path) if path else schema_files()


@blueprint.get("/tools/schemas/explain/<path:path>")
def explain(path: str) -> Response:
    """Type, place, cardinality and meaning of an element, or of a type and all its elements."""
    name = request.args.get("edition", editions.V4_0.name)
    edition = editions.EDITIONS.get(name, editions.V4_0)
    try:
        about = explanations.about(path[:200], edition)
    except explanations.NoSuchElement as error:
        return _page("tools/no_element.html", status=404, path=path[:200], error=str(error))
    return _page("tools/explain.html", about=about, edition=edition)


def _page(template: str, **values: Any) -> Response:
    return looks.page(template, styles=_STYLES, **values)


def _groups(verdict: dict[str, Any]) -> Iterator[Group]:
    """Findings by rule, the heaviest first, each rule's in the order of the file."""
    order = [str(each) for each in Severity]
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for finding in verdict["findings"]:
        by_rule.setdefault(finding["rule"], []).append(finding)
    known = [(id, found) for id, found in by_rule.items() if id in RULES]
    for id, found in sorted(known, key=lambda each: order.index(each[1][0]["severity"])):
        yield Group(RULES[id], found[0]["severity"], verdict["counts_by_rule"][id], found)


def _is_one_line(verdict: dict[str, Any]) -> bool:
    """Whether lines tell nothing, because there is only one."""
    lines = {finding["line"] for finding in verdict["findings"] if finding["rule"] != "DOC-01"}
    return len(verdict["findings"]) > 3 and len(lines) == 1


def _period(summary: dict[str, Any]) -> str:
    start, end = summary["start"], summary["end"]
    if start is None or end is None or not 0 <= start <= end < 2**35:
        return ""
    return f"{_moment(start)} to {_moment(end)} UTC"


def _moment(seconds: int) -> str:
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found:%B %Y, %H:%M}"


def _day(seconds: float) -> str:
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found:%B %Y}"


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M} UTC"
