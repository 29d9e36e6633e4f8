"""SEARCH expressions of metric math: `{Namespace, Dimension, ...} term term`, over the metrics there are.

A term is a word, `property=word`, a group in brackets, or any of these after NOT; terms side by side are joined by AND,
which OR separates. A word in double quotes must be the whole text, any other must have its parts (letters and digits)
among the text's. Without a property, a word may be in the metric's name, a dimension's name or its value.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from headgate.model.metric import MetricKey
from headgate.telemetry.metric_math import MAX_DEPTH, MathError

MAX_LENGTH: Final = 1024
MAX_RESULTS: Final = 500

Matches = Callable[[MetricKey], bool]

_SCHEMA: Final = re.compile(r"\s*\{([^{}]*)\}")
_TOKEN: Final = re.compile(r"\s*(?:(?P<quoted>\"[^\"]*\")|(?P<sign>[()=])|(?P<word>[^\s()=\"{}]+))")
_PART: Final = re.compile(r"[A-Za-z0-9]+|[^\x00-\x7F]+")


def search(text: str) -> Matches:
    """What tells whether a metric is found. Raises MathError."""
    if len(text) > MAX_LENGTH:
        raise MathError(f"The search expression has {len(text)} characters; it may have {MAX_LENGTH}")
    schema = _SCHEMA.match(text)
    in_schema: Matches = _anything
    rest = text
    if schema is not None:
        in_schema = _schema(schema[1])
        rest = text[schema.end() :]
    terms = _Terms(_tokens(rest)).read()
    return lambda key: in_schema(key) and terms(key)


def _anything(key: MetricKey) -> bool:  # noqa: ARG001  it matches whatever it is asked about
    return True


def _schema(text: str) -> Matches:
    namespace, *names = [part.strip().strip('"') for part in text.split(",")]
    if not namespace:
        raise MathError("The schema of a search begins with a namespace: {AWS/ApiGateway, ApiName}")
    wanted = sorted(names)
    return lambda key: key.namespace == namespace and [name for name, _ in key.dimensions] == wanted


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise MathError(f"Unexpected {text[at:].strip()[0]!r} in the search expression")
        kind = found.lastgroup or ""
        tokens.append((kind, found[kind]))
        at = found.end()
    return tokens


class _Terms:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def read(self) -> Matches:
        matches = self._either() if self._tokens else _anything
        if self._at < len(self._tokens):
            raise MathError(f"Unexpected {self._tokens[self._at][1]!r} in the search expression")
        return matches

    def _either(self) -> Matches:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MathError(f"The search expression is nested more than {MAX_DEPTH} deep")
        parts = [self._all()]
        while self._take(("word", "OR")):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda key: any(part(key) for part in parts)

    def _all(self) -> Matches:
        parts = [self._term()]
        while self._at < len(self._tokens) and self._tokens[self._at] not in {("word", "OR"), ("sign", ")")}:
            self._take(("word", "AND"))
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda key: all(part(key) for part in parts)

    def _term(self) -> Matches:
        negative = False
        while self._take(("word", "NOT")):
            negative = not negative
        matches = self._plain_term()
        return (lambda key: not matches(key)) if negative else matches

    def _plain_term(self) -> Matches:
        if self._take(("sign", "(")):
            inner = self._either()
            if not self._take(("sign", ")")):
                raise MathError("A bracket of the search expression is not closed")
            return inner
        kind, text = self._next()
        if kind == "sign":
            raise MathError(f"Unexpected {text!r} in the search expression")
        if not self._take(("sign", "=")):
            word = _word(kind, text)
            return lambda key: any(map(word, _texts(key)))
        of = _property(text.strip('"'))
        if self._take(("sign", "(")):
            return self._values(of)
        kind, text = self._next()
        if kind == "sign":
            raise MathError(f"Unexpected {text!r} in the search expression")
        word = _word(kind, text)
        return lambda key: any(map(word, of(key)))

    def _values(self, of: Callable[[MetricKey], list[str]]) -> Matches:
        """`property=(a OR b)`."""
        words = []
        while not self._take(("sign", ")")):
            kind, text = self._next()
            if kind == "sign":
                raise MathError(f"Unexpected {text!r} in the search expression")
            if (kind, text) != ("word", "OR"):
                words.append(_word(kind, text))
        return lambda key: any(word(text) for text in of(key) for word in words)

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise MathError("The search expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: tuple[str, str]) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False


def _property(name: str) -> Callable[[MetricKey], list[str]]:
    match name.lower():
        case "metricname":
            return lambda key: [key.name]
        case "namespace":
            return lambda key: [key.namespace]
        case _:
            return lambda key: [value for dimension, value in key.dimensions if dimension == name]


def _texts(key: MetricKey) -> list[str]:
    return [key.namespace, key.name, *(text for dimension in key.dimensions for text in dimension)]


def _word(kind: str, text: str) -> Callable[[str], bool]:
    if kind == "quoted":
        exact = text[1:-1]
        return lambda found: found == exact
    parts = {part.lower() for part in _PART.findall(text)}
    return lambda found: (
        (bool(parts) and parts <= {part.lower() for part in _PART.findall(found)}) or (text.lower() == found.lower())
    )
