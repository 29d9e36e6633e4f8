"""Event patterns: which events a filter lets through (Developer Guide, "Filter rule syntax").

A pattern has the form of an event. Its leaves are lists of what the value there may be: a value itself, or a rule such
as `{"prefix": "x"}`. All named fields must fit, each by any item of its list; an event's list fits by any of its items.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

_ABSENT: Final = object()
_COMPARISONS: Final = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_RULES: Final = "prefix, suffix, anything-but, equals-ignore-case, exists, numeric"


class BadPattern(ValueError):
    """The text is no pattern; the message says why."""


def parse_pattern(text: str) -> Mapping[str, Any]:
    """A pattern from its JSON. Raises BadPattern."""
    try:
        pattern = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadPattern(f"it is not JSON: {error}") from error
    if not isinstance(pattern, dict):
        raise BadPattern("it is not an object")
    _check(pattern)
    return pattern


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether an event fits a pattern of `parse_pattern`."""
    fields = event if isinstance(event, dict) else {}
    return all(
        any(matches(each, fields) for each in wanted)
        if name == "$or"
        else _field_fits(wanted, fields.get(name, _ABSENT))
        for name, wanted in pattern.items()
    )


def _field_fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        if isinstance(value, list):
            return any(matches(wanted, item) for item in value)
        return matches(wanted, value)
    values = value if isinstance(value, list) and value else [value]
    return any(_fits(rule, each) for rule in wanted for each in values)


def _fits(rule: Any, value: Any) -> bool:
    if not isinstance(rule, dict):
        return _same(rule, value)
    ((name, operand),) = rule.items()
    match name:
        case "exists":
            return (value is not _ABSENT) is operand
        case "prefix" if isinstance(operand, dict):
            folded = operand["equals-ignore-case"].lower()
            return isinstance(value, str) and value.lower().startswith(folded)
        case "prefix":
            return isinstance(value, str) and value.startswith(operand)
        case "suffix" if isinstance(operand, dict):
            return isinstance(value, str) and value.lower().endswith(operand["equals-ignore-case"].lower())
        case "suffix":
            return isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case":
            return isinstance(value, str) and value.lower() == operand.lower()
        case "numeric":
            return _is_number(value) and all(
                _COMPARISONS[comparison](value, number)
                for comparison, number in zip(operand[::2], operand[1::2], strict=True)
            )
        case _:  # anything-but
            if value is _ABSENT:
                return False
            if isinstance(operand, dict):
                return not _fits(operand, value)
            return not any(_same(each, value) for each in (operand if isinstance(operand, list) else [operand]))


def _same(wanted: Any, value: Any) -> bool:
    if _is_number(wanted) or _is_number(value):
        return _is_number(wanted) and _is_number(value) and bool(wanted == value)
    return type(wanted) is type(value) and bool(wanted == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(pattern: Mapping[str, Any]) -> None:
    for name, wanted in pattern.items():
        if name == "$or":
            if not isinstance(wanted, list) or not wanted or not all(isinstance(each, dict) for each in wanted):
                raise BadPattern("$or takes a list of patterns")
            for each in wanted:
                _check(each)
        elif isinstance(wanted, dict):
            _check(wanted)
        elif not isinstance(wanted, list) or not wanted:
            raise BadPattern(f"the field {name!r} needs a list of values or rules, or a pattern for what is in it")
        else:
            for rule in wanted:
                _check_rule(name, rule)


def _check_rule(field: str, rule: Any) -> None:
    if isinstance(rule, list):
        raise BadPattern(f"the field {field!r} has a list in its list")
    if not isinstance(rule, dict):
        return
    if len(rule) != 1:
        raise BadPattern(f"a rule of {field!r} names {len(rule)} things; each rule has one of {_RULES}")
    ((name, operand),) = rule.items()
    match name:
        case "exists":
            good = isinstance(operand, bool)
        case "prefix" | "suffix":
            good = isinstance(operand, str) or _is_ignoring_case(operand)
        case "equals-ignore-case":
            good = isinstance(operand, str)
        case "numeric":
            good = _is_numeric_range(operand)
        case "anything-but":
            good = _is_anything_but(operand)
        case _:
            raise BadPattern(f"the rule {name!r} of {field!r} is unknown; there are {_RULES}")
    if not good:
        raise BadPattern(f"the rule {name!r} of {field!r} has an operand that it cannot have")


def _is_ignoring_case(operand: Any) -> bool:
    return isinstance(operand, dict) and [*operand] == ["equals-ignore-case"] and isinstance(
        operand["equals-ignore-case"], str
    )  # fmt: skip


def _is_numeric_range(operand: Any) -> bool:
    return (
        isinstance(operand, list)
        and len(operand) in {2, 4}
        and all(isinstance(each, str) and each in _COMPARISONS for each in operand[::2])
        and all(_is_number(each) for each in operand[1::2])
    )


def _is_anything_but(operand: Any) -> bool:
    if isinstance(operand, dict):
        return (
            len(operand) == 1
            and next(iter(operand)) in {"prefix", "suffix", "equals-ignore-case"}
            and isinstance(next(iter(operand.values())), str)
        )
    values = operand if isinstance(operand, list) else [operand]
    return bool(values) and all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in values)
