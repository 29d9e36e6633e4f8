"""Sampling: reservoir and rate, the first rule that matches, shares of clients."""

import pytest
from msgspec.structs import replace

from headgate.model.scope import Scope
from headgate.model.trace import Asked, TraceHeader, parse_trace_header, trace_header
from headgate.telemetry.traces.sampling import Sampler, SamplingRule, matches

_SCOPE = Scope(account_id="000000000000", region="us-east-1")
_ASKED = Asked(
    service_name="orders/prod",
    service_type="AWS::ApiGateway::Stage",
    resource_arn="arn:aws:apigateway:us-east-1::/restapis/a/stages/prod",
    host="api.example.com",
    http_method="GET",
    url_path="/prod/pets/7",
)


class Clock:
    now = 1000.5

    def __call__(self) -> float:
        return self.now


def a_rule(name: str = "rule", **fields: object) -> SamplingRule:
    return SamplingRule(**{"rule_name": name, "priority": 100, "fixed_rate": 0.0, "reservoir_size": 0, **fields})  # type: ignore[arg-type]


def _sampled(sampler: Sampler, times: int, draw: float = 0.5) -> list[bool]:
    return [sampler.decide("000000000000", "us-east-1", _ASKED, draw).sampled for _ in range(times)]


def test_by_default_the_first_request_of_a_second_is_traced_and_a_twentieth_of_the_others() -> None:
    clock = Clock()
    sampler = Sampler(clock)

    assert _sampled(sampler, 3) == [True, False, False]
    assert _sampled(sampler, 1, draw=0.0499) == [True]
    assert _sampled(sampler, 1, draw=0.05) == [False]
    clock.now += 1
    assert _sampled(sampler, 2) == [True, False]


def test_the_first_rule_by_priority_that_matches_decides() -> None:
    sampler = Sampler(Clock())
    sampler.publish(
        _SCOPE,
        [
            a_rule("late", priority=2, fixed_rate=1.0),
            a_rule("never", priority=1, http_method="POST", fixed_rate=1.0),
            a_rule("early", priority=1, fixed_rate=0.0),
        ],
    )

    decision = sampler.decide("000000000000", "us-east-1", _ASKED, 0.0)

    assert (decision.rule_name, decision.sampled) == ("early", False)


def test_rules_of_another_account_or_region_do_not_count() -> None:
    sampler = Sampler(Clock())
    sampler.publish(_SCOPE, [a_rule("all", fixed_rate=1.0)])

    assert sampler.decide("111111111111", "us-east-1", _ASKED, 0.9).rule_name == "Default"
    assert sampler.decide("000000000000", "eu-west-1", _ASKED, 0.9).rule_name == "Default"


@pytest.mark.parametrize(
    ("field", "pattern", "matched"),
    [
        ("service_name", "orders/*", True),
        ("service_name", "ORDERS/PROD", True),
        ("service_name", "orders", False),
        ("url_path", "/prod/pets/?", True),
        ("url_path", "/prod/pets/??", False),
        ("url_path", "*/7", True),
        ("url_path", "*pets*", True),
        ("url_path", "/prod/*/pets", False),
        ("host", "api.example.com", True),
        ("host", "apiXexample.com", False),
        ("service_type", "AWS::Lambda::Function", False),
        ("resource_arn", "arn:aws:apigateway:*:stages/prod", False),
        ("resource_arn", "arn:aws:apigateway:*/stages/prod", True),
    ],
)
def test_a_rule_s_pattern(field: str, pattern: str, matched: bool) -> None:
    assert matches(a_rule(**{field: pattern}), _ASKED) is matched


def test_a_pattern_full_of_stars_costs_no_more_than_its_length_times_the_path() -> None:
    asked = replace(_ASKED, url_path="a" * 8_000)

    assert not matches(a_rule(url_path="*a" * 60 + "b"), asked)


def test_a_rule_with_attributes_matches_nothing_of_the_gateway_s() -> None:
    assert not matches(a_rule(attributes={"team": "a"}), _ASKED)


def test_clients_share_a_reservoir_while_they_report() -> None:
    clock = Clock()
    sampler = Sampler(clock)
    rule = a_rule(reservoir_size=5)

    assert sampler.report(_SCOPE, rule, "a", (10, 5, 1)) == 5
    assert sampler.report(_SCOPE, rule, "b", (2, 1, 0)) == 3
    clock.now += 61
    assert sampler.report(_SCOPE, rule, "b", (0, 0, 0)) == 5
    name, at, tally = sampler.summaries(_SCOPE)[-1]
    assert (name, at, tally.requests, tally.samples, tally.borrows) == ("rule", 1000, 12, 6, 1)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Root=1-58406520-a006649127e371903a2de979", TraceHeader("1-58406520-a006649127e371903a2de979", "", "")),
        (
            "Parent=53995c3f42cd8ad8; Sampled=1;Root=1-58406520-a006649127e371903a2de979;Lineage=x",
            TraceHeader("1-58406520-a006649127e371903a2de979", "53995c3f42cd8ad8", "1"),
        ),
        ("Root=nonsense;Parent=x;Sampled=yes", TraceHeader()),
        ("", TraceHeader()),
    ],
)
def test_a_trace_header_is_read_as_far_as_it_makes_sense(text: str, read: TraceHeader) -> None:
    assert parse_trace_header(text) == read


def test_a_trace_header_is_written_without_a_parent_where_there_is_none() -> None:
    assert trace_header("1-2-3", "", sampled=False) == "Root=1-2-3;Sampled=0"
    assert trace_header("1-2-3", "p", sampled=True) == "Root=1-2-3;Parent=p;Sampled=1"
