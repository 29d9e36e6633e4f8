"""What is kept of ways to call functions: as long as they are used, and not for ever."""

from headgate.model.arn import FunctionRef
from headgate.telemetry.function_metrics import FunctionMeters

_HOUR: int = 3600  # flushes


def _ref(qualifier: str) -> FunctionRef:
    return FunctionRef(account_id="000000000000", region="us-east-1", name="orders", qualifier=qualifier)


def test_a_way_to_call_that_nobody_used_for_an_hour_is_forgotten_and_the_others_are_not() -> None:
    meters = FunctionMeters(clock=lambda: 0.0)
    used, left = meters.of(_ref("live"), "2"), meters.of(_ref("1"), "1")
    left.end(left.begin(), failed=False)
    for _ in range(_HOUR):
        used.end(used.begin(), failed=False)
        meters.take()
        assert meters.of(_ref("1"), "1") is left

    used.end(used.begin(), failed=False)
    meters.take()

    assert repr(meters) == "<FunctionMeters 1 ways to call 1 functions>"
    assert meters.of(_ref("live"), "2") is used
    assert meters.of(_ref("1"), "1") is not left


def test_a_function_that_nobody_calls_any_more_is_forgotten_but_not_while_a_call_runs() -> None:
    meters = FunctionMeters(clock=lambda: 0.0)
    meter = meters.of(_ref(""), "$LATEST")
    began = meter.begin()
    for _ in range(_HOUR + 1):
        meters.take()
    assert repr(meters) == "<FunctionMeters 0 ways to call 1 functions>"

    meter.end(began, failed=False)
    other = meters.of(_ref("live"), "1")
    other.end(other.begin(), failed=False)
    for _ in range(_HOUR + 1):
        meters.take()

    assert repr(meters) == "<FunctionMeters 0 ways to call 0 functions>"
