"""Expressions of the query language, compiled to functions of a record."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from headgate.telemetry.insights.functions import AGGREGATES, FUNCTIONS, Aggregate
from headgate.telemetry.insights.scanner import QueryError, Scanner
from headgate.telemetry.insights.values import Record, Value, holds, number_of, text_of

Expression = Callable[[Record], Value]

_MAX_DEPTH: Final = 60
_COMPARE: Final[dict[str, Callable[[Value, Value], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DURATION_MS: Final = {
    "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000,
}  # fmt: skip
KEYWORDS: Final = frozenset({"as", "by", "and", "or", "not", "in", "like", "asc", "desc"})


class AggregateCall(NamedTuple):
    """A use of an aggregate: what it is made of, and the name under which its value stands in the made record."""

    aggregate: Aggregate
    argument: Expression | None  # None counts records
    number: float
    name: str


class ExpressionParser:
    """Reads expressions off a scanner. With `aggregates` given, calls of them are gathered there."""

    def __init__(self, scanner: Scanner, aggregates: list[AggregateCall] | None = None) -> None:
        self._scanner = scanner
        self._aggregates = aggregates
        self._depth = 0

    def parse(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._scanner.unexpected("less nesting")
        left = self._and()
        while self._scanner.took_word("or"):
            left = _either(left, self._and())
        self._depth -= 1
        return left

    def _and(self) -> Expression:
        left = self._not()
        while self._scanner.took_word("and"):
            left = _both(left, self._not())
        return left

    def _not(self) -> Expression:
        negated = False
        while self._scanner.took_word("not"):
            negated = not negated
        inner = self._comparison()
        return (lambda record: not holds(inner(record))) if negated else inner

    def _comparison(self) -> Expression:
        scanner = self._scanner
        left = self._sum()
        if scanner.next.kind == "sign" and scanner.next.text in _COMPARE:
            return _compared(left, _COMPARE[scanner.take().text], self._sum())
        negated = scanner.took_word("not")
        if scanner.took_word("like") or scanner.took("=~"):
            test = self._like(left)
        elif scanner.took_word("in"):
            test = self._in(left)
        elif negated:
            raise scanner.unexpected("like or in")
        else:
            return left
        return (lambda record: not test(record)) if negated else test

    def _like(self, left: Expression) -> Callable[[Record], bool]:
        expression = self._scanner.took_regex()
        if expression is not None:
            search = compile_regex(expression, self._scanner).search
            return lambda record: (value := left(record)) is not None and search(text_of(value)) is not None
        if self._scanner.next.kind != "string":
            raise self._scanner.unexpected("a text in quotes or a regular expression between slashes")
        part = string_of(self._scanner.take().text)
        return lambda record: (value := left(record)) is not None and part in text_of(value)

    def _in(self, left: Expression) -> Callable[[Record], bool]:
        self._scanner.expect("[")
        choices = [self._sum()]
        while self._scanner.took(","):
            choices.append(self._sum())
        self._scanner.expect("]")
        return lambda record: any(_compare(left(record), operator.eq, choice(record)) for choice in choices)

    def _sum(self) -> Expression:
        left = self._product()
        while self._scanner.next.kind == "sign" and self._scanner.next.text in {"+", "-"}:
            sign = self._scanner.take().text
            left = _computed(left, operator.add if sign == "+" else operator.sub, self._product())
        return left

    def _product(self) -> Expression:
        left = self._power()
        signs: dict[str, Callable[[float, float], float]] = {
            "*": operator.mul, "/": operator.truediv, "%": operator.mod,
        }  # fmt: skip
        while self._scanner.next.kind == "sign" and self._scanner.next.text in signs:
            left = _computed(left, signs[self._scanner.take().text], self._power())
        return left

    def _power(self) -> Expression:
        left = self._unary()
        if self._scanner.took("^"):
            return _computed(left, _raise, self._unary())
        return left

    def _unary(self) -> Expression:
        if self._scanner.took("-"):
            inner = self._primary()
            return lambda record: None if (number := number_of(inner(record))) is None else -number
        return self._primary()

    def _primary(self) -> Expression:
        scanner = self._scanner
        token = scanner.next
        match token.kind:
            case "number":
                scanner.take()
                constant = float(token.text)
                return lambda _: constant
            case "duration":
                scanner.take()
                period = duration_ms(token.text)
                return lambda _: period
            case "string":
                scanner.take()
                text = string_of(token.text)
                return lambda _: text
            case "field":
                scanner.take()
                return _field(token.text.strip("`"))
            case "word" if token.text.lower() not in KEYWORDS:
                scanner.take()
                if scanner.took("("):
                    return self._call(token.text, token.start)
                return _field(token.text)
            case "sign" if token.text == "(":
                scanner.take()
                inner = self.parse()
                scanner.expect(")")
                return inner
            case _:
                raise scanner.unexpected("a field, a value or a function")

    def _call(self, name: str, start: int) -> Expression:
        lowered = name.lower()
        if lowered in AGGREGATES:
            if self._aggregates is None:
                raise QueryError(f"{name} is for stats only", start, self._scanner.ended_at)
            return self._aggregate(lowered, start, self._aggregates)
        if lowered == "bin":
            period = self._arguments()
            if len(period) != 1:
                raise QueryError("bin takes one period, such as bin(5m)", start, self._scanner.ended_at)
            return lambda record: FUNCTIONS["datefloor"].run((record.get("@timestamp"), period[0](record)))
        function = FUNCTIONS.get(lowered)
        if function is None:
            known = ", ".join(sorted([*FUNCTIONS, *AGGREGATES, "bin"]))
            raise QueryError(f"there is no function {name}; there are {known}", start, self._scanner.ended_at)
        arguments = self._arguments()
        if not function.least <= len(arguments) <= function.most:
            raise QueryError(
                f"{name} takes {function.least} to {function.most} arguments, not {len(arguments)}",
                start,
                self._scanner.ended_at,
            )
        return lambda record: function.run([argument(record) for argument in arguments])

    def _arguments(self) -> Sequence[Expression]:
        """Up to and with the closing parenthesis."""
        if self._scanner.took(")"):
            return []
        arguments = [self.parse()]
        while self._scanner.took(","):
            arguments.append(self.parse())
        self._scanner.expect(")")
        return arguments

    def _aggregate(self, name: str, start: int, gathered: list[AggregateCall]) -> Expression:
        scanner = self._scanner
        aggregate = AGGREGATES[name]
        arguments: Sequence[Expression] = []
        if name == "count" and scanner.took("*"):
            scanner.expect(")")
        else:
            self._aggregates = None  # no aggregate of an aggregate
            arguments = self._arguments()
            self._aggregates = gathered
        if not aggregate.least <= len(arguments) <= aggregate.most:
            raise QueryError(
                f"{name} takes {aggregate.least} to {aggregate.most} arguments, not {len(arguments)}",
                start,
                scanner.ended_at,
            )
        number = number_of(arguments[1](Record({}))) if aggregate.takes_number else 0.0
        if number is None:
            raise QueryError(f"the second argument of {name} must be a number", start, scanner.ended_at)
        made = f"\0{len(gathered)}"
        gathered.append(AggregateCall(aggregate, arguments[0] if arguments else None, number, made))
        return _field(made)


def compile_regex(expression: str, scanner: Scanner) -> re.Pattern[str]:
    """Java's named groups as Python's. Raises QueryError."""
    try:
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", expression))
    except (re.error, OverflowError, RecursionError) as error:
        at = scanner.ended_at
        raise QueryError(f"/{expression}/ is no regular expression: {error}", at - len(expression) - 2, at) from error


def string_of(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), quoted[1:-1], flags=re.DOTALL)


def duration_ms(text: str) -> float:
    digits = text.rstrip("msdhw")
    return float(int(digits) * _DURATION_MS[text[len(digits) :]])


def _field(name: str) -> Expression:
    return lambda record: record.get(name)


def _either(left: Expression, right: Expression) -> Expression:
    return lambda record: holds(left(record)) or holds(right(record))


def _both(left: Expression, right: Expression) -> Expression:
    return lambda record: holds(left(record)) and holds(right(record))


def _compared(left: Expression, compare: Callable[[Value, Value], bool], right: Expression) -> Expression:
    return lambda record: _compare(left(record), compare, right(record))


def _compare(left: Value, compare: Callable[[Value, Value], bool], right: Value) -> bool:
    """As numbers where both are; else as texts. What is not there differs from everything and has no order."""
    if left is None or right is None:
        return compare is operator.ne and left is not right
    numbers = number_of(left), number_of(right)
    if None not in numbers:
        return compare(*numbers)
    return compare(text_of(left), text_of(right))


def _computed(left: Expression, compute: Callable[[float, float], float], right: Expression) -> Expression:
    def run(record: Record) -> Value:
        first, second = number_of(left(record)), number_of(right(record))
        if first is None or second is None:
            return None
        try:
            return compute(first, second)
        except (ZeroDivisionError, OverflowError, ValueError):
            return None

    return run


def _raise(base: float, exponent: float) -> float:
    return math.pow(base, exponent)  # `**` makes complex numbers
