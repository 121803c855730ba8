"""The simple types: which text is which value, and what is said of values outside their type."""

import pytest

from espi_server.espi import customer_codes, types
from espi_server.espi.codes import GrantType, ServiceKind, UnitMultiplierKind
from espi_server.espi.types import simple


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (types.Int48, "-140737488355328", -(2**47)),
        (types.Int48, "\n +007\t", 7),
        (types.Boolean, "1", True),
        (types.Boolean, " false ", False),
        (types.Float, "1.5E2", 150.0),
        (types.Float, ".5", 0.5),
        (types.String256, " as it is ", " as it is "),
        (types.Address, " https://example.org ", "https://example.org"),
        (types.DstRuleType, "360E2000", "360E2000"),
        (UnitMultiplierKind, "-3", UnitMultiplierKind.MILLI),
        (UnitMultiplierKind, "10", 10),
        (GrantType, "refresh_token", GrantType.REFRESH_TOKEN),
    ],
)
def test_text_becomes_a_value(kind, text, value):
    assert simple(kind).read(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (types.Int48, ""),
        (types.Int48, "1.0"),
        (types.Int48, "1_000"),
        (types.Int48, "1,000"),
        (types.Int48, "١٢"),
        (types.Int48, "\u00a05"),
        (types.Int48, "9" * 41),
        (types.Boolean, "yes"),
        (types.Float, "NaN"),
        (types.Float, "INF"),
        (types.Float, "1e999"),
        (ServiceKind, "electricity"),
    ],
)
def test_text_of_another_shape_is_refused(kind, text):
    with pytest.raises(ValueError, match="must be"):
        simple(kind).read(text)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (types.Int48, 2**47 + 1, "from -140737488355328 to 140737488355328"),
        (types.UInt8, 256, "from 0 to 255"),
        (types.UInt8, True, "must be a whole number"),
        (types.PerCent, 101, "from 0 to 100"),
        (types.Name, "x" * 65, "at most 64 characters, has 65"),
        (types.HexBinary16, "12345", "even number of hexadecimal digits"),
        (types.HexBinary16, "123456", "at most 4 hexadecimal digits"),
        (types.UUIDType, "ABC", "must match"),
        (types.Boolean, 1, "true or false"),
        (types.Float, float("inf"), "finite"),
        (ServiceKind, 10, "advice: 10 is not one of 0, 1"),
        (ServiceKind, 70000, "from 0 to 65535"),
        (GrantType, "implicit", "'implicit' is not one of authorization_code"),
        (customer_codes.CustomerKind, "castle", "advice: 'castle' is not one of residential"),
        (customer_codes.ServiceKind, "castle", "'castle' is not one of electricity"),
    ],
)
def test_a_value_outside_its_type_is_told_what_would_be_right(kind, value, words):
    assert words in simple(kind).complaint(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.Int48, 2**47),
        (types.UInt8, 0),
        (types.HexBinary16, "FFFF"),
        (ServiceKind, 0),
        (GrantType, "refresh_token"),
    ],
)
def test_a_value_of_its_type_is_left_alone(kind, value):
    assert simple(kind).complaint(value) is None
