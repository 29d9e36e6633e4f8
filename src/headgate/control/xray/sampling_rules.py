"""Sampling rules. A change is in force for the gateway's requests when it is answered."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from headgate.control.xray.errors import invalid
from headgate.control.xray.ports import XrayPorts
from headgate.control.xray.tags import begin_tags, end_tags
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import all_settings, delete_setting, put_setting, settings
from headgate.telemetry.traces.sampling import DEFAULT_RULE, Sampler, SamplingRule, in_order
from headgate.telemetry.traces.store import TraceStore

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

MAX_RULES: Final = 25  # beside the default one
_RULE: Final = "sampling-rule"
_FIELDS: Final[Mapping[str, str]] = {
    "ResourceARN": "resource_arn",
    "Priority": "priority",
    "FixedRate": "fixed_rate",
    "ReservoirSize": "reservoir_size",
    "Host": "host",
    "ServiceName": "service_name",
    "ServiceType": "service_type",
    "HTTPMethod": "http_method",
    "URLPath": "url_path",
    "Attributes": "attributes",
}
"""What an update may change, by its name on the wire."""


async def load_rules(traces: TraceStore, sampler: Sampler) -> None:
    """Have the sampler go by what is stored, at the start."""
    by_scope: dict[Scope, list[SamplingRule]] = {}
    for scope, body in await traces.read(lambda connection: all_settings(connection, _RULE)):
        by_scope.setdefault(scope, []).append(msgspec.convert(body, SamplingRule))
    for scope, rules in by_scope.items():
        sampler.publish(scope, rules)


async def create_sampling_rule(
    ports: XrayPorts, scope: Scope, now: float, request: "shapes.CreateSamplingRuleRequest"
) -> Mapping[str, Any]:
    given = request["SamplingRule"]
    name = given.get("RuleName")
    if name is None or "RuleARN" in given:
        raise invalid("A new rule has a RuleName and no RuleARN.")
    if given["Version"] != 1:
        raise invalid(f"Version is {given['Version']}; only 1 is supported")
    rule = _edited(
        SamplingRule(rule_name=name, priority=1, fixed_rate=0.0, reservoir_size=0, created_at=now), given, now
    )

    def act(connection: sqlite3.Connection) -> list[SamplingRule]:
        rules = _rules(connection, scope)
        if name == DEFAULT_RULE.rule_name or any(each.rule_name == name for each in rules):
            raise invalid(f"Sampling rule {name} already exists.")
        if len([each for each in rules if each.rule_name != DEFAULT_RULE.rule_name]) >= MAX_RULES:
            raise ApiError("RuleLimitExceededException", f"There can be {MAX_RULES} sampling rules.")
        _put(connection, scope, rule)
        begin_tags(connection, scope, _arn(scope, name), request.get("Tags", ()))
        return [*rules, rule]

    ports.sampler.publish(scope, await ports.traces.write(act))
    return {"SamplingRuleRecord": _record(scope, rule)}


async def update_sampling_rule(
    ports: XrayPorts, scope: Scope, now: float, request: "shapes.UpdateSamplingRuleRequest"
) -> Mapping[str, Any]:
    update = request["SamplingRuleUpdate"]

    def act(connection: sqlite3.Connection) -> tuple[SamplingRule, list[SamplingRule]]:
        rules = _rules(connection, scope)
        before = _named(scope, [*rules, DEFAULT_RULE], update)
        if before.rule_name == DEFAULT_RULE.rule_name and (fixed := set(update) & (set(_FIELDS) - _OF_THE_DEFAULT)):
            raise invalid(f"{min(fixed)} of the default rule cannot be changed; its FixedRate and ReservoirSize can.")
        rule = _edited(before, update, now)
        _put(connection, scope, rule)
        return rule, [*(each for each in rules if each.rule_name != rule.rule_name), rule]

    rule, rules = await ports.traces.write(act)
    ports.sampler.publish(scope, rules)
    return {"SamplingRuleRecord": _record(scope, rule)}


async def delete_sampling_rule(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.DeleteSamplingRuleRequest"
) -> Mapping[str, Any]:
    def act(connection: sqlite3.Connection) -> tuple[SamplingRule, list[SamplingRule]]:
        rules = _rules(connection, scope)
        rule = _named(scope, [*rules, DEFAULT_RULE], request)
        if rule.rule_name == DEFAULT_RULE.rule_name:
            raise invalid("The default rule cannot be deleted.")
        delete_setting(connection, _RULE, scope, rule.rule_name)
        end_tags(connection, scope, _arn(scope, rule.rule_name))
        return rule, [each for each in rules if each is not rule]

    rule, rules = await ports.traces.write(act)
    ports.sampler.publish(scope, rules)
    return {"SamplingRuleRecord": _record(scope, rule)}


async def get_sampling_rules(
    ports: XrayPorts, scope: Scope, _now: float, _request: "shapes.GetSamplingRulesRequest"
) -> Mapping[str, Any]:
    """All of them, in the order in which they are tried."""
    rules = await ports.traces.read(lambda connection: _rules(connection, scope))
    return {"SamplingRuleRecords": [_record(scope, rule) for rule in in_order(rules)]}


def rules_by_name(connection: sqlite3.Connection, scope: Scope) -> Mapping[str, SamplingRule]:
    return {rule.rule_name: rule for rule in in_order(_rules(connection, scope))}


_OF_THE_DEFAULT: Final = frozenset({"FixedRate", "ReservoirSize"})


def _rules(connection: sqlite3.Connection, scope: Scope) -> list[SamplingRule]:
    """As stored: the default one only where it was changed."""
    return [msgspec.convert(body, SamplingRule) for body in settings(connection, _RULE, scope).values()]


def _put(connection: sqlite3.Connection, scope: Scope, rule: SamplingRule) -> None:
    put_setting(connection, _RULE, scope, rule.rule_name, msgspec.to_builtins(rule))


def _edited(rule: SamplingRule, given: Mapping[str, Any], now: float) -> SamplingRule:
    if "SamplingRateBoost" in given:
        raise invalid("SamplingRateBoost is not served; leave it out")
    changed = {field: given[name] for name, field in _FIELDS.items() if name in given}
    return replace(rule, **changed, modified_at=now)


def _named(scope: Scope, rules: list[SamplingRule], given: Mapping[str, Any]) -> SamplingRule:
    """By name or ARN, one of the two. Raises ApiError."""
    name, arn = given.get("RuleName"), given.get("RuleARN")
    if (name is None) == (arn is None):
        raise invalid("Exactly one of RuleName and RuleARN must be given.")
    found = next((each for each in rules if name == each.rule_name or arn == _arn(scope, each.rule_name)), None)
    if found is None:
        raise invalid(f"Sampling rule {name or arn} does not exist.")
    return found


def _arn(scope: Scope, name: str) -> str:
    return f"arn:aws:xray:{scope.region}:{scope.account_id}:sampling-rule/{name}"


def _record(scope: Scope, rule: SamplingRule) -> dict[str, Any]:
    shown = {name: getattr(rule, field) for name, field in _FIELDS.items()}
    return {
        "SamplingRule": {
            "RuleName": rule.rule_name,
            "RuleARN": _arn(scope, rule.rule_name),
            "Version": 1,
            **shown,
        },
        "CreatedAt": rule.created_at,
        "ModifiedAt": rule.modified_at,
    }
