"""Metric math: each function, how operators bind, and what is told of an expression that makes no sense."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headgate.telemetry.math_functions  # noqa: F401  it makes the functions known
from headgate.model.metric import MetricKey
from headgate.telemetry.metric_math import MathError, Range, Scope, Series, Value, evaluate, parse
from headgate.telemetry.search import search

_M1 = Series({0: 1.0, 60: 2.0, 180: 4.0}, 60)
_M2 = Series({0: 10.0, 60: 0.0, 120: 30.0, 180: 40.0}, 60)


def _searched(expression: str, statistic: str, period: int) -> list[Series]:
    return [Series({0: float(len(expression))}, period, statistic)]


_SCOPE = Scope(
    known={"m1": _M1, "m2": _M2}, metrics={"m1": _M1, "m2": _M2}, asked=Range(0, 240), search=_searched, period=60
)


def _value(text: str) -> Value:
    return evaluate(parse(text), _SCOPE)


def _values(text: str) -> dict[int, float]:
    value = _value(text)
    assert isinstance(value, Series), text
    return dict(value.values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("2 - -1", 3.0),
        ("10 / 4 - 1", 1.5),
        ("1 < 2 AND 2 < 1", 0.0),
        ("1 < 2 || 2 < 1", 1.0),
        ("SUM(m1)", 7.0),
        ("AVG(m1)", 7 / 3),
        ("MIN(m1)", 1.0),
        ("MAX(m1)", 4.0),
        ("STDDEV(m2)", 15.811388),
        ("DATAPOINT_COUNT(m1)", 3.0),
        ("METRIC_COUNT(METRICS())", 2.0),
        ("PERIOD(m1)", 60.0),
        ("ABS(-1.5)", 1.5),
        ("CEIL(1.2) + FLOOR(1.8)", 3.0),
        ("IF(1 > 0, 5, 6)", 5.0),
    ],
)
def test_a_number(text: str, expected: float) -> None:
    assert _value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 + 1", {0: 2, 60: 3, 180: 5}),
        ("100 * m1 / m2", {0: 10, 180: 10}),
        ("m1 >= 2", {0: 0, 60: 1, 180: 1}),
        ("SUM(METRICS())", {0: 11, 60: 2, 120: 30, 180: 44}),
        ('SUM(METRICS("2"))', {0: 10, 60: 0, 120: 30, 180: 40}),
        ("MAX([m1, m2])", {0: 10, 60: 2, 120: 30, 180: 40}),
        ("FILL(m1, 0)", {0: 1, 60: 2, 120: 0, 180: 4}),
        ("FILL(m1, REPEAT)", {0: 1, 60: 2, 120: 2, 180: 4}),
        ("FILL(m1, LINEAR)", {0: 1, 60: 2, 120: 3, 180: 4}),
        ("FILL(m1, m2)", {0: 1, 60: 2, 120: 30, 180: 4}),
        ("IF(m2 > 5, m1)", {0: 1, 180: 4}),
        ("IF(m2 > 5, m1, 0 - 1)", {0: 1, 60: -1, 180: 4}),
        ("RATE(m1)", {60: 1 / 60, 180: 2 / 120}),
        ("DIFF(m1)", {60: 1, 180: 2}),
        ("DIFF_TIME(m1)", {60: 60, 180: 120}),
        ("RUNNING_SUM(m1)", {0: 1, 60: 3, 180: 7}),
        ("LOG10(m2)", {0: 1, 120: 1.477121, 180: 1.60206}),
        ("LOG(m1)", {0: 0, 60: 0.693147, 180: 1.386294}),
        ("TIME_SERIES(3)", {0: 3, 60: 3, 120: 3, 180: 3}),
        ("FIRST([m1, m2])", dict(_M1.values)),
        ("LAST([m1, m2])", dict(_M2.values)),
        ("FIRST(SORT([m1, m2], AVG, DESC))", dict(_M2.values)),
        ("FIRST(SLICE([m1, m2], 1))", dict(_M2.values)),
        ('SUM(SEARCH("{X} a", "Sum", 60))', {0: 5}),
    ],
)
def test_a_series(text: str, expected: dict[int, float]) -> None:
    assert _values(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends too early"),
        ("m1 +", "ends too early"),
        ("(m1", "not closed"),
        ("m1 m2", "Unexpected 'm2'"),
        ("m1 ; m2", "Unexpected ';' at position 2"),
        ("m9 + 1", "'m9' is no number and no time series"),
        ("NOPE(m1)", "The function NOPE is not known"),
        ("RATE(1)", "RATE is called wrongly"),
        ("FILL(m1, WRONG)", "FILL is called wrongly"),
        ("[m1] + [m2]", "cannot take two arrays"),
        ("1 / 0", "has no value"),
        ("(" * 100 + "1" + ")" * 100, "nested more than"),
        ("1" + "+1" * 900, "more than 250 operators"),
        ("1" + " " * 3000, "it may have 2048"),
    ],
)
def test_what_is_told_of_a_wrong_expression(text: str, told: str) -> None:
    with pytest.raises(MathError, match=told.replace("(", r"\(").replace(")", r"\)")):
        _value(text)


@given(st.text(alphabet="m12 +-*/^()[],<>=&|\"'.eSUMFILOGRATEKN_", max_size=60))
def test_nothing_that_a_client_writes_gives_anything_but_a_value_or_an_error(text: str) -> None:
    with suppress(MathError, OverflowError, ValueError):
        _value(text)


def _key(name: str, namespace: str = "AWS/ApiGateway", **dimensions: str) -> MetricKey:
    return MetricKey(
        account_id="0" * 12,
        region="us-east-1",
        namespace=namespace,
        name=name,
        dimensions=tuple(sorted(dimensions.items())),
    )


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('{AWS/ApiGateway,ApiName,Stage} MetricName="Count"', True),
        ("{AWS/ApiGateway,Stage,ApiName} Count", True),
        ("{AWS/ApiGateway,ApiName} Count", False),
        ("{AWS/Lambda,ApiName,Stage}", False),
        ("orders", True),
        ('"order"', False),
        ("Stage=prod/Canary", True),
        ('Stage="prod"', False),
        ("Stage=prod", True),
        ("NOT Stage=prod", False),
        ("Count OR Latency", True),
        ("Latency AND orders", False),
        ("MetricName=(Latency OR Count) orders", True),
        ("(Latency OR Count) NOT carts", True),
        ("Namespace=AWS/ApiGateway", True),
    ],
)
def test_a_search_for_the_count_of_a_canary(expression: str, found: bool) -> None:
    assert search(expression)(_key("Count", ApiName="orders", Stage="prod/Canary")) is found


@pytest.mark.parametrize("expression", ["{}", "(Count", "Count)", "=x", "a=", "x" * 1100, "(" * 70 + "a" + ")" * 70])
def test_what_is_no_search(expression: str) -> None:
    with pytest.raises(MathError):
        search(expression)
