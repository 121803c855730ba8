"""What every error code means and what to do about it: the page that errors point to.

`docs/problems.md` says the same; a test compares them. Codes are stable, new ones may come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from espi_server.access.oauth.errors import EXPLAINED

PATH: Final = EXPLAINED


class Explained(NamedTuple):
    """Codes that mean the same, the status they come with, and when and what to do."""

    codes: Sequence[str]
    status: str
    words: str


def _rows(*given: tuple[str, str, str]) -> Sequence[Explained]:
    return [Explained(codes.split(", "), status, words) for codes, status, words in given]


OAUTH: Final = _rows(
    (
        "invalid_request",
        "400",
        "a parameter is missing, stands twice or cannot be read; `error_description` names it",
    ),
    (
        "invalid_client",
        "401",
        "the client is not known here, or did not show who it is in a way its registration allows: HTTP Basic"
        " with id and secret, or what was registered instead",
    ),
    (
        "invalid_grant",
        "400",
        "the code or refresh token is not this client's, was used before, was revoked, or its time is over; "
        "ask the customer again where it was the last one",
    ),
    ("unauthorized_client", "400", "the policy this client is held to does not allow it"),
    (
        "unsupported_grant_type",
        "400",
        "the grant_type is authorization_code, refresh_token, client_credentials, or the one of CIBA",
    ),
    (
        "unsupported_response_type",
        "redirect",
        "the response_type is code, or with openid code id_token; no token comes by the browser",
    ),
    (
        "invalid_scope",
        "400, redirect",
        "the scope cannot be read, opens nothing, or goes beyond what this client registered; "
        "`error_description` names the part",
    ),
    (
        "access_denied",
        "redirect, 400",
        "the customer said no, or is no customer here; do not ask again by yourself",
    ),
    ("login_required", "redirect", "prompt=none: nobody can be asked without a page"),
    (
        "request_not_supported, request_uri_not_supported",
        "redirect",
        "send the parameters themselves, or push them first (RFC 9126)",
    ),
    ("invalid_token", "401", "the bearer token is unknown, expired or revoked"),
    ("insufficient_scope", "403", "this token does not open this address"),
    ("authorization_pending", "400", "nobody has answered yet; poll again after `interval` seconds"),
    ("slow_down", "400", "polled too soon; from now on wait five seconds longer"),
    ("expired_token", "400", "nobody answered in time; ask again"),
    (
        "invalid_binding_message, expired_login_hint_token",
        "400",
        "the part of the request by message that its name says; make another",
    ),
    (
        "invalid_redirect_uri, invalid_client_metadata, invalid_software_statement, unapproved_software_statement",
        "400",
        "a registration that cannot be taken; `error_description` names the field and what is accepted",
    ),
    (
        "temporarily_unavailable",
        "429, 503",
        "too many attempts, or the database is away; wait as `Retry-After` says",
    ),
    ("server_error", "500", "our mistake; tell the operator the request id"),
)
"""Errors of the authorization server (RFC 6749 4.1.2.1 and 5.2, RFC 6750 3.1, RFC 7591 3.2.2, CIBA 11 and 13)."""

PROBLEMS: Final = _rows(
    (
        "bad_value",
        "400",
        "a query parameter cannot be read; `parameter`, `value` and `accepted` say which and how",
    ),
    (
        "bad_request, refused",
        "400, 413 …",
        "another part of the request cannot be taken; `detail` says which",
    ),
    (
        "bad_entry",
        "400",
        "the body is no entry of the kind this address takes; `detail` says what is wrong in it",
    ),
    (
        "unauthorized",
        "401",
        "no token, or one that is unknown, expired, revoked, of another utility, of an ended authorization, or bound "
        "to a TLS certificate that was not shown; refresh once, and where that is refused it is over",
    ),
    (
        "forbidden",
        "403",
        "the token is of the wrong kind, or the path lies outside its grant, whether it exists or not",
    ),
    ("not_found", "404", "nothing is at this address"),
    ("unknown_utility", "404", "the first part of the path is the code of no utility here"),
    (
        "conflict",
        "409",
        "it contradicts what is there: a wider scope, a later end, another `client_id`, an application "
        "revoked for good",
    ),
    ("method_not_allowed", "405", "`Allow` names the methods there are"),
    ("length_required", "411", "a delivery has neither `Content-Length` nor chunks"),
    ("too_large", "413", "the body is larger than is taken; `detail` names the limit"),
    (
        "unsupported_media_type",
        "415",
        "the body is of a kind that is not taken; `Accept` names those that are",
    ),
    ("too_many_requests", "429", "too many feeds at once; wait as `Retry-After` says"),
    ("internal", "500", "our mistake; tell the operator the request id"),
    (
        "cannot_open",
        "500",
        "something personal in our database does not open; tell the operator the request id",
    ),
    ("unavailable", "503", "the database is away; wait as `Retry-After` says"),
    (
        "feed_changed",
        "503",
        "the data changed, or the authorization ended, while a feed was being made; ask again",
    ),
    ("not_six_digits", "400", "what was entered is no code; it costs no try"),
    ("wrong_code", "400", "another code was sent; `tries_left` says how often she may try"),
    ("too_many_tries", "429", "five wrong codes, so this one is dead; ask for a new one"),
    ("too_soon", "429", "the last one left less than a minute ago; wait as `Retry-After` says"),
    ("sent_enough", "429", "it was sent three times; begin again"),
    ("enough_for_today", "429", "ten were begun within a day; wait as `Retry-After` says"),
)
"""Problem documents (RFC 9457) of the resource API, and of one-time codes."""
