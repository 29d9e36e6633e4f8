"""What differs between two answers, field by field; and which fields differ for more than chance (Diffy's rule).

Three answers to one request are compared: the base's that the caller got (the primary), the canary's (the candidate),
and the base's to the same request once more (the secondary). What differs between primary and secondary is noise:
times, ids, orders without an order. A field is different when the candidate differs from the primary more often than
that: (raw - noise) / (raw + noise) above 20 %, and (raw - noise) / compared above 0.03 % (releases.md, 1).
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from headgate.dataplane import compression

MAX_PATHS: Final = 1000  # that are counted; differences in others are only counted together
MAX_EXAMPLES: Final = 3  # the last ones, of a field
MAX_EXAMPLE_LENGTH: Final = 64  # characters
MAX_JSON_BYTES: Final = 256 * 1024  # of a body that is compared field by field
MAX_VISITED: Final = 1000  # differing values of two bodies that are looked into: the loop has callers to answer
MAX_ELEMENTS: Final = 20  # of an array, the first that differ: they share their paths
MAX_BODY_BYTES: Final = 1024 * 1024  # of a body that is kept to be compared
_KEPT_BYTES: Final = 64 * 1024  # of a longer one
_MAX_PATH_LENGTH: Final = 200
_RELATIVE_PERCENT: Final = 20
_ABSOLUTE_PER_10_000: Final = 3

_GZIP: Final = b"\x1f\x8b"
_PLAIN_KEY: Final = re.compile(r"[\w-]{1,64}")
_ABSENT: Final = "(absent)"
_VOLATILE: Final = frozenset(
    {
        "age",
        "connection",
        "content-length",  # says nothing that the body does not
        "date",
        "keep-alive",
        "request-id",
        "traceparent",
        "tracestate",
        "x-amz-apigw-id",
        "x-amz-cf-id",
        "x-amz-request-id",
        "x-amzn-remapped-connection",
        "x-amzn-remapped-content-length",
        "x-amzn-remapped-date",
        "x-amzn-requestid",
        "x-amzn-trace-id",
        "x-correlation-id",
        "x-request-id",
    }
)


class Answer(NamedTuple):
    """An integration's answer, or the refusal that it ended in."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
    """An answer as it is kept: of a long body its length and its beginning."""
    if len(body) > MAX_BODY_BYTES:
        body = b"%d bytes: " % len(body) + body[:_KEPT_BYTES]
    return Answer(status, tuple(headers), body)


Example = tuple[str, str]
"""The two values of a field, as text, cut short."""


def differences(left: Answer, right: Answer) -> dict[str, Example]:
    """The paths at which two answers differ, each with its first pair of values; array indices are left out of them."""
    found: dict[str, Example] = {}
    if left.status != right.status:
        found["status"] = (str(left.status), str(right.status))
    names = _headers(left), _headers(right)
    for name in sorted({*names[0], *names[1]}):
        values = names[0].get(name, _ABSENT), names[1].get(name, _ABSENT)
        if values[0] != values[1]:
            found[f"headers.{name}"] = (_cut(values[0]), _cut(values[1]))
    if left.body != right.body:
        _compare_bodies(_plain(left.body), _plain(right.body), found)
    return found


class Field:
    """One path's counts: how often candidate and primary differed there, and primary and secondary."""

    __slots__ = ("candidate", "examples", "noise")

    def __init__(self) -> None:
        self.candidate = 0
        self.noise = 0
        self.examples: deque[Example] = deque(maxlen=MAX_EXAMPLES)

    def is_different(self, compared: int) -> bool:
        """Whether the candidate differs for more than noise, of so many comparisons."""
        excess = self.candidate - self.noise
        # In whole numbers: a share at the bound itself is not above it.
        return excess * 100 > _RELATIVE_PERCENT * (self.candidate + self.noise) and (
            excess * 10_000 > _ABSOLUTE_PER_10_000 * compared
        )


class Differences:
    """The fields of a stage's mirrored answers, bounded."""

    def __init__(self) -> None:
        self.compared = 0
        self.left_out = 0  # differences at paths beyond the bound
        self.fields: dict[str, Field] = {}

    def __repr__(self) -> str:
        return f"<Differences {self.compared} compared, {len(self.fields)} fields>"

    def add(self, primary: Answer, candidate: Answer, secondary: Answer) -> None:
        """Compare the three answers to one request."""
        self.compared += 1
        for path, example in differences(primary, candidate).items():
            if (field := self._field(path)) is not None:
                field.candidate += 1
                field.examples.append(example)
        for path in differences(primary, secondary):
            if (field := self._field(path)) is not None:
                field.noise += 1

    def report(self) -> list[dict[str, Any]]:
        """All fields as JSON, the different ones first."""
        ordered = sorted(
            self.fields.items(), key=lambda each: (not each[1].is_different(self.compared), -each[1].candidate, each[0])
        )
        return [
            {
                "path": path,
                "isDifferent": field.is_different(self.compared),
                "candidate": field.candidate,
                "noise": field.noise,
                "examples": [{"primary": left, "candidate": right} for left, right in field.examples],
            }
            for path, field in ordered
        ]

    def _field(self, path: str) -> Field | None:
        field = self.fields.get(path)
        if field is None:
            if len(self.fields) >= MAX_PATHS:
                self.left_out += 1
                return None
            field = self.fields[path] = Field()
        return field


def _headers(answer: Answer) -> Mapping[str, str]:
    """By name in lower case, without the volatile ones; several of one name are one value."""
    found: dict[str, str] = {}
    for raw_name, raw_value in answer.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in _VOLATILE:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _plain(body: bytes) -> bytes:
    """A body as it is before compression: equal contents need not be equal when they are compressed."""
    if not body.startswith(_GZIP):
        return body
    try:
        return compression.decompress(body, b"gzip")
    except compression.BadEncoding:
        return body


def _compare_bodies(left: bytes, right: bytes, found: dict[str, Example]) -> None:
    if left == right:
        return
    try:
        if max(len(left), len(right)) > MAX_JSON_BYTES:
            raise ValueError("too large to be compared field by field")
        values = orjson.loads(left), orjson.loads(right)
    except ValueError:
        found["body"] = (_cut(left[:256].decode("utf-8", "replace")), _cut(right[:256].decode("utf-8", "replace")))
        return
    for path, example in _compare(*values):
        found.setdefault(path, example)


def _compare(left: Any, right: Any) -> Iterable[tuple[str, Example]]:
    """The differences of two JSON values, the outer ones first; without recursion, as backends choose the depth."""
    waiting: deque[tuple[str, Any, Any]] = deque([("body", left, right)])
    for _ in range(MAX_VISITED):
        if not waiting:
            return
        path, one, other = waiting.popleft()
        if isinstance(one, dict) and isinstance(other, dict):
            for key in [*one, *(key for key in other if key not in one)]:
                below = f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{_text(key)}]"
                if key in one and key in other:
                    if not _is_same(one[key], other[key]):
                        waiting.append((below[:_MAX_PATH_LENGTH], one[key], other[key]))
                else:
                    sides = (_text(each[key]) if key in each else _ABSENT for each in (one, other))
                    yield below[:_MAX_PATH_LENGTH], (next(sides), next(sides))
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                yield f"{path}[#]", (str(len(one)), str(len(other)))
            differing = (pair for pair in zip(one, other, strict=False) if not _is_same(*pair))
            waiting += [(f"{path}[]"[:_MAX_PATH_LENGTH], *pair) for pair in islice(differing, MAX_ELEMENTS)]
        elif one != other or isinstance(one, bool) != isinstance(other, bool):
            yield path, (_text(one), _text(other))


def _is_same(one: Any, other: Any) -> bool:
    """Whether there is nothing to look into: by their texts, as true and 1 are equal to Python."""
    text = _dumped(one)
    return text is not None and text == _dumped(other)


def _text(value: Any) -> str:
    text = _dumped(value)
    return "(nested deeply)" if text is None else _cut(text[:256].decode("utf-8", "replace"))


def _dumped(value: Any) -> bytes | None:
    """A value as JSON; None of one that is nested more deeply than can be written, though it could be read."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_EXAMPLE_LENGTH else text[: MAX_EXAMPLE_LENGTH - 1] + "…"
