"""What JSON and space-delimited filter patterns share: tokens, comparisons, conditions joined by && and ||."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from headgate.telemetry.filter_regex import FilterRegex, RegexError
from headgate.telemetry.lexer import Token, tokenize

T = TypeVar("T")
Test = Callable[[T], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<regex>%[^%]*%)
      | (?P<sign>&&|\|\||!=|>=|<=|[=<>(),])
      | (?P<word>[^\s"%=<>(),!&|]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(r"[\w.*:/+\-]+")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_MAX_REGEXES: Final = 2  # of one pattern
_MAX_DEPTH: Final = 50  # parentheses within parentheses


class PatternError(ValueError):
    """The pattern is none; the message is the API's."""


_END: Final = Token("end", "", -1)


def invalid(reason: str) -> PatternError:
    return PatternError(f"Invalid metric filter pattern: {reason}")


class Tokens:
    """The tokens of a pattern's inside, looked at from left to right."""

    def __init__(self, text: str) -> None:
        """Raises PatternError."""
        self._tokens = list(tokenize(text, _TOKEN, lambda at: invalid(f"{text[at:].strip()[:40]!r} was not expected")))
        self._at = 0
        if sum(token.kind == "regex" for token in self._tokens) > _MAX_REGEXES:
            raise invalid(f"it has more than {_MAX_REGEXES} regular expressions")

    @property
    def next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def take(self) -> Token:
        token = self.next
        self._at += 1
        return token

    def took(self, sign: str) -> bool:
        """Take this sign, if it is the next."""
        if self.next.is_sign(sign):
            self._at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise invalid(f"{sign} was expected in place of {told(self.next)}")


def told(token: Token) -> str:
    return "the end" if token is _END else repr(token.text[:40])


def conditions(tokens: Tokens, condition: Callable[[Tokens], Test[T]], depth: int = 0) -> Test[T]:
    """Conditions joined by ||, which binds less than &&; parentheses group."""
    if depth > _MAX_DEPTH:
        raise invalid(f"its parentheses are nested more than {_MAX_DEPTH} deep")

    def one() -> Test[T]:
        if tokens.took("("):
            inner = conditions(tokens, condition, depth + 1)
            tokens.expect(")")
            return inner
        return condition(tokens)

    def all_of() -> Test[T]:
        tests = [one()]
        while tokens.took("&&"):
            tests.append(one())
        return tests[0] if len(tests) == 1 else lambda subject: all(test(subject) for test in tests)

    alternatives = [all_of()]
    while tokens.took("||"):
        alternatives.append(all_of())
    return alternatives[0] if len(alternatives) == 1 else lambda subject: any(test(subject) for test in alternatives)


class Value(NamedTuple):
    """A value that a comparison looks at: its text, and its number where it is one."""

    text: str
    number: float | None


def comparison(operator: str, literal: Token) -> Test[Value]:
    """What `operator literal` says of a value. Raises PatternError."""
    match operator:
        case "=":
            return _equals(literal)
        case "!=":
            equals = _equals(literal)
            return lambda value: not equals(value)
        case ">" | "<" | ">=" | "<=":
            return _compares(operator, literal)
        case _:
            raise invalid(f"one of = != > < >= <= was expected in place of {operator or 'the end'!r}")


def number(text: str) -> float | None:
    return float(text) if len(text) <= 100 and _NUMBER.fullmatch(text) else None


def unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)


def _equals(literal: Token) -> Test[Value]:
    match literal.kind:
        case "regex":
            return _regex(literal)
        case "quoted":
            glob = _glob(unquoted(literal))
            return lambda value: glob(value.text)
        case "word":
            if not _BARE.fullmatch(literal.text):
                raise invalid(f"Invalid character(s) in term {literal.text!r}; put it in double quotes")
            wanted = number(literal.text)
            bare = _glob(literal.text)
            if wanted is None:
                return lambda value: bare(value.text)
            # A number without quotes is compared as one: 12 equals 12.0.
            return lambda value: value.number == wanted if value.number is not None else bare(value.text)
        case _:
            raise invalid(f"a value was expected in place of {told(literal)}")


def _regex(literal: Token) -> Test[Value]:
    try:
        compiled = FilterRegex(literal.text[1:-1])
    except RegexError as error:
        raise invalid(f"{literal.text[:40]}: {error}") from error
    return lambda value: compiled.search(value.text)


def _compares(operator: str, literal: Token) -> Test[Value]:
    bound = number(literal.text) if literal.kind == "word" else None
    if bound is None:
        raise invalid(f"a number was expected after {operator} in place of {told(literal)}")
    limit = bound
    match operator:
        case ">":
            return lambda value: value.number is not None and value.number > limit
        case "<":
            return lambda value: value.number is not None and value.number < limit
        case ">=":
            return lambda value: value.number is not None and value.number >= limit
        case _:
            return lambda value: value.number is not None and value.number <= limit


def _glob(text: str) -> Callable[[str], bool]:
    """`*` stands for anything at the beginning and at the end; between them it is itself (user guide, "Ev*ent")."""
    if not text.strip("*"):
        return (lambda _: True) if text else (lambda subject: subject == "")
    core = text[text.startswith("*") : len(text) - text.endswith("*")]
    match text.startswith("*"), text.endswith("*"):
        case True, True:
            return lambda subject: core in subject
        case True, False:
            return lambda subject: subject.endswith(core)
        case False, True:
            return lambda subject: subject.startswith(core)
        case _:
            return lambda subject: subject == core
