"""Filter expressions of X-Ray: which traces a search, a group or a graph is about.

Source: the X-Ray developer guide, "use filter expressions". An expression is read into a function of a trace.

    or     = and { OR and }
    and    = not { AND not }
    not    = ( "!" | NOT ) not | "(" or ")" | term
    term   = keyword [ operator value ] | annotation [ operator value ]
           | service [ "(" which ")" ] [ "{" or "}" ] | edge "(" which "," which ")" [ "{" or "}" ]
    which  = text | id "(" name ":" text [ "," type ":" text ] ")"
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from headgate.telemetry.lexer import Token, tokenize
from headgate.telemetry.traces.segments import is_looked_up
from headgate.telemetry.traces.view import AnnotationValue, Node, TraceView

_FLAGS: Final = frozenset(
    {"ok", "error", "throttle", "fault", "partial", "inferred", "first", "last", "remote", "root"}
)
_NUMBERS: Final = frozenset({"responsetime", "duration", "http.status"})
_TEXTS: Final = frozenset(
    {
        "http.url", "http.method", "http.useragent", "http.clientip", "user", "name", "type", "message",
        "resource.arn", "instance.id", "availabilityzone", "account.id",
    }
)  # fmt: skip
_MAX_DEPTH: Final = 50

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<annotation>annotation(?:\.[A-Za-z0-9_.:-]+|\[\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\]\"]+?)\s*\]))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)|(?P<sign><=|>=|!=|[=<>!(){},:]))"
)
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXT_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "CONTAINS": lambda text, part: part in text,
    "BEGINSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}


class Element(Protocol):
    """What an expression is asked of: a trace, one of its services, or a call between two."""

    def flag(self, name: str) -> bool: ...

    def number(self, name: str) -> float | None: ...

    def texts(self, name: str) -> list[str]: ...

    def annotations(self, key: str) -> list[AnnotationValue]: ...


Test = Callable[[Any], bool]


class Filter(NamedTuple):
    """An expression, read. `annotation` is one that every trace it accepts has: key and text, to search an index by."""

    accepts: Callable[[TraceView], bool]
    annotation: tuple[str, str] | None = None


class BadFilter(ValueError):
    """The expression cannot be read; the message says where and what would be."""


def parse_filter(text: str) -> Filter:
    """Read an expression; "" accepts every trace. Raises BadFilter."""
    if not text.strip():
        return Filter(lambda _: True)
    parser = _Parser(text)
    found = parser.either(0)
    parser.end()
    return Filter(found.test, found.annotation)


class _Read(NamedTuple):
    test: Test
    annotation: tuple[str, str] | None = None


class _Parser:
    def __init__(self, text: str) -> None:
        def unreadable(at: int) -> BadFilter:
            return BadFilter(f"cannot be read from {at} on: {text[at : at + 20]!r}")

        self._tokens = [*tokenize(text, _TOKEN, unreadable), Token("end", "", len(text.rstrip()))]
        self._next = 0

    def either(self, depth: int) -> _Read:
        found = self._both(depth)
        while self._took_word("OR"):
            found = _Read(_any_of(found.test, self._both(depth).test))
        return found

    def end(self) -> None:
        if self._peek.kind != "end":
            raise self._unexpected("AND, OR or the end")

    def _both(self, depth: int) -> _Read:
        found = self._negated(depth)
        while self._took_word("AND"):
            other = self._negated(depth)
            found = _Read(_all_of(found.test, other.test), found.annotation or other.annotation)
        return found

    def _negated(self, depth: int) -> _Read:
        if depth > _MAX_DEPTH:
            raise BadFilter(f"nested deeper than {_MAX_DEPTH} times")
        if self._took("!") or self._took_word("NOT"):
            return _Read(_not(self._negated(depth + 1).test))
        if self._took("("):
            found = self.either(depth + 1)
            self._want(")")
            return found
        return self._term(depth)

    def _term(self, depth: int) -> _Read:
        token = self._take()
        if token.kind == "annotation":
            return self._annotation(token.text)
        if token.kind != "word":
            self._next -= 1
            raise self._unexpected("a keyword, annotation[key], service() or edge()")
        name = token.text.lower()
        if name == "service":
            return self._service(depth)
        if name == "edge":
            return self._edge(depth)
        if name in _FLAGS:
            return self._flag(name)
        if name in _NUMBERS:
            return self._number(name)
        if name in _TEXTS:
            return self._text(name)
        known = ", ".join(sorted(_FLAGS | _NUMBERS | _TEXTS))
        raise BadFilter(f"unknown keyword {token.text!r} at {token.at}; known are {known}, annotation, service, edge")

    def _flag(self, name: str) -> _Read:
        wanted = True
        sign = self._peek.text
        if sign in {"=", "!="}:
            self._take()
            value = self._take()
            if value.text.lower() not in {"true", "false"}:
                raise BadFilter(f"{name} is compared with {value.text!r}; give true or false")
            wanted = (value.text.lower() == "true") == (sign == "=")
        return _Read(lambda element: element.flag(name) is wanted)

    def _number(self, name: str) -> _Read:
        compare = self._comparison(_COMPARISONS, name)
        token = self._take()
        if token.kind != "number":
            raise BadFilter(f"{name} is compared with {token.text!r}; give a number")
        value = float(token.text)

        def test(element: Element) -> bool:
            number = element.number(name)
            return number is not None and compare(number, value)

        return _Read(test)

    def _text(self, name: str) -> _Read:
        if self._peek.text not in _TEXT_COMPARISONS and self._peek.text.upper() not in _TEXT_COMPARISONS:
            return _Read(lambda element: bool(element.texts(name)))  # that there is one
        compare = self._comparison(_TEXT_COMPARISONS, name)
        value = self._quoted(name)
        return _Read(lambda element: any(compare(text, value) for text in element.texts(name)))

    def _annotation(self, text: str) -> _Read:
        key = text[len("annotation.") :] if text[len("annotation")] == "." else text[len("annotation[") : -1].strip()
        if key.startswith('"'):
            key = _unquoted(key)
        sign = self._peek.text.upper()
        if sign not in _COMPARISONS and sign not in _TEXT_COMPARISONS:
            return _Read(lambda element: bool(element.annotations(key)))
        self._take()
        token = self._take()
        if token.kind == "text":
            value = _unquoted(token.text)
            compare = _TEXT_COMPARISONS.get(sign)
            if compare is None:
                raise BadFilter(f"annotation[{key}] {sign} takes a number; texts have {', '.join(_TEXT_COMPARISONS)}")
            same = compare
            return _Read(
                lambda element: any(isinstance(each, str) and same(each, value) for each in element.annotations(key)),
                (key, value) if sign == "=" and is_looked_up(key) else None,
            )
        wanted = _literal(token)
        if wanted is None or sign not in _COMPARISONS:
            raise BadFilter(f'annotation[{key}] is compared with {token.text!r}; give "text", a number, true or false')
        return _Read(_annotation_test(key, _COMPARISONS[sign], wanted))

    def _service(self, depth: int) -> _Read:
        which = None
        if self._took("("):
            which = None if self._peek.text == ")" else self._which()
            self._want(")")
        inner = self._braces(depth)
        return _Read(lambda view: any(_is(node, which) and inner(node) for node in view.nodes))

    def _edge(self, depth: int) -> _Read:
        self._want("(")
        source = self._which()
        self._want(",")
        target = self._which()
        self._want(")")
        inner = self._braces(depth)
        return _Read(
            lambda view: any(
                each.source is not None and _is(each.source, source) and _is(each.target, target) and inner(each)
                for each in view.edges
            )
        )

    def _which(self) -> tuple[str | None, str | None]:
        """Name and type of a service, None where it is not said."""
        if self._peek.kind == "text":
            return _unquoted(self._take().text), None
        if not self._took_word("ID"):
            raise self._unexpected('"a service\'s name" or id(name: "...", type: "...")')
        self._want("(")
        given: dict[str, str] = {}
        while self._peek.text != ")":
            field = self._take()
            self._want(":")
            given[field.text.lower()] = self._quoted("id")
            if not self._took(","):
                break
        self._want(")")
        if unknown := set(given) - {"name", "type", "account.id"}:
            raise BadFilter(f"id() has {min(unknown)!r}; it takes name and type")
        return given.get("name"), given.get("type")

    def _braces(self, depth: int) -> Test:
        if not self._took("{"):
            return lambda _: True
        found = self.either(depth + 1)
        self._want("}")
        return found.test

    def _comparison(self, known: Mapping[str, Callable[[Any, Any], bool]], name: str) -> Callable[[Any, Any], bool]:
        token = self._take()
        found = known.get(token.text.upper())
        if found is None:
            raise BadFilter(
                f"after {name} at {token.at} stands {token.text or 'nothing'!r}; it takes {', '.join(known)}"
            )
        return found

    def _quoted(self, name: str) -> str:
        token = self._take()
        if token.kind != "text":
            raise BadFilter(f'{name} is compared with {token.text!r}; give a "text" in double quotes')
        return _unquoted(token.text)

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind == "end":
            raise BadFilter("it ends in the middle")
        self._next += 1
        return token

    def _took(self, sign: str) -> bool:
        if self._peek.is_sign(sign):
            self._next += 1
            return True
        return False

    def _took_word(self, word: str) -> bool:
        if self._peek.kind == "word" and self._peek.text.upper() == word:
            self._next += 1
            return True
        return False

    def _want(self, sign: str) -> None:
        if not self._took(sign):
            raise self._unexpected(repr(sign))

    def _unexpected(self, wanted: str) -> BadFilter:
        token = self._peek
        return BadFilter(f"at {token.at} stands {token.text or 'the end'!r}; {wanted} was expected")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _literal(token: Token) -> float | bool | None:
    if token.kind == "number":
        return float(token.text)
    return {"true": True, "false": False}.get(token.text.lower())


def _annotation_test(key: str, compare: Callable[[Any, Any], bool], wanted: float | bool) -> Test:
    def test(element: Element) -> bool:
        return any(
            not isinstance(each, str) and isinstance(each, bool) == isinstance(wanted, bool) and compare(each, wanted)
            for each in element.annotations(key)
        )

    return test


def _is(node: Node, which: tuple[str | None, str | None] | None) -> bool:
    if which is None:
        return True
    name, kind = which
    return name in {None, node.name} and kind in {None, node.type}


def _any_of(left: Test, right: Test) -> Test:
    return lambda element: left(element) or right(element)


def _all_of(left: Test, right: Test) -> Test:
    return lambda element: left(element) and right(element)


def _not(test: Test) -> Test:
    return lambda element: not test(element)
