"""The first of AWS's two layers of validation: what the service model itself forbids, all failures in one error.

The texts are those of AWS's front end, recorded in reference `aws-recorded.md`, "Error shape" (API Gateway), and
`aws-semantics.md` 9.2 (Lambda's maps). The second layer, what an operation means, belongs to the control plane.
Checks are closures compiled per shape, and a shape with nothing to check has none: a valid request pays for little.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate.model.errors import ApiError
from headgate.model.value import Value
from headgate.wire.schema import Model, OperationModel, Reference, Shape

Failure = tuple[str, str, str]  # path below the value checked, the value as told, the constraint
Check = Callable[[Any], list[Failure]]
Validate = Callable[[Mapping[str, Any]], None]


class Rules(Value, frozen=True):
    """How far a service's first layer goes, and what it calls a failure."""

    code: str = "ValidationException"
    bounds: bool = True  # lengths, ranges and required members; without, only required members outside the body
    body_prefix: bool = False  # members of the body are told as `updateStageInput.x`, the others bare
    forbids_null_elements: bool = True  # says so among the constraints of a list's or map's elements


_RULES: Final = {
    "apigateway": Rules(bounds=False, body_prefix=True, forbids_null_elements=False),
    "cloudwatch": Rules(code="ValidationError"),
    "lambda": Rules(),
    "logs": Rules(code="InvalidParameterException"),
    "sts": Rules(code="ValidationError"),
    "xray": Rules(code="InvalidRequestException"),
}

# AWS tells an enum's values in an order of its own, which for these is recorded and is not the model's.
_TOLD_ENUMS: Final = {
    ("apigateway", "Op"): ("add", "remove", "move", "test", "replace", "copy"),
    ("apigateway", "IntegrationType"): ("HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"),
    ("apigateway", "EndpointType"): ("PRIVATE", "EDGE", "REGIONAL"),
}

# What Java's patterns in the models have and Python's have not. The classes stand inside [] there, beside `_`.
_FROM_JAVA: Final = {r"\p{L}": r"\w", r"\p{N}": "", r"\p{Z}": r"\s", r"\w-_": r"\w\-_"}


class Validators:
    """Compiles the validators of one service's operations; what operations share is compiled once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rules = _RULES.get(model.service, Rules())
        self._checks = _Checks(model, self._rules)

    def validator(self, operation: OperationModel) -> Validate | None:
        """A function that raises ApiError for a request the model forbids; None where the model forbids nothing."""
        if operation.input is None:
            return None
        code = self._rules.code
        prefix = f"{_camel(operation.name)}Input." if self._rules.body_prefix else ""
        shape = self._model.shape(operation.input)
        check = self._checks.members(shape, lambda reference: prefix if reference.location is None else "")
        if check is None:
            return None

        def validate(values: Mapping[str, Any]) -> None:
            if failures := check(values):
                raise ApiError(code, _message(failures))

        return validate


def compiled_pattern(pattern: str) -> re.Pattern[str] | None:
    """A model's pattern for Python's fullmatch, which is Java's `matches`; None where Python has no words for it.

    `\\w` and `\\d` are ASCII in Java, but letters of all scripts have to pass where they stand for `\\p{L}`.
    """
    python = pattern
    for theirs, ours in _FROM_JAVA.items():
        python = python.replace(theirs, ours)
    if r"\p{" in python:
        return None
    return re.compile(python, 0 if r"\p{" in pattern else re.ASCII)


def _message(failures: list[Failure]) -> str:
    count = f"{len(failures)} validation error{'s' if len(failures) > 1 else ''} detected: "
    return count + "; ".join(
        f"Value {value}at '{path}' failed to satisfy constraint: {why}" for path, value, why in failures
    )


class _Checks:
    """Compiles the checks of one service's shapes."""

    def __init__(self, model: Model, rules: Rules) -> None:
        self._model = model
        self._rules = rules
        self._made: dict[str, Check | None] = {}

    def members(self, shape: Shape, prefix: Callable[[Reference], str]) -> Check | None:
        """The check of a structure; `prefix` is put before the path of each member."""
        named = []
        # The body's failures are told before the path's, as recorded.
        for name, reference in sorted(shape.members.items(), key=lambda each: each[1].location is not None):
            check = self._check(reference.shape)
            if check is not None:
                named.append((name, prefix(reference) + _camel(name), check))
        required = [
            (name, prefix(shape.members[name]) + _camel(name))
            for name in shape.required
            if name in shape.members and (self._rules.bounds or shape.members[name].location is not None)
        ]
        if not named and not required:
            return None

        def check_members(values: Mapping[str, Any]) -> list[Failure]:
            failures: list[Failure] = []
            for name, path in required:
                if name not in values:
                    failures.append((path, "null ", "Member must not be null"))
            for name, path, check in named:
                if (value := values.get(name)) is not None and (found := check(value)):
                    failures.extend((path + below, told, why) for below, told, why in found)
            return failures

        return check_members

    def _check(self, name: str) -> Check | None:
        if name not in self._made:
            # A shape may contain itself: what is compiled meanwhile looks the finished check up when called.
            self._made[name] = lambda value: check(value) if (check := self._made[name]) else []
            self._made[name] = self._compile(name)
        return self._made[name]

    def _compile(self, name: str) -> Check | None:
        shape = self._model.shapes[name]
        match shape.type:
            case "structure" if shape.document or shape.eventstream:
                return None
            case "structure":
                return self.members(shape, lambda _: ".")
            case "list" | "map":
                return self._collection(name, shape)
            case _:
                return _each(shape, self._constraints(name))

    def _collection(self, name: str, shape: Shape) -> Check | None:
        """Lists and maps: their size, then their elements; scalars are told with the whole, structures one by one."""
        element = shape.member or shape.value
        assert element is not None
        sizes = _each(shape, self._constraints(name))
        inner = self._model.shape(element)
        if inner.type in {"structure", "list", "map"}:
            below = self._check(element.shape)
            elements = None if below is None else _elements(below)
        else:
            what = "Map value" if shape.type == "map" else "Member"
            elements = self._whole(shape, what, self._constraints(element.shape))
        keys = None if shape.key is None else self._whole(shape, "Map keys", self._constraints(shape.key.shape))
        checks = [check for check in (sizes, keys, elements) if check is not None]
        if len(checks) < 2:
            return checks[0] if checks else None
        return lambda value: [failure for check in checks for failure in check(value)]

    def _whole(self, shape: Shape, what: str, constraints: list["_Constraint"]) -> Check | None:
        """The check of all elements, or keys, of a collection in one: the failure is that of the collection."""
        if not constraints:
            return None
        texts = [constraint.text for constraint in constraints]
        if self._rules.forbids_null_elements:
            texts.append("Member must not be null")
        why = f"{what} must satisfy constraint: [{', '.join(texts)}]"
        checks_values = what == "Map value"

        def check_whole(value: Any) -> list[Failure]:
            for item in value.values() if checks_values else value:
                if not all(constraint.holds(item) for constraint in constraints):
                    return [("", _told_value(value, shape), why)]
            return []

        return check_whole

    def _constraints(self, name: str) -> list["_Constraint"]:
        shape = self._model.shapes[name]
        found = _bounds(shape) if self._rules.bounds else []
        if shape.pattern is not None:
            text = f"Member must satisfy regular expression pattern: {shape.pattern}"
            found.append(_Constraint(text, _matcher(shape.pattern, shape.max)))
        if shape.enum:
            values = frozenset(shape.enum)
            order = _TOLD_ENUMS.get((self._model.service, name), shape.enum)
            text = f"Member must satisfy enum value set: [{', '.join(order)}]"
            found.append(_Constraint(text, lambda v: v in values))
        return found


class _Constraint:
    """One thing that must hold for a value, with AWS's words for it."""

    __slots__ = ("holds", "text")

    def __init__(self, text: str, holds: Callable[[Any], bool]) -> None:
        self.text = text
        self.holds = holds


def _bounds(shape: Shape) -> list[_Constraint]:
    """The upper bound before the lower, as AWS tells them. Bounds are lengths, but for numbers."""
    kind, size = ("length", len) if shape.type in {"string", "blob", "list", "map"} else ("value", _itself)
    found = []
    if (high := shape.max) is not None:
        text = f"Member must have {kind} less than or equal to {_number(high, shape)}"
        found.append(_Constraint(text, lambda v: size(v) <= high))
    if (low := shape.min) is not None:
        text = f"Member must have {kind} greater than or equal to {_number(low, shape)}"
        found.append(_Constraint(text, lambda v: size(v) >= low))
    return found


def _matcher(pattern: str, longest: float | None) -> Callable[[str], bool]:
    """Patterns are compiled at the first value: Lambda's take 30 ms together, and a client uses few of them."""
    compiled: list[re.Pattern[str] | None] = []

    def matches(text: str) -> bool:
        if not compiled:
            compiled.append(compiled_pattern(pattern))
        [expression] = compiled
        # A text that is too long has failed already: no pattern has to be tried on a megabyte.
        too_long = longest is not None and len(text) > longest
        return too_long or expression is None or expression.fullmatch(text) is not None

    return matches


def _each(shape: Shape, constraints: list[_Constraint]) -> Check | None:
    """One failure for each constraint that does not hold."""
    if not constraints:
        return None
    if len(constraints) == 1:
        only = constraints[0]
        return lambda value: [] if only.holds(value) else [("", _told_value(value, shape), only.text)]
    return lambda value: [("", _told_value(value, shape), each.text) for each in constraints if not each.holds(value)]


def _elements(check: Check) -> Check:
    """Lists count from 1: `patchOperations.1.member.op`. Maps go by their keys."""

    def check_elements(value: Any) -> list[Failure]:
        failures: list[Failure] = []
        keyed = value.items() if isinstance(value, dict) else enumerate(value, 1)
        for key, item in keyed:
            if found := check(item):
                failures.extend((f".{key}.member{below}", told, why) for below, told, why in found)
        return failures

    return check_elements


def _told_value(value: Any, shape: Shape) -> str:
    """The value as Java prints it, in quotes, with a blank after; nothing of a sensitive one."""
    return "" if shape.sensitive else f"'{_java(value)}' "


def _java(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_java, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_java(item)}' for key, item in value.items())}}}"
    return str(value)


def _number(bound: float, shape: Shape) -> str:
    return repr(bound) if shape.type in {"double", "float"} else str(int(bound))


def _itself(value: Any) -> Any:
    return value


def _camel(name: str) -> str:
    """`PutIntegration` as `putIntegration`, `FunctionName` as `functionName`."""
    return name[:1].lower() + name[1:]
