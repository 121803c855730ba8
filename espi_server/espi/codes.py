"""The standard's code lists: what each number or word means.

Most lists are open in the schema (`union_of`): a validator takes any other number of the base type, so
whoever cares about a code's meaning checks it against the list. `restriction_of` lists are closed.
"""

from enum import IntEnum, StrEnum

from .types import Int16, String4, String8, String32, Text, UInt16, restriction_of, union_of

# Measuring


@union_of(UInt16)
class AccumulationKind(IntEnum):
    """How a value relates to those before it."""

    NONE = 0
    BULK_QUANTITY = 1
    CONTINUOUS_CUMULATIVE = 2
    CUMULATIVE = 3
    DELTA_DATA = 4
    INDICATING = 6
    SUMMATION = 9
    TIME_DELAY = 10
    INSTANTANEOUS = 12
    LATCHING_QUANTITY = 13
    BOUNDED_QUANTITY = 14


@union_of(UInt16)
class CommodityKind(IntEnum):
    """What is delivered."""

    NONE = 0
    ELECTRICITY_SECONDARY_METERED = 1
    ELECTRICITY_PRIMARY_METERED = 2
    COMMUNICATION = 3
    AIR = 4
    INSULATIVE_GAS = 5
    INSULATIVE_OIL = 6
    NATURAL_GAS = 7
    PROPANE = 8
    POTABLE_WATER = 9
    STEAM = 10
    WASTE_WATER = 11
    HEATING_FLUID = 12
    COOLING_FLUID = 13
    NON_POTABLE_WATER = 14
    NITROUS_OXIDES = 15
    SULFUR_DIOXIDE = 16
    METHANE = 17
    CARBON_DIOXIDE = 18
    CARBON = 19
    HEXACHLOROCYCLOHEXANE = 20
    PERFLUOROCARBONS = 21
    SULFUR_HEXAFLUORIDE = 22
    TELEVISION = 23
    INTERNET = 24
    REFUSE = 25
    ELECTRICITY_TRANSMISSION_METERED = 26


@union_of(UInt16)
class Currency(IntEnum):
    """The ISO 4217 numbers the schema lists; the other ISO numbers are accepted as well."""

    OTHER = 0
    AUD = 36
    CAD = 124
    CNY = 156
    DKK = 208
    INR = 356
    JPY = 392
    NOK = 578
    RUB = 643
    SEK = 752
    CHF = 756
    GBP = 826
    USD = 840
    EUR = 978


@union_of(UInt16)
class DataQualifierKind(IntEnum):
    """Which of several values of a period this one is."""

    NONE = 0
    AVERAGE = 2
    EXCESS = 4
    HIGH_THRESHOLD = 5
    LOW_THRESHOLD = 7
    MAXIMUM = 8
    MINIMUM = 9
    NOMINAL = 11
    NORMAL = 12
    SECOND_MAXIMUM = 16
    SECOND_MINIMUM = 17
    THIRD_MAXIMUM = 23
    FOURTH_MAXIMUM = 24
    FIFTH_MAXIMUM = 25
    SUM = 26


@union_of(UInt16)
class FlowDirectionKind(IntEnum):
    """Which way energy flows: forward is delivered to the customer, reverse received from the customer."""

    NONE = 0
    FORWARD = 1
    LAGGING = 2
    LEADING = 3
    NET = 4
    Q1_PLUS_Q2 = 5
    Q1_PLUS_Q3 = 7
    Q1_PLUS_Q4 = 8
    Q1_MINUS_Q4 = 9
    Q2_PLUS_Q3 = 10
    Q2_PLUS_Q4 = 11
    Q2_MINUS_Q3 = 12
    Q3_PLUS_Q4 = 13
    Q3_MINUS_Q2 = 14
    Q1 = 15
    Q2 = 16
    Q3 = 17
    Q4 = 18
    REVERSE = 19
    TOTAL = 20
    TOTAL_BY_PHASE = 21


@union_of(UInt16)
class MeasurementKind(IntEnum):
    """What is measured. Most homes need ENERGY, DEMAND or POWER, and VOLUME for gas and water."""

    NONE = 0
    APPARENT_POWER_FACTOR = 2
    CURRENCY = 3
    CURRENT = 4
    CURRENT_ANGLE = 5
    CURRENT_IMBALANCE = 6
    DATE = 7
    DEMAND = 8
    DISTANCE = 9
    DISTORTION_VOLT_AMPERES = 10
    ENERGIZATION = 11
    ENERGY = 12
    ENERGIZATION_LOAD_SIDE = 13
    FAN = 14
    FREQUENCY = 15
    FUNDS = 16
    IEEE_1366_ASAI = 17
    IEEE_1366_ASIDI = 18
    IEEE_1366_ASIFI = 19
    IEEE_1366_CAIDI = 20
    IEEE_1366_CAIFI = 21
    IEEE_1366_CEMI = 22
    IEEE_1366_CEMSMI = 23
    IEEE_1366_CTAIDI = 24
    IEEE_1366_MAIFI = 25
    IEEE_1366_MAIFIE = 26
    IEEE_1366_SAIDI = 27
    IEEE_1366_SAIFI = 28
    LINE_LOSSES = 31
    LOSSES = 32
    NEGATIVE_SEQUENCE = 33
    PHASOR_POWER_FACTOR = 34
    PHASOR_REACTIVE_POWER = 35
    POSITIVE_SEQUENCE = 36
    POWER = 37
    POWER_FACTOR = 38
    QUANTITY_POWER = 40
    SAG = 41
    SWELL = 42
    SWITCH_POSITION = 43
    TAP_POSITION = 44
    TARIFF_RATE = 45
    TEMPERATURE = 46
    TOTAL_HARMONIC_DISTORTION = 47
    TRANSFORMER_LOSSES = 48
    UNIPEDE_VOLTAGE_DIP_10_TO_15 = 49
    UNIPEDE_VOLTAGE_DIP_15_TO_30 = 50
    UNIPEDE_VOLTAGE_DIP_30_TO_60 = 51
    UNIPEDE_VOLTAGE_DIP_60_TO_90 = 52
    UNIPEDE_VOLTAGE_DIP_90_TO_100 = 53
    VOLTAGE = 54
    VOLTAGE_ANGLE = 55
    VOLTAGE_EXCURSION = 56
    VOLTAGE_IMBALANCE = 57
    VOLUME = 58
    ZERO_FLOW_DURATION = 59
    ZERO_SEQUENCE = 60
    DISTORTION_POWER_FACTOR = 64
    FREQUENCY_EXCURSION = 81
    APPLICATION_CONTEXT = 90
    AP_TITLE = 91
    ASSET_NUMBER = 92
    BANDWIDTH = 93
    BATTERY_VOLTAGE = 94
    BROADCAST_ADDRESS = 95
    DEVICE_ADDRESS_TYPE_1 = 96
    DEVICE_ADDRESS_TYPE_2 = 97
    DEVICE_ADDRESS_TYPE_3 = 98
    DEVICE_ADDRESS_TYPE_4 = 99
    DEVICE_CLASS = 100
    ELECTRONIC_SERIAL_NUMBER = 101
    END_DEVICE_ID = 102
    GROUP_ADDRESS_TYPE_1 = 103
    GROUP_ADDRESS_TYPE_2 = 104
    GROUP_ADDRESS_TYPE_3 = 105
    GROUP_ADDRESS_TYPE_4 = 106
    IP_ADDRESS = 107
    MAC_ADDRESS = 108
    MANUFACTURER_CONFIGURATION_ID = 109
    MANUFACTURER_SERIAL_NUMBER = 110
    MANUFACTURER_PRODUCT_NUMBER = 111
    MANUFACTURER_COMMUNICATION_ADDRESS = 112
    MULTICAST_ADDRESS = 113
    ONE_WAY_ADDRESS = 114
    SIGNAL_STRENGTH = 115
    TWO_WAY_ADDRESS = 116
    SIGNAL_TO_NOISE_RATIO = 117
    ALARM = 118
    BATTERY_CARRYOVER = 119
    DATA_OVERFLOW_ALARM = 120
    DEMAND_LIMIT = 121
    DEMAND_RESET = 122
    DIAGNOSTIC = 123
    EMERGENCY_LIMIT = 124
    ENCODER_TAMPER = 125
    IEEE_1366_MOMENTARY_INTERRUPTION = 126
    IEEE_1366_MOMENTARY_INTERRUPTION_EVENT = 127
    IEEE_1366_SUSTAINED_INTERRUPTION = 128
    INTERRUPTION_BEHAVIOUR = 129
    INVERSION_TAMPER = 130
    LOAD_INTERRUPT = 131
    LOAD_SHED = 132
    MAINTENANCE = 133
    PHYSICAL_TAMPER = 134
    POWER_LOSS_TAMPER = 135
    POWER_OUTAGE = 136
    POWER_QUALITY = 137
    POWER_RESTORATION = 138
    PROGRAMMED = 139
    PUSH_BUTTON = 140
    RELAY_ACTIVATION = 141
    RELAY_CYCLE = 142
    REMOVAL_TAMPER = 143
    REPROGRAMMING_TAMPER = 144
    REVERSE_ROTATION_TAMPER = 145
    SWITCH_ARMED = 146
    SWITCH_DISABLED = 147
    TAMPER = 148
    WATCHDOG_TIMEOUT = 149
    BILL_LAST_PERIOD = 150
    BILL_TO_DATE = 151
    BILL_CARRYOVER = 152
    CONNECTION_FEE = 153
    AUDIBLE_VOLUME = 154
    VOLUMETRIC_FLOW = 155


@union_of(UInt16)
class PhaseCodeKind(IntEnum):
    """Which conductors are meant. S1 and S2 are the two legs of a North American home: S12N."""

    NONE = 0
    N = 16
    NG = 17
    C = 32
    CN = 33
    C_AV = 40
    ACN = 41
    B = 64
    BN = 65
    BC = 66
    B_AV = 72
    AC = 96
    BCN = 97
    A = 128
    AN = 129
    AB = 132
    AA = 136
    ABN = 193
    ABC = 224
    ABCN = 225
    S2 = 256
    S2N = 272
    S1 = 512
    S1N = 528
    S12 = 768
    S12N = 769
    S1_S2_N = 784


@union_of(Int16)
class UnitMultiplierKind(IntEnum):
    """The power of ten a value is multiplied by."""

    PICO = -12
    NANO = -9
    MICRO = -6
    MILLI = -3
    CENTI = -2
    DECI = -1
    NONE = 0
    DECA = 1
    HECTO = 2
    KILO = 3
    MEGA = 6
    GIGA = 9
    TERA = 12


@union_of(UInt16)
class QualityOfReading(IntEnum):
    """How far a value can be trusted."""

    VALID = 0
    MANUALLY_EDITED = 7
    ESTIMATED_USING_REFERENCE_DAY = 8
    ESTIMATED_USING_LINEAR_INTERPOLATION = 9
    QUESTIONABLE = 10
    DERIVED = 11
    PROJECTED = 12
    MIXED = 13
    RAW = 14
    NORMALIZED_FOR_WEATHER = 15
    OTHER = 16
    VALIDATED = 17
    VERIFIED = 18
    REVENUE_QUALITY = 19


@union_of(UInt16)
class TimeAttributeKind(IntEnum):
    """The step a demand value was formed over; rolling blocks name their sub-interval after it."""

    NONE = 0
    MINUTES_10 = 1
    MINUTES_15 = 2
    MINUTES_1 = 3
    HOURS_24 = 4
    MINUTES_30 = 5
    MINUTES_5 = 6
    MINUTES_60 = 7
    MINUTES_2 = 10
    MINUTES_3 = 14
    PRESENT = 15
    PREVIOUS = 16
    MINUTES_20 = 31
    FIXED_60 = 50
    FIXED_30 = 51
    FIXED_20 = 52
    FIXED_15 = 53
    FIXED_10 = 54
    FIXED_5 = 55
    FIXED_1 = 56
    ROLLING_60_BY_30 = 57
    ROLLING_60_BY_20 = 58
    ROLLING_60_BY_15 = 59
    ROLLING_60_BY_12 = 60
    ROLLING_60_BY_10 = 61
    ROLLING_60_BY_6 = 62
    ROLLING_60_BY_5 = 63
    ROLLING_60_BY_4 = 64
    ROLLING_30_BY_15 = 65
    ROLLING_30_BY_10 = 66
    ROLLING_30_BY_6 = 67
    ROLLING_30_BY_5 = 68
    ROLLING_30_BY_3 = 69
    ROLLING_30_BY_2 = 70
    ROLLING_15_BY_5 = 71
    ROLLING_15_BY_3 = 72
    ROLLING_15_BY_1 = 73
    ROLLING_10_BY_5 = 74
    ROLLING_10_BY_2 = 75
    ROLLING_10_BY_1 = 76
    ROLLING_5_BY_1 = 77


@union_of(UInt16)
class TimePeriodOfInterest(IntEnum):
    """The calendar period a value belongs to."""

    NONE = 0
    BILLING_PERIOD = 8
    DAILY = 11
    MONTHLY = 13
    SEASONAL = 22
    WEEKLY = 24
    SPECIFIED_PERIOD = 32


@union_of(UInt16)
class UnitSymbolKind(IntEnum):
    """The unit of a value, before its power of ten."""

    NONE = 0
    METRE = 2
    GRAM = 3
    REVOLUTION_PER_SECOND = 4
    AMPERE = 5
    KELVIN = 6
    MOLE = 7
    CANDELA = 8
    DEGREE = 9
    RADIAN = 10
    STERADIAN = 11
    GRAY = 21
    BECQUEREL = 22
    DEGREE_CELSIUS = 23
    SIEVERT = 24
    FARAD = 25
    SECOND = 27
    HENRY = 28
    VOLT = 29
    OHM = 30
    JOULE = 31
    NEWTON = 32
    HERTZ = 33
    LUX = 34
    LUMEN = 35
    WEBER = 36
    TESLA = 37
    WATT = 38
    PASCAL = 39
    SQUARE_METRE = 41
    CUBIC_METRE = 42
    METRE_PER_SECOND = 43
    METRE_PER_SECOND_SQUARED = 44
    CUBIC_METRE_PER_SECOND = 45
    METRE_PER_CUBIC_METRE = 46
    KILOGRAM_METRE = 47
    GRAM_PER_CUBIC_METRE = 48
    SQUARE_METRE_PER_SECOND = 49
    WATT_PER_METRE_KELVIN = 50
    JOULE_PER_KELVIN = 51
    SIEMENS = 53
    RADIAN_PER_SECOND = 54
    VOLT_AMPERE = 61
    VOLT_AMPERE_REACTIVE = 63
    COSINE_PHI = 65
    VOLT_SECOND = 66
    VOLT_SQUARED = 67
    AMPERE_SECOND = 68
    AMPERE_SQUARED = 69
    AMPERE_SQUARED_SECOND = 70
    VOLT_AMPERE_HOUR = 71
    WATT_HOUR = 72
    VOLT_AMPERE_REACTIVE_HOUR = 73
    VOLT_PER_HERTZ = 74
    HERTZ_PER_SECOND = 75
    CHARACTER = 76
    CHARACTER_PER_SECOND = 77
    GRAM_SQUARE_METRE = 78
    BEL = 79
    MONEY = 80
    WATT_PER_SECOND = 81
    LITRE_PER_SECOND = 82
    QUANTITY_POWER = 100
    QUANTITY_ENERGY = 101
    OHM_METRE = 102
    AMPERE_PER_METRE = 103
    VOLT_SQUARED_HOUR = 104
    AMPERE_SQUARED_HOUR = 105
    AMPERE_HOUR = 106
    WATT_HOUR_PER_CUBIC_METRE = 107
    TIME_STAMP = 108
    BOOLEAN = 109
    COUNT = 111
    BEL_MILLIWATT = 113
    CODE = 114
    WATT_HOUR_PER_REVOLUTION = 115
    VOLT_AMPERE_REACTIVE_HOUR_PER_REVOLUTION = 116
    VOLT_AMPERE_HOUR_PER_REVOLUTION = 117
    END_DEVICE_EVENT_CODE = 118
    CUBIC_FOOT = 119
    CUBIC_FOOT_COMPENSATED = 120
    CUBIC_FOOT_COMPENSATED_PER_HOUR = 123
    CUBIC_METRE_PER_HOUR = 125
    CUBIC_METRE_COMPENSATED_PER_HOUR = 126
    CUBIC_METRE_UNCOMPENSATED_PER_HOUR = 127
    US_GALLON = 128
    US_GALLON_PER_HOUR = 129
    IMPERIAL_GALLON = 130
    IMPERIAL_GALLON_PER_HOUR = 131
    BTU = 132
    BTU_PER_HOUR = 133
    LITRE = 134
    LITRE_PER_HOUR = 137
    LITRE_COMPENSATED_PER_HOUR = 138
    LITRE_UNCOMPENSATED_PER_HOUR = 139
    PASCAL_GAUGE = 140
    PSI_ABSOLUTE = 141
    PSI_GAUGE = 142
    LITRE_PER_LITRE = 143
    GRAM_PER_GRAM = 144
    MOLE_PER_CUBIC_METRE = 145
    MOLE_PER_MOLE = 146
    MOLE_PER_KILOGRAM = 147
    METRE_PER_METRE = 148
    SECOND_PER_SECOND = 149
    HERTZ_PER_HERTZ = 150
    VOLT_PER_VOLT = 151
    AMPERE_PER_AMPERE = 152
    POWER_FACTOR = 153
    REVOLUTION = 154
    PASCAL_ABSOLUTE = 155
    LITRE_UNCOMPENSATED = 156
    LITRE_COMPENSATED = 157
    KATAL = 158
    MINUTE = 159
    HOUR = 160
    QUANTITY_POWER_45 = 161
    QUANTITY_POWER_60 = 162
    QUANTITY_ENERGY_45 = 163
    QUANTITY_ENERGY_60 = 164
    JOULE_PER_KILOGRAM = 165
    CUBIC_METRE_UNCOMPENSATED = 166
    CUBIC_METRE_COMPENSATED = 167
    WATT_PER_WATT = 168
    THERM = 169


# Usage points and bills


@union_of(UInt16)
class ServiceKind(IntEnum):
    """The service a usage point receives."""

    ELECTRICITY = 0
    GAS = 1
    WATER = 2
    TIME = 3
    HEAT = 4
    REFUSE = 5
    SEWERAGE = 6
    RATES = 7
    TV_LICENCE = 8
    INTERNET = 9


@union_of(UInt16)
class ItemKind(IntEnum):
    """What a line of a bill is for."""

    GENERATION_FEE = 1
    DELIVERY_FEE = 2
    USAGE_FEE = 3
    ADMINISTRATIVE_FEE = 4
    TAX = 5
    GENERATION_CREDIT = 6
    DELIVERY_CREDIT = 7
    ADMINISTRATIVE_CREDIT = 8
    PAYMENT = 9
    INFORMATION = 10


@restriction_of(String32)
class AmiBillingReadyKind(StrEnum):
    """How far a usage point's advanced meter may be used for billing."""

    AMI_CAPABLE = "amiCapable"
    AMI_DISABLED = "amiDisabled"
    BILLING_APPROVED = "billingApproved"
    ENABLED = "enabled"
    NON_AMI = "nonAmi"
    NON_METERED = "nonMetered"
    OPERABLE = "operable"


@restriction_of(String32)
class UsagePointConnectedKind(StrEnum):
    """Whether a usage point can draw energy, or how it was cut off."""

    CONNECTED = "connected"
    LOGICALLY_DISCONNECTED = "logicallyDisconnected"
    PHYSICALLY_DISCONNECTED = "physicallyDisconnected"


@restriction_of(String32)
class EnrollmentStatus(StrEnum):
    """Whether a tariff rider applies."""

    UNENROLLED = "unenrolled"
    ENROLLED = "enrolled"
    ENROLLED_PENDING = "enrolledPending"


@restriction_of(String8)
class ApnodeType(StrEnum):
    """The kind of a pricing node."""

    AGGREGATED_GENERATION = "AG"
    CUSTOM_PRICE_ZONE = "CPZ"
    DEFAULT_PRICE_ZONE = "DPZ"
    LOAD_AGGREGATION_POINT = "LAP"
    TRADING_HUB = "TH"
    SYSTEM_ZONE = "SYS"
    CONTROL_AREA = "CA"
    DESIGNATED_CONGESTION_AREA = "DCA"
    GENERIC_AGGREGATION = "GA"
    GENERIC_HUB = "GH"
    EXTRA_HIGH_VOLTAGE = "EHV"
    ZONE = "ZN"
    INTERFACE = "INT"
    BUS = "BUS"


@restriction_of(String8)
class AnodeType(StrEnum):
    """The kind of an aggregate node."""

    SYSTEM_ZONE = "SYS"
    RUC_ZONE = "RUC"
    LOAD_FORECAST_ZONE = "LFZ"
    MARKET_REGION = "REG"
    AGGREGATE_GENERATION = "AGR"
    POINT_OF_DELIVERY = "POD"
    AGGREGATE_LOAD = "ALR"
    TRANSMISSION_ACCESS_CHARGE_GROUP = "LTAC"
    ADJACENT_CONTROL_AREA = "ACA"
    AGGREGATED_SYSTEM = "ASR"
    EMBEDDED_CONTROL_AREA = "ECA"


@restriction_of(String4)
class ParticipationCategoryMPM(StrEnum):
    """Which market power mitigation price measures a node takes part in. No element uses it."""

    BOTH = "Y"
    NEITHER = "N"
    SYSTEM = "S"
    LOCAL = "L"


@restriction_of(Text, name="tOUorCPPorConsumptionTier")
class TouCppOrConsumptionTier(StrEnum):
    """Which of a reading's three numbers a name belongs to."""

    TOU = "tou"
    CPP = "cpp"
    CONSUMPTION_TIER = "consumptiontier"


# Applications, authorizations, service


@union_of(UInt16)
class DataCustodianApplicationStatus(IntEnum):
    """Where an application stands with the utility."""

    REVIEW = 1
    PRODUCTION = 2
    ON_HOLD = 3
    REVOKED = 4


# The schema's type lost a letter; ours did not.
@union_of(UInt16, name="ThirdPartyApplicatonStatus")
class ThirdPartyApplicationStatus(IntEnum):
    """Where an application stands with its maker."""

    DEVELOPMENT = 1
    REVIEW = 2
    LIVE = 3
    REMOVE = 4


@union_of(UInt16)
class ThirdPartyApplicationType(IntEnum):
    """Where an application runs."""

    WEB = 1
    DESKTOP = 2
    MOBILE = 3
    DEVICE = 4


@union_of(UInt16)
class ThirdPartyApplicationUse(IntEnum):
    """What an application is for."""

    ENERGY_MANAGEMENT = 1
    ANALYTICAL = 2
    GOVERNMENTAL = 3
    ACADEMIC = 4
    LAW_ENFORCEMENT = 5


@union_of(UInt16)
class AuthorizationStatus(IntEnum):
    """Whether a consent is in force."""

    REVOKED = 0
    ACTIVE = 1
    DENIED = 2


@union_of(UInt16)
class ESPIServiceStatus(IntEnum):
    """Whether the service can be used."""

    UNAVAILABLE = 0
    NORMAL = 1


@union_of(UInt16)
class CRUDOperation(IntEnum):
    """What a batch item asks for."""

    CREATE = 0
    READ = 1
    UPDATE = 2
    DELETE = 3


@union_of(UInt16)
class StatusCode(IntEnum):
    """What became of a batch item; the numbers of HTTP."""

    OK = 200
    CREATED = 201
    ACCEPTED = 202
    NO_CONTENT = 204
    MOVED_PERMANENTLY = 301
    REDIRECT = 302
    NOT_MODIFIED = 304
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    GONE = 410
    INTERNAL_SERVER_ERROR = 500


@restriction_of(String32)
class TokenEndPointMethod(StrEnum):
    """How an application proves itself at the token endpoint; the schema knows one way."""

    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105  a word, not a secret


@restriction_of(String32)
class GrantType(StrEnum):
    """How an application comes by a token."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105  a word, not a secret


@restriction_of(String32)
class ResponseType(StrEnum):
    """What the authorization endpoint answers with."""

    CODE = "code"


@restriction_of(String32)
class TokenType(StrEnum):
    """How a token is presented."""

    BEARER = "Bearer"


@restriction_of(String32)
class OAuthError(StrEnum):
    """Why an authorization or token request failed (RFC 6749 4.1.2.1 and 5.2, RFC 7591 3.2.2)."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    INVALID_CLIENT_ID = "invalid_client_id"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
