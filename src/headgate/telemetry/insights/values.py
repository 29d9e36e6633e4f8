"""What a query computes with: records of log events, and values that are texts, numbers, flags or times."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_YEAR_9999_MS: Final = 253_370_764_800_000
_MAX_DISCOVERED: Final = 200  # fields of one event (user guide, "Supported logs and discovered fields")
_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")
_LAMBDA: Final = re.compile(r"(START|END|REPORT) RequestId: (\S+)")
_REPORTED: Final = {
    "@duration": (re.compile(r"\tDuration: ([\d.]+) ms"), 1),
    "@billedDuration": (re.compile(r"Billed Duration: ([\d.]+) ms"), 1),
    "@initDuration": (re.compile(r"Init Duration: ([\d.]+) ms"), 1),
    "@memorySize": (re.compile(r"Memory Size: (\d+) MB"), 1_000_000),  # shown in bytes
    "@maxMemoryUsed": (re.compile(r"Max Memory Used: (\d+) MB"), 1_000_000),
}

Value = Any
"""str, int, float, bool, `Time` or None."""


class Time(int):
    """Milliseconds since the epoch; shown as `2026-01-31 12:00:00.000`."""

    __slots__ = ()


class Record:
    """One event, or one row that a command made. Fields of a JSON event are found when one is first asked for."""

    __slots__ = ("_fields", "_message")

    def __init__(self, fields: dict[str, Value], message: str | None = None) -> None:
        self._fields = fields
        self._message = message  # until its fields are discovered

    def get(self, name: str) -> Value:
        fields = self._fields
        if name not in fields and self._message is not None:
            for found, value in discovered(self._message).items():
                fields.setdefault(found, value)
            self._message = None
        return fields.get(name)

    def set(self, name: str, value: Value) -> None:
        self.get(name)  # what is discovered later must not be what was set
        self._fields[name] = value


def number_of(value: Value) -> float | None:
    """A value as a number; None when it is none."""
    match value:
        case bool() | None:
            return None
        case int() | float():
            return float(value)
        case str():
            return float(value) if len(value) <= 100 and _NUMBER.fullmatch(value) else None
    return None


def text_of(value: Value) -> str:
    """A value as it is shown."""
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case Time():
            if not 0 <= value < _YEAR_9999_MS:
                return str(int(value))
            at = datetime.fromtimestamp(value // 1000, UTC)
            return f"{at:%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"
        case float():
            if not math.isfinite(value):
                return str(value)
            return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0").rstrip(".")
        case _:
            return str(value)


def holds(value: Value) -> bool:
    """Whether a condition with this value is met."""
    return value is True or (not isinstance(value, bool | str) and bool(value))


def discovered(message: str) -> Mapping[str, Value]:
    """The fields of a JSON event by their paths, or of one of Lambda's own lines."""
    if message.lstrip().startswith("{"):
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return {}
        found: dict[str, Value] = {}
        _flatten("", document, found)
        return found
    line = _LAMBDA.match(message)
    if line is None:
        return {}
    fields: dict[str, Value] = {"@type": line[1], "@requestId": line[2]}
    if line[1] == "REPORT":
        for name, (pattern, factor) in _REPORTED.items():
            if (reported := pattern.search(message)) is not None:
                fields[name] = float(reported[1]) * factor
    return fields


def _flatten(prefix: str, node: Any, found: dict[str, Value]) -> None:
    """Members by their paths, `user.name` and `items.0.id`."""
    if len(found) >= _MAX_DISCOVERED:
        return
    match node:
        case dict():
            for name, below in node.items():
                _flatten(f"{prefix}.{name}" if prefix else name, below, found)
        case list():
            for at, below in enumerate(node):
                _flatten(f"{prefix}.{at}", below, found)
        case bool():
            found[prefix] = "true" if node else "false"
        case None:
            pass
        case _:
            found[prefix] = node
