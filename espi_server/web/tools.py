"""Tools as programs use them: have a file judged, fetch the verdict, fetch a schema.

Nothing here needs a token and nothing reads a cookie: see `uploads` for what that means for forged requests.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, request, url_for

from espi_server.errors import NotFound, Problem
from espi_server.espi.verdict import SCHEMA_VERSION
from espi_server.tools import keeping, schemas
from espi_server.tools.judging import Judgement, judged
from espi_server.tools.models import KeptVerdict
from espi_server.web import tools_pages, uploads
from espi_server.web.described import OBJECT, TEXT, Answer, Parameter, Schema, describes
from espi_server.web.house import house

blueprint = Blueprint("tools", __name__)

_JSON, _XML, _SCHEMA = "application/json", "application/xml", "application/schema+json"
_PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff"}
_FINDING: Schema = {
    "type": "object",
    "required": ["rule", "severity", "line", "path", "message"],
    "properties": {
        **dict.fromkeys(("rule", "path", "message"), TEXT),
        "severity": {"enum": ["error", "warning", "advice"]},
        "line": {"type": "integer"},
    },
}
_VERDICT: Schema = {
    "type": "object",
    "required": ["schema_version", "file", "profile", "edition", "conformant", "counts", "findings", "summary"],
    "properties": {
        "schema_version": {"const": SCHEMA_VERSION},
        **dict.fromkeys(("file", "profile", "edition"), TEXT),
        "conformant": {"type": "boolean"},
        "refused": {"type": ["string", "null"], "description": "Why the file could not be read to its end."},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "findings": {"type": "array", "items": _FINDING},
        "summary": {"type": "object"},
    },
}  # fmt: skip
_HOW = (
    Parameter("profile", "Whose eyes look.", {"enum": ["certification", "lenient", "sst"], "default": "certification"}),
    Parameter("edition", "Of the schema.", {"enum": ["auto", "4.0", "3.3", "0.7", "sst"], "default": "auto"}),
    Parameter("claims", "Function blocks the file is said to show: `4 5 15`."),
    Parameter("name", "What to call a file that is sent as the body itself."),
)  # fmt: skip
_FORM: Schema = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "profile": TEXT,
        "edition": TEXT,
        "claims": TEXT,
    },
}
_FILE: Schema = {"type": "string", "format": "binary"}


@blueprint.post("/tools/validate")
@describes(
    "Judge a Green Button file",
    method="POST",
    tag="tools",
    description="With `Accept: application/json`, or with the file itself as the body, the verdict is the answer; "
    "else a browser is sent to its page. The file is not kept; the verdict is, for an hour.",
    parameters=_HOW,
    body={"multipart/form-data": _FORM, "application/xml": _FILE, "application/gzip": _FILE},
    answers={
        201: Answer("The verdict.", {_JSON: _VERDICT}, {"Location": "Where it stands for an hour."}),
        303: Answer("To the page of the verdict.", headers={"Location": "Where it stands for an hour."}),
    },
    problems=(400, 403, 413, 429),
    has_pages=True,
)
def judge() -> Response:
    """A verdict on the file that was sent."""
    try:
        with uploads.taken() as wish:
            judgement = judged(
                wish.file, name=wish.name, profile=wish.profile, edition=wish.edition, claims=wish.claims,
                work=house().settings.check_seconds,
            )  # fmt: skip
    except Problem as problem:
        if _wants_json():
            raise
        return tools_pages.form(problem)
    with house().database.writing() as session:
        kept = keeping.keep(session, judgement)
    place = url_for("tools.verdict", id=kept.id)
    if _wants_json():
        return _told(kept, judgement, status=201, place=place)
    return _private(Response(status=303, headers={"Location": place}))


@blueprint.get("/tools/validate/<id>")
@describes(
    "A verdict",
    tag="tools",
    description="JSON where `Accept` asks for it, a page for people otherwise.",
    answers={200: Answer("The verdict.", {_JSON: _VERDICT, "text/html": TEXT})},
    problems=(404,),
    has_pages=True,
)
def verdict(id: str) -> Response:
    """A judgement whose hour is not over."""
    try:
        with house().database.reading() as session:
            kept, judgement = keeping.find(session, id)
    except keeping.NotKept:
        if _wants_json():
            raise
        return tools_pages.gone()
    if _wants_json():
        return _told(kept, judgement)
    return _private(tools_pages.result(kept, judgement))


@blueprint.get("/tools/validate/<id>/verdict.json")
@describes(
    "A verdict as a file",
    tag="tools",
    answers={200: Answer("The verdict.", {_JSON: _VERDICT})},
    problems=(404,),
)
def verdict_json(id: str) -> Response:
    """The same as a file to keep."""
    with house().database.reading() as session:
        kept, judgement = keeping.find(session, id)
    return _as_file(_told(kept, judgement), "verdict.json")


@blueprint.get("/tools/validate/<id>/junit.xml")
@describes(
    "A verdict as JUnit XML",
    tag="tools",
    answers={200: Answer("One case a rule.", {_XML: TEXT})},
    problems=(404,),
)
def verdict_junit(id: str) -> Response:
    """The same for a build server."""
    with house().database.reading() as session:
        _, judgement = keeping.find(session, id)
    return _as_file(_private(Response(judgement.junit, content_type=_XML)), "junit.xml")


@blueprint.get("/tools/schemas/<edition>/<name>.xsd")
@describes(
    "An XML Schema",
    tag="tools",
    description="Made from our own declarations: the structure of the edition in our words. `atom` and `xml` are what "
    "the others import.",
    answers={
        200: Answer("The schema.", {_XML: TEXT}, {"ETag": "The SHA-256 of the bytes."}),
        304: Answer("What you have is still right."),
    },
    problems=(404,),
)
def xsd(edition: str, name: str) -> Response:
    """One schema of one edition."""
    file = schemas.every().get((edition, name))
    if file is None:
        raise NotFound(
            f"There is no schema {name[:40]!r} of edition {edition[:40]!r}. /tools/schemas lists them all."
        )
    return _kept_by_browsers(file, _XML)


@blueprint.get("/tools/schemas/espi.schema.json")
@describes(
    "The JSON Schema",
    tag="tools",
    description="Of every resource in this server's JSON, made from our own declarations.",
    answers={
        200: Answer("The schema.", {_SCHEMA: OBJECT}, {"ETag": "The SHA-256 of the bytes."}),
        304: Answer("What you have is still right."),
    },
)
def json_schema() -> Response:
    """The schema of resources in JSON."""
    return _kept_by_browsers(schemas.of_json(), _SCHEMA)


def _kept_by_browsers(file: schemas.File, kind: str) -> Response:
    response = Response(file.body, content_type=kind)
    response.set_etag(file.digest)
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response


def _told(kept: KeptVerdict, judgement: Judgement, *, status: int = 200, place: str = "") -> Response:
    told: dict[str, Any] = {**judgement.verdict, "expires_at": kept.expires_at}
    response = _private(Response(json.dumps(told, ensure_ascii=False), status=status, content_type=_JSON))
    if place:
        response.headers["Location"] = place
    response.headers["Vary"] = "Accept"
    return response


def _as_file(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _private(response: Response) -> Response:
    response.headers.update(_PRIVATE)
    return response


def _wants_json() -> bool:
    if request.method == "POST" and uploads.is_raw():
        return True
    return request.accept_mimetypes.best_match(["text/html", _JSON]) == _JSON
