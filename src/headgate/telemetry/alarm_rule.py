"""The rules of composite alarms: expressions over the states of other alarms (aws-semantics 8.2).

    rule = term {OR term} ; term = factor {AND factor} ; factor = NOT factor | (rule) | TRUE | FALSE
         | ALARM(name) | OK(name) | INSUFFICIENT_DATA(name)
         | AT_LEAST(count | percent%, state | NOT state, (name, ...))

A name is bare, in quotes where it has other characters than letters, digits and `-_.:/`, or an alarm's ARN.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import ceil
from typing import Final

from headgate.model.alarm import AlarmValue
from headgate.model.value import Value
from headgate.telemetry.lexer import tokenize

MAX_CHILDREN: Final = 100
_MAX_DEPTH: Final = 100  # of brackets: nothing a client sends may exhaust the stack
_EXPECTED: Final = "'(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA"
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<sign>[(),])|(?P<word>[^\s(),\"']+))"
)
_ALARM_ARN: Final = re.compile(r"arn:aws[\w-]*:cloudwatch:[\w-]+:\d{12}:alarm:(.+)", re.DOTALL)

StateOf = Callable[[str], AlarmValue]
"""The state of the alarm of this name; INSUFFICIENT_DATA where there is none."""


class RuleError(Exception):
    """The rule cannot be read; the message is the client's."""


class Constant(Value, frozen=True):
    value: bool


class InState(Value, frozen=True):
    state: AlarmValue
    alarm: str


class Not(Value, frozen=True):
    part: "Rule"


class AllOf(Value, frozen=True):
    parts: "tuple[Rule, ...]"


class AnyOf(Value, frozen=True):
    parts: "tuple[Rule, ...]"


class AtLeast(Value, frozen=True):
    """So many of these alarms, or so many percent of them, are in the state, or are not."""

    number: float
    is_percent: bool
    state: AlarmValue
    negated: bool
    alarms: tuple[str, ...]


Rule = Constant | InState | Not | AllOf | AnyOf | AtLeast


@lru_cache(maxsize=4096)
def parse_rule(text: str) -> Rule:
    """Raises RuleError."""
    parser = _Parser([token[:2] for token in tokenize(text, _TOKEN, _not_closed)])
    rule = parser.rule()
    parser.end()
    if len(found := children(rule)) > MAX_CHILDREN:
        raise RuleError(f"Error in AlarmRule [it refers to {len(found)} alarms; it may refer to {MAX_CHILDREN}]")
    return rule


def children(rule: Rule) -> tuple[str, ...]:
    """The names of the alarms that a rule refers to, each once, in its order."""
    return tuple(dict.fromkeys(_mentioned(rule)))


def holds(rule: Rule, state_of: StateOf) -> bool:
    """Whether the rule is true."""
    match rule:
        case Constant(value=value):
            return value
        case InState(state=state, alarm=alarm):
            return state_of(alarm) is state
        case Not(part=part):
            return not holds(part, state_of)
        case AllOf(parts=parts):
            return all(holds(part, state_of) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, state_of) for part in parts)
        case AtLeast():
            number = sum((state_of(alarm) is rule.state) != rule.negated for alarm in rule.alarms)
            return number >= (ceil(len(rule.alarms) * rule.number / 100) if rule.is_percent else rule.number)


def alarm_name(text: str) -> str:
    """The name, of a name or of an alarm's ARN."""
    found = _ALARM_ARN.fullmatch(text)
    return found[1] if found is not None else text


def _mentioned(rule: Rule) -> Iterator[str]:
    match rule:
        case InState(alarm=alarm):
            yield alarm
        case Not(part=part):
            yield from _mentioned(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _mentioned(part)
        case AtLeast(alarms=alarms):
            yield from alarms
        case Constant():
            return


def _not_closed(at: int) -> RuleError:
    return RuleError(f"Error in AlarmRule [a quote at position {at} is not closed]")


class _Parser:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise RuleError(f"Error in AlarmRule [Unsupported token {self._tokens[self._at][1]} must be: AND or OR]")

    def rule(self) -> Rule:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RuleError(f"Error in AlarmRule [it is nested more than {_MAX_DEPTH} deep]")
        parts = [self._term()]
        while self._take("word", "OR"):
            parts.append(self._term())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else AnyOf(parts=tuple(parts))

    def _term(self) -> Rule:
        parts = [self._factor()]
        while self._take("word", "AND"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def _factor(self) -> Rule:
        negated = False
        while self._take("word", "NOT"):
            negated = not negated
        rule = self._plain_factor()
        return Not(part=rule) if negated else rule

    def _plain_factor(self) -> Rule:
        kind, text = self._next(_EXPECTED)
        if (kind, text) == ("sign", "("):
            inner = self.rule()
            self._expect(")")
            return inner
        if kind == "word" and text in {"TRUE", "FALSE"}:
            return Constant(value=text == "TRUE")
        if kind == "word" and text in AlarmValue.__members__:
            self._expect("(")
            alarm = self._alarm()
            self._expect(")")
            return InState(state=AlarmValue(text), alarm=alarm)
        if (kind, text) == ("word", "AT_LEAST"):
            return self._at_least()
        raise _unsupported(text, _EXPECTED)

    def _at_least(self) -> Rule:
        self._expect("(")
        _, text = self._next("a number or a percentage")
        if not re.fullmatch(r"\d{1,3}%?", text):
            raise _unsupported(text, "a number or a percentage")
        self._expect(",")
        negated = self._take("word", "NOT")
        _, state = self._next("ALARM, OK or INSUFFICIENT_DATA")
        if state not in AlarmValue.__members__:
            raise _unsupported(state, "ALARM, OK or INSUFFICIENT_DATA")
        self._expect(",")
        self._expect("(")
        alarms = [self._alarm()]
        while self._take("sign", ","):
            alarms.append(self._alarm())
        self._expect(")")
        self._expect(")")
        return AtLeast(
            number=int(text.rstrip("%")),
            is_percent=text.endswith("%"),
            state=AlarmValue(state),
            negated=negated,
            alarms=tuple(alarms),
        )

    def _alarm(self) -> str:
        kind, text = self._next("the name or ARN of an alarm")
        if kind == "sign":
            raise _unsupported(text, "the name or ARN of an alarm")
        return alarm_name(re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text)

    def _expect(self, sign: str) -> None:
        kind, text = self._next(f"'{sign}'")
        if (kind, text) != ("sign", sign):
            raise _unsupported(text, f"'{sign}'")

    def _next(self, expected: str) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _unsupported("<EOF>", expected)
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, text):
            self._at += 1
            return True
        return False


def _unsupported(text: str, expected: str) -> RuleError:
    return RuleError(f"Error in AlarmRule [Unsupported token {text} must be: {expected}]")
