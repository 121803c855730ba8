"""Rules on Authorization and ApplicationInformation: scopes that can be read, addresses that lead somewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from espi_server.espi.scope import Scope, ScopeError

from .local_time import when
from .rule import Faults, Severity, rule
from .subjects import Resource, key, parsed
from .whole import MILLISECONDS

ERROR, WARNING, ADVICE = Severity
_SECRETS = ("client_secret", "registration_access_token")
_ACTIVE = 1


@rule(
    "AUTH-01",
    ERROR,
    "A scope can be read",
    why="Terms of NAME=value, separated by semicolons, without blanks, at most 256 characters: OAuth cuts at blanks.",
    breaks="<espi:scope>FB=4,5,15 IntervalDuration=900</espi:scope>",
    kinds="Authorization ApplicationInformation",
    lenient=WARNING,
)
def scopes_can_be_read(resource: Resource) -> Faults:
    for path, text in scopes(resource):
        try:
            Scope.parse(text)
        except ScopeError as error:
            yield resource.fault(f"The scope cannot be read: {error}", path)


@rule(
    "AUTH-02",
    WARNING,
    "resourceURI leads to a batch",
    why="It is where the data of the authorization are: Batch/Subscription, or Batch/Bulk for many.",
    breaks="<espi:resourceURI>…/Subscription/7</espi:resourceURI>",
    kinds="Authorization",
    lenient=ADVICE,
)
def resource_uri_is_a_batch(resource: Resource) -> Faults:
    path = parsed(str(resource.instance.resource_uri or ""))
    if resource.instance.resource_uri and not (path and path.batch):
        yield resource.fault(f"resourceURI is {resource.instance.resource_uri}.", "resourceURI")


@rule(
    "AUTH-03",
    WARNING,
    "authorizationURI leads to this Authorization",
    why="A third party asks there whether the consent still stands; it is the entry's own self link.",
    breaks="an authorizationURI of another Authorization",
    kinds="Authorization",
    lenient=ADVICE,
)
def authorization_uri_is_its_own(resource: Resource) -> Faults:
    href, own = str(resource.instance.authorization_uri or ""), resource.shell.self
    if href and own and own.href and key(href) != key(own.href):
        yield resource.fault(f"authorizationURI is {href}; self is {own.href}.", "authorizationURI")


@rule(
    "AUTH-04",
    WARNING,
    "An active authorization has not ended",
    why="status 1 with an expires_at of the past says two things at once.",
    breaks="<espi:status>1</espi:status><espi:expires_at>1440670029</espi:expires_at>",
    kinds="Authorization",
    lenient=ADVICE,
)
def active_is_not_over(resource: Resource) -> Faults:
    given, ends = resource.instance, resource.instance.expires_at
    if (
        given.status == _ACTIVE
        and isinstance(ends, int)
        and 0 < ends < resource.context.now
        and ends < MILLISECONDS
    ):
        yield resource.fault(f"status is 1 (active), and expires_at {when(ends)}.", "expires_at")


@rule(
    "AUTH-05",
    ERROR,
    "Addresses of OAuth and of data are https",
    why="Secrets and readings travel there; the standard allows TLS alone.",
    breaks="<espi:authorizationServerTokenEndpoint>http://…",
    kinds="Authorization ApplicationInformation",
    lenient=WARNING,
)
def endpoints_are_https(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.leaf.name == "xs:anyURI" and isinstance(value, str) and urlsplit(value).scheme == "http":
            yield resource.fault(f"{field.name} is {value}; it must be https.", path)


@rule(
    "AUTH-06",
    WARNING,
    "No secret of an application stands in a file",
    why="Who reads the file can act as the application. A custodian shows a secret once, when the application is "
    "registered.",
    breaks="<espi:client_secret>s3cr3t</espi:client_secret>",
    kinds="ApplicationInformation",
    lenient=ADVICE,
)
def secrets_stay_at_home(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.name in _SECRETS and str(value).strip():
            yield resource.fault(f"{field.name} has a value.", path)


def scopes(resource: Resource) -> list[tuple[str, str]]:
    """Path and text of every scope of a resource."""
    return [(path, str(value)) for path, field, value in resource.fields if field.name == "scope"]
