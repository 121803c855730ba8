"""What an authorization server says of itself (RFC 8414, OpenID Discovery): from what it really takes."""

from __future__ import annotations

from typing import Any

from espi_server.access import keys, terms
from espi_server.access.addresses import public_base
from espi_server.access.oauth import assertions, backchannel
from espi_server.access.oauth.clients import CODE, GRANTS, HYBRID, OPENID
from espi_server.access.oauth.errors import EXPLAINED
from espi_server.access.oauth.policies import CERTIFICATE, WAYS
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal


def document(
    utility: Utility, installation: str, *, takes_certificates: bool, asks_by_message: bool = False
) -> dict[str, Any]:
    """The metadata of a utility's issuer."""
    issuer = public_base(utility.base_url, utility.code, installation)
    ways = [way for way in WAYS if way != CERTIFICATE or takes_certificates]
    found: dict[str, Any] = {
        "issuer": issuer,
        "service_documentation": f"{installation}{EXPLAINED}",
        "op_tos_uri": terms.of(utility, installation).address,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "registration_endpoint": f"{issuer}/oauth/register",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "scopes_supported": [OPENID],
        "response_types_supported": [CODE, HYBRID],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": list(GRANTS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [keys.ALGORITHM],
        "claims_supported": ["sub", "iss", "aud", "iat", "exp", "auth_time", "acr", "amr", "nonce"],
        "tls_client_certificate_bound_access_tokens": takes_certificates,
    }
    for name, path in {"token": "token", "revocation": "revoke", "introspection": "introspect"}.items():
        found[f"{name}_endpoint"] = f"{issuer}/oauth/{path}"
        found[f"{name}_endpoint_auth_methods_supported"] = ways
        found[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(assertions.ALGORITHMS)
    if privacy := Portal.of(utility).privacy:
        found["op_policy_uri"] = privacy
    if asks_by_message:
        found["grant_types_supported"].append(backchannel.GRANT)
        found |= _by_message(issuer)
    return found


def _by_message(issuer: str) -> dict[str, Any]:
    """CIBA 4."""
    return {
        "backchannel_authentication_endpoint": f"{issuer}{backchannel.PATH}",
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_authentication_request_signing_alg_values_supported": list(assertions.ALGORITHMS),
        "backchannel_user_code_parameter_supported": False,
    }
