from dataclasses import dataclass

import pytest

from headgate.model.alarm import AlarmValue, MetricAlarm
from headgate.telemetry.alarm_evaluation import (
    Datapoint,
    Evaluation,
    MissingData,
    decide,
    evaluate,
    evaluation_range,
    interval_s,
    least_samples,
)
from headgate.telemetry.alarm_reason import reason

_STATES = {"OK": AlarmValue.OK, "ALARM": AlarmValue.ALARM, "NODATA": AlarmValue.INSUFFICIENT_DATA, "keep": None}
_SEEN = {"0": False, "X": True, "-": None}


@dataclass(frozen=True)
class _Row:
    needed: int
    seen: str  # oldest first: 0 within bounds, X breaching, - missing
    missing: str
    ignore: str
    breaching: str
    not_breaching: str


# The documented outcomes (aws-semantics 8.1), N = 3.
_TABLE = [
    _Row(3, "0 - X - X", "OK", "OK", "OK", "OK"),
    _Row(3, "0 - - - -", "OK", "OK", "OK", "OK"),
    _Row(3, "- - - - -", "NODATA", "keep", "ALARM", "OK"),
    _Row(3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    _Row(3, "- - X - -", "ALARM", "keep", "ALARM", "OK"),
    _Row(2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    _Row(2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    _Row(2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
    _Row(2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
    _Row(2, "- - - X -", "ALARM", "keep", "ALARM", "OK"),
]


def _seen(text: str) -> list[bool | None]:
    return [_SEEN[each] for each in text.split()]


@pytest.mark.parametrize("row", _TABLE, ids=lambda row: f"{row.needed} of 3: {row.seen}")
def test_the_documented_table(row: _Row) -> None:
    outcomes = [decide(_seen(row.seen), 3, row.needed, mode) for mode in MissingData]

    assert outcomes == [_STATES[each] for each in (row.missing, row.ignore, row.breaching, row.not_breaching)]


@pytest.mark.parametrize(
    ("seen", "needed", "missing", "ignore"),
    [
        pytest.param("- - - - X", 3, "OK", "keep", id="one breach that is new is no alarm yet"),
        pytest.param("- - - X X", 3, "OK", "keep", id="nor are two"),
        pytest.param("- - X X -", 3, "ALARM", "keep", id="the oldest is old enough, and nothing since says otherwise"),
        pytest.param("X - - - -", 3, "OK", "keep", id="a breach of before the last N periods makes no alarm"),
        pytest.param("- - - - X", 1, "ALARM", "ALARM", id="one is all that is needed"),
    ],
)
def test_breaches_alone_and_too_few(seen: str, needed: int, missing: str, ignore: str) -> None:
    outcomes = [decide(_seen(seen), 3, needed, mode) for mode in (MissingData.MISSING, MissingData.IGNORE)]

    assert outcomes == [_STATES[missing], _STATES[ignore]]


def _alarm(**options: object) -> MetricAlarm:
    given: dict[str, object] = {
        "evaluation_periods": 1,
        "threshold": 1.0,
        "comparison_operator": "GreaterThanThreshold",
        "namespace": "Shop",
        "metric_name": "Orders",
        "statistic": "Sum",
        "period": 60,
    }
    return MetricAlarm(
        account_id="000000000000",
        region="us-east-1",
        alarm_name="a",
        alarm_configuration_updated_timestamp=0.0,
        **{**given, **options},  # type: ignore[arg-type]
    )


_AT = 1_728_568_500  # 2024-10-10 13:55:00 UTC


def _points(*values: float | None, samples: float | None = None) -> list[Datapoint | None]:
    return [
        None if value is None else Datapoint(at=_AT + 60 * number, value=value, samples=samples)
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("operator", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [1.0, 2.0]),
        ("GreaterThanThreshold", [2.0]),
        ("LessThanThreshold", [0.0]),
        ("LessThanOrEqualToThreshold", [0.0, 1.0]),
    ],
)
def test_the_comparison_operators(operator: str, breaching: list[float]) -> None:
    alarm = _alarm(comparison_operator=operator)

    found = [value for value in (0.0, 1.0, 2.0) if evaluate(alarm, _points(value)).value is AlarmValue.ALARM]

    assert found == breaching


def test_a_percentile_of_few_values_changes_nothing_where_the_alarm_says_so() -> None:
    alarm = _alarm(statistic=None, extended_statistic="p90", evaluate_low_sample_count_percentile="ignore")

    assert evaluate(alarm, _points(5.0, samples=99.0)).value is None
    assert evaluate(alarm, _points(5.0, samples=100.0)).value is AlarmValue.ALARM
    assert evaluate(_alarm(extended_statistic="p90"), _points(5.0, samples=1.0)).value is AlarmValue.ALARM


@pytest.mark.parametrize(
    ("statistic", "least"), [("p90", 100), ("p50", 20), ("p10", 100), ("p100", 0), ("tm99", 0), ("", 0)]
)
def test_how_many_values_a_percentile_needs(statistic: str, least: float) -> None:
    assert least_samples(statistic) == pytest.approx(least)


def test_the_range_ends_with_the_moment_and_has_two_periods_more_than_are_needed() -> None:
    assert list(evaluation_range(_alarm(evaluation_periods=3), 60, 600)) == [300, 360, 420, 480, 540]


@pytest.mark.parametrize(("period", "interval"), [(10, 10), (30, 10), (60, 60), (300, 60)])
def test_how_often_an_alarm_is_evaluated(period: int, interval: int) -> None:
    assert interval_s(period) == interval


def _evaluated(alarm: MetricAlarm, *values: float | None) -> Evaluation:
    return evaluate(alarm, _points(*values))


@pytest.mark.parametrize(
    ("alarm", "values", "before", "told"),
    [
        pytest.param(
            _alarm(),
            (5.0,),
            AlarmValue.OK,
            "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (10/10/24 13:55:00)] was greater than the "
            "threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).",
            id="as recorded",
        ),
        pytest.param(
            _alarm(evaluation_periods=3, datapoints_to_alarm=2),
            (5.0, 0.0, 6.0),
            AlarmValue.OK,
            "Threshold Crossed: 2 out of the last 3 datapoints [6.0 (10/10/24 13:57:00), 5.0 (10/10/24 13:55:00)] were "
            "greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).",
            id="two of three, newest first",
        ),
        pytest.param(
            _alarm(evaluation_periods=3, datapoints_to_alarm=2),
            (5.0, 0.0, 1.0),
            AlarmValue.ALARM,
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (10/10/24 13:57:00), 0.0 (10/10/24 13:56:00)] were "
            "not greater than the threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition).",
            id="back to OK",
        ),
        pytest.param(
            _alarm(evaluation_periods=2),
            (None, None),
            AlarmValue.OK,
            "Insufficient Data: 2 datapoints were unknown.",
            id="nothing known",
        ),
        pytest.param(
            _alarm(evaluation_periods=3, treat_missing_data="breaching"),
            (None, None, None),
            AlarmValue.OK,
            "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
            "[Breaching].",
            id="nothing, which is bad",
        ),
        pytest.param(
            _alarm(evaluation_periods=2, treat_missing_data="breaching"),
            (5.0, None),
            AlarmValue.OK,
            "Threshold Crossed: 1 out of the last 2 datapoints [5.0 (10/10/24 13:55:00)] was greater than the "
            "threshold (1.0) and 1 missing datapoint was treated as [Breaching] "
            "(minimum 2 datapoints for OK -> ALARM transition).",
            id="one that is known, one that is filled",
        ),
    ],
)
def test_the_reason(alarm: MetricAlarm, values: tuple[float | None, ...], before: AlarmValue, told: str) -> None:
    assert reason(alarm, _evaluated(alarm, *values), before) == told
