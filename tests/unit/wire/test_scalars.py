"""Scalars in their several spellings."""

import math

import pytest

from headgate.model.errors import ApiError
from headgate.wire.rest_json import split_header
from headgate.wire.scalars import READERS, iso8601, json_double, json_timestamp, rfc822

NOON = 1432987200.0  # 2015-05-30T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2015-05-30T12:00:00Z",
        "2015-05-30T14:00:00+02:00",
        "2015-05-30T12:00:00.000",
        "Sat, 30 May 2015 12:00:00 GMT",
        "1432987200",
        "1.4329872e9",
        NOON,
        int(NOON),
    ],
)
def test_a_moment_is_read_in_each_of_its_formats(text: object) -> None:
    assert READERS["timestamp"](text) == NOON


@pytest.mark.parametrize(
    "text",
    ["", "soon", "NaN", "1e300", 1e300, math.nan, True, "9999-12-31T23:59:59-14:00", "Sat, 31 Feb 2015 12:00:00 GMT"],
)
def test_what_is_no_moment_is_refused(text: object) -> None:
    with pytest.raises(ApiError, match="can not be converted to an Timestamp"):
        READERS["timestamp"](text)


@pytest.mark.parametrize(
    ("seconds", "iso", "http"),
    [
        (NOON, "2015-05-30T12:00:00Z", "Sat, 30 May 2015 12:00:00 GMT"),
        (NOON + 0.25, "2015-05-30T12:00:00.250Z", "Sat, 30 May 2015 12:00:00 GMT"),
        (NOON + 0.000128, "2015-05-30T12:00:00.000128Z", "Sat, 30 May 2015 12:00:00 GMT"),
        (-62135596800.0, "0001-01-01T00:00:00Z", "Mon, 01 Jan 0001 00:00:00 GMT"),
    ],
)
def test_a_moment_is_written_in_each_of_its_formats(seconds: float, iso: str, http: str) -> None:
    assert (iso8601(seconds), rfc822(seconds)) == (iso, http)


def test_a_whole_second_is_written_as_an_integer() -> None:
    assert (repr(json_timestamp(NOON)), json_timestamp(NOON + 0.5)) == ("1432987200", NOON + 0.5)


@pytest.mark.parametrize(
    ("kind", "value", "number"),
    [
        ("integer", "25", 25),
        ("integer", 25.0, 25),
        ("integer", "25.0", 25),
        ("integer", -(2**31), -(2**31)),
        ("long", str(2**63 - 1), 2**63 - 1),
        ("double", "25", 25.0),
        ("double", "-Infinity", -math.inf),
    ],
)
def test_a_number_is_read_from_whatever_can_only_mean_it(kind: str, value: object, number: float) -> None:
    read = READERS[kind](value)

    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 2**31),
        ("integer", 1.5),
        ("integer", "0x10"),
        ("integer", "٣"),
        ("integer", "1_000"),
        ("integer", "9" * 5000),
        ("integer", math.nan),
        ("integer", True),
        ("long", 2**63),
        ("double", "1,5"),
        ("double", False),
        ("boolean", 1),
        ("boolean", "yes"),
        ("string", 1.0),
    ],
)
def test_what_could_mean_something_else_is_refused(kind: str, value: object) -> None:
    with pytest.raises(ApiError, match=r"^class \S+ can not be converted to an "):
        READERS[kind](value)


def test_a_binary_value_has_to_be_base64() -> None:
    assert READERS["blob"]("aGk=") == b"hi"
    for text in ("aGk", "a-_=", "é"):
        with pytest.raises(ApiError, match="not base64"):
            READERS["blob"](text)


def test_numbers_that_json_lacks_are_written_as_the_models_words() -> None:
    assert [json_double(x) for x in (math.inf, -math.inf, math.nan, 50)] == ["Infinity", "-Infinity", "NaN", 50.0]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        ('"a,b", "c\\"d",e', ["a,b", 'c"d', "e"]),
    ],
)
def test_a_header_list_is_parted_by_commas_outside_quotes(text: str, items: list[str]) -> None:
    assert split_header(text) == items


def test_a_quote_that_does_not_end_is_refused() -> None:
    with pytest.raises(ApiError, match="does not end"):
        split_header('a, "b\\')
