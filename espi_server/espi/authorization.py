"""The management side of ESPI: applications, consents, what has changed, whether the service is up."""

from .codes import (
    AuthorizationStatus,
    DataCustodianApplicationStatus,
    ESPIServiceStatus,
    GrantType,
    OAuthError,
    ResponseType,
    ThirdPartyApplicationStatus,
    ThirdPartyApplicationType,
    ThirdPartyApplicationUse,
    TokenEndPointMethod,
    TokenType,
)
from .content import ESPI, Content
from .fields import element
from .types import Address, AnyType, String32, String64, String256, String512, TimeType
from .usage import DateTimeInterval, IdentifiedObject, Object


class ApplicationInformation(IdentifiedObject, resource=True):
    """A third party's application as registered with a utility: both sides' addresses, OAuth client, scopes.

    client_id_issued_at and client_secret_expires_at are seconds since 1970; 0 for the latter is never.
    """

    data_custodian_id: String64
    data_custodian_application_status: DataCustodianApplicationStatus
    third_party_application_description: String256 | None
    third_party_application_status: ThirdPartyApplicationStatus | None
    third_party_application_type: ThirdPartyApplicationType | None
    third_party_application_use: ThirdPartyApplicationUse | None
    third_party_phone: String32 | None
    authorization_server_uri: Address | None
    third_party_notify_uri: Address
    authorization_server_authorization_endpoint: Address
    authorization_server_registration_endpoint: Address | None
    authorization_server_token_endpoint: Address
    data_custodian_bulk_request_uri: Address = element("dataCustodianBulkRequestURI")
    data_custodian_resource_endpoint: Address
    third_party_scope_selection_screen_uri: Address | None = element("thirdPartyScopeSelectionScreenURI")
    third_party_user_portal_screen_uri: Address | None = element("thirdPartyUserPortalScreenURI")
    client_secret: String512 = element("client_secret")
    logo_uri: Address | None = element("logo_uri")
    client_name: String256 = element("client_name")
    client_uri: Address | None = element("client_uri")
    redirect_uri: list[Address] = element("redirect_uri", at_least=1)
    client_id: String64 = element("client_id")
    tos_uri: Address | None = element("tos_uri")
    policy_uri: Address | None = element("policy_uri")
    software_id: String256 = element("software_id")
    software_version: String32 = element("software_version")
    client_id_issued_at: TimeType = element("client_id_issued_at")
    client_secret_expires_at: TimeType = element("client_secret_expires_at")
    contacts: list[String256]
    token_endpoint_auth_method: TokenEndPointMethod = element("token_endpoint_auth_method")
    scope: list[String256] = element(at_least=1)
    grant_types: list[GrantType] = element("grant_types", at_least=2)
    response_types: ResponseType = element("response_types")
    registration_client_uri: AnyType = element("registration_client_uri")
    registration_access_token: AnyType = element("registration_access_token")
    data_custodian_scope_selection_screen_uri: AnyType | None = element(
        "dataCustodianScopeSelectionScreenURI"
    )


class Authorization(IdentifiedObject, resource=True):
    """A customer's consent: what it opens, until when, and the addresses of the data.

    authorizedPeriod limits when may be asked, publishedPeriod which data by their time of publication.
    """

    authorized_period: DateTimeInterval | None
    published_period: DateTimeInterval | None
    status: AuthorizationStatus
    expires_at: TimeType = element("expires_at")
    grant_type: GrantType | None = element("grant_type")
    scope: String256
    token_type: TokenType = element("token_type")
    error: OAuthError | None
    error_description: String256 | None = element("error_description")
    error_uri: Address | None = element("error_uri")
    resource_uri: Address = element("resourceURI")
    authorization_uri: Address = element("authorizationURI")
    customer_resource_uri: Address | None = element("customerResourceURI")


class ServiceStatus(Object, resource=True):
    """Whether the service is up: 1 normal, 0 unavailable."""

    current_status: ESPIServiceStatus


class BatchList(Content, namespace=ESPI, type_name="BatchListType", resource=True):
    """Addresses of resources that are new or changed, sent to a third party as a notification."""

    resources: list[Address]
