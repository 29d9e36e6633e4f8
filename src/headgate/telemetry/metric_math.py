"""CloudWatch's metric math: expressions over time series (aws-semantics 8.3).

    expression = or ; or = and {"||" and} ; and = comparison {"&&" comparison} ; comparison = sum [op sum]
    sum = product {+|- product} ; product = unary {*|/ unary} ; unary = -unary | power ; power = atom [^ unary]
    atom = number | "text" | name | NAME(arguments) | (expression) | [expression, ...]

A value is a number, one series, a list of series, or a text where a function takes one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from headgate.telemetry.lexer import tokenize

MAX_LENGTH: Final = 2048  # characters, as AWS has it
MAX_OPERATORS: Final = 250
MAX_DEPTH: Final = 64  # of nested brackets: nothing a client sends may exhaust the stack


class MathError(Exception):
    """The expression cannot be read or evaluated; the message is the client's."""


class Series(msgspec.Struct, frozen=True):
    """Values by the beginning of their period, in seconds since the epoch."""

    values: Mapping[int, float]
    period: int
    label: str = ""


Value = float | Series | list[Series] | str


class Number(msgspec.Struct, frozen=True):
    value: float


class Text(msgspec.Struct, frozen=True):
    value: str


class Name(msgspec.Struct, frozen=True):
    name: str


class Operation(msgspec.Struct, frozen=True):
    operator: str
    left: "Expression"
    right: "Expression"


class Function(msgspec.Struct, frozen=True):
    name: str
    arguments: "tuple[Expression, ...]"


class Array(msgspec.Struct, frozen=True):
    items: "tuple[Expression, ...]"


Expression = Number | Text | Name | Operation | Function | Array

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"
)
_COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")


def parse(text: str) -> Expression:
    """Read an expression. Raises MathError."""
    if len(text) > MAX_LENGTH:
        raise MathError(f"The expression has {len(text)} characters; it may have {MAX_LENGTH}")

    def unexpected(at: int) -> MathError:
        return MathError(f"Unexpected {text[at:].strip()[0]!r} at position {at} of the expression")

    parser = _Parser([token[:2] for token in tokenize(text, _TOKEN, unexpected)])
    expression = parser.disjunction()
    parser.end()
    return expression


def names(expression: Expression) -> Iterator[str]:
    """The identifiers that an expression mentions, key words of functions (REPEAT) among them."""
    match expression:
        case Name(name):
            yield name
        case Operation(_, left, right):
            yield from names(left)
            yield from names(right)
        case Function(_, parts) | Array(parts):
            for part in parts:
                yield from names(part)
        case _:
            return


def functions(expression: Expression) -> Iterator[Function]:
    """Every call of a function in an expression."""
    match expression:
        case Operation(_, left, right):
            yield from functions(left)
            yield from functions(right)
        case Function(_, parts):
            yield expression
            for part in parts:
                yield from functions(part)
        case Array(parts):
            for part in parts:
                yield from functions(part)
        case _:
            return


class _Parser:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._operators = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise MathError(f"Unexpected {self._tokens[self._at][1]!r} in the expression")

    def disjunction(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MathError(f"The expression is nested more than {MAX_DEPTH} deep")
        left = self._conjunction()
        while self._take("||") or self._take_word("OR"):
            left = self._operation("||", left, self._conjunction())
        self._depth -= 1
        return left

    def _conjunction(self) -> Expression:
        left = self._comparison()
        while self._take("&&") or self._take_word("AND"):
            left = self._operation("&&", left, self._comparison())
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        while (operator := self._take(*_COMPARISONS)) is not None:
            left = self._operation(operator, left, self._sum())
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while (operator := self._take("+", "-")) is not None:
            left = self._operation(operator, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while (operator := self._take("*", "/")) is not None:
            left = self._operation(operator, left, self._unary())
        return left

    def _unary(self) -> Expression:
        negative = False
        while (sign := self._take("-", "+")) is not None:
            negative ^= sign == "-"
        power = self._power()
        return self._operation("-", Number(0.0), power) if negative else power

    def _power(self) -> Expression:
        base = self._atom()
        if self._take("^"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise MathError(f"The expression is nested more than {MAX_DEPTH} deep")
            base = self._operation("^", base, self._unary())
            self._depth -= 1
        return base

    def _atom(self) -> Expression:
        if self._at == len(self._tokens):
            raise MathError("The expression ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind, text:
            case "number", _:
                return Number(float(text))
            case "text", _:
                return Text(text[1:-1])
            case "name", _:
                if self._take("("):
                    return Function(text.upper(), self._list(")"))
                return Name(text)
            case "sign", "(":
                inner = self.disjunction()
                if not self._take(")"):
                    raise MathError("A bracket of the expression is not closed")
                return inner
            case "sign", "[":
                return Array(self._list("]"))
            case _:
                raise MathError(f"Unexpected {text!r} in the expression")

    def _list(self, closing: str) -> tuple[Expression, ...]:
        items: list[Expression] = []
        if self._take(closing):
            return ()
        while True:
            items.append(self.disjunction())
            if self._take(closing):
                return tuple(items)
            if not self._take(","):
                raise MathError(f"Expected ',' or {closing!r} in the expression")

    def _operation(self, operator: str, left: Expression, right: Expression) -> Operation:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise MathError(f"The expression has more than {MAX_OPERATORS} operators")
        return Operation(operator, left, right)

    def _take(self, *signs: str) -> str | None:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "sign" and text in signs:
                self._at += 1
                return text
        return None

    def _take_word(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("name", word):
            self._at += 1
            return True
        return False


class Range(msgspec.Struct, frozen=True):
    """The stretch of time asked for: functions that fill gaps need to know where there might be values."""

    start: int
    end: int

    def times(self, period: int) -> range:
        return range(self.start, self.end, period)


class Scope(msgspec.Struct, frozen=True):
    """What an expression is evaluated in."""

    known: Mapping[str, Value]  # by the ids of the other queries
    metrics: Mapping[str, Value]  # those of them that are metrics, for METRICS()
    asked: Range
    search: Callable[[str, str, int], list[Series]]  # expression, statistic, period; raises MathError
    period: int  # of series that are made of nothing else, and of a SEARCH that names none


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression. Raises MathError."""
    match expression:
        case Number(number):
            return number
        case Text(text):
            return text
        case Name(name):
            return scope.known.get(name, name)
        case Array(items):
            return [series for item in items for series in series_of(evaluate(item, scope), "an array")]
        case Operation(operator, left, right):
            return _operate(operator, evaluate(left, scope), evaluate(right, scope))
        case Function(name, arguments):
            function = _FUNCTIONS.get(name)
            if function is None:
                raise MathError(f"The function {name} is not known; known are {', '.join(sorted(_FUNCTIONS))}")
            return function(Call(name, [evaluate(each, scope) for each in arguments], scope))


def series_of(value: Value, where: str) -> list[Series]:
    """A value as series. Raises MathError."""
    match value:
        case Series():
            return [value]
        case list():
            return value
        case _:
            raise MathError(f"{where} takes time series, not {_told(value)}")


def _power(base: float, exponent: float) -> float | None:
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        return None
    return None if isinstance(result, complex) else result


_OPERATORS: Final[Mapping[str, Callable[[float, float], float | None]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,  # no point, as CloudWatch leaves it out
    "^": _power,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}


def _operate(operator: str, left: Value, right: Value) -> Value:
    act = _OPERATORS[operator]
    match left, right:
        case (str(), _) | (_, str()):
            raise MathError(f"{_told(left if isinstance(left, str) else right)} is no number and no time series")
        case (float(), float()):
            result = act(left, right)
            if result is None:
                raise MathError(f"{left} {operator} {right} has no value")
            return result
        case (list(), list()):
            raise MathError(f"{operator} cannot take two arrays of time series")
        case (list(), _):
            return [_combined(act, each, right) for each in left]
        case (_, list()):
            return [_combined(act, left, each) for each in right]
        case _:
            return _combined(act, left, right)


def _combined(act: Callable[[float, float], float | None], left: Value, right: Value) -> Series:
    """Point by point, where both have one."""
    values: dict[int, float | None]
    if isinstance(left, Series) and isinstance(right, Series):
        values = {at: act(value, right.values[at]) for at, value in left.values.items() if at in right.values}
        period = max(left.period, right.period)
    elif isinstance(left, Series):
        assert isinstance(right, float)
        values = {at: act(value, right) for at, value in left.values.items()}
        period = left.period
    else:
        assert isinstance(left, float)
        assert isinstance(right, Series)
        values = {at: act(left, value) for at, value in right.values.items()}
        period = right.period
    return Series({at: value for at, value in values.items() if value is not None}, period)


def _told(value: Value) -> str:
    match value:
        case float():
            return f"the number {value:g}"
        case str():
            return repr(value)
        case Series():
            return "a time series"
        case _:
            return "an array of time series"


# The functions, in a module of their own, need the values above; they are put in here.
class Call(msgspec.Struct, frozen=True):
    """A call of a function, its arguments evaluated."""

    name: str
    arguments: list[Value]
    scope: Scope

    def wrong(self, signature: str) -> MathError:
        """What is raised where the arguments do not fit."""
        return MathError(f"{self.name} is called wrongly; it is {signature}")


_FunctionBody = Callable[[Call], Value]
_FUNCTIONS: Final[dict[str, _FunctionBody]] = {}


def function(*called: str) -> Callable[[_FunctionBody], _FunctionBody]:
    """Make a function known under these names."""

    def register(body: _FunctionBody) -> _FunctionBody:
        _FUNCTIONS.update(dict.fromkeys(called, body))
        return body

    return register
