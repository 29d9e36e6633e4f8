"""A query: its commands, compiled, and what they make of records."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from headgate.telemetry.insights.expressions import (
    AggregateCall,
    Expression,
    ExpressionParser,
    compile_regex,
    string_of,
)
from headgate.telemetry.insights.scanner import QueryError, Scanner
from headgate.telemetry.insights.values import Record, Value, holds, number_of, text_of

__all__ = ["Query", "QueryError", "parse_query"]

MAX_ROWS: Final = 10_000
_DEFAULT_COLUMNS: Final = ("@timestamp", "@message")
_COMMANDS: Final = ("fields", "display", "filter", "stats", "sort", "limit", "parse", "dedup")

Step = Callable[[Iterable[Record]], Iterable[Record]]


class Named(NamedTuple):
    name: str
    expression: Expression


class Query(NamedTuple):
    """Compiled. `head` looks at each record alone; `tail` at them together."""

    head: list[Step]
    tail: list[Step]
    columns: list[str]
    is_aggregate: bool

    def run(self, records: Iterable[Record], limit: int) -> tuple[list[Record], int]:
        """The rows of the answer, and how many records passed the filters."""
        matched = 0

        def counted(passing: Iterable[Record]) -> Iterator[Record]:
            nonlocal matched
            for record in passing:
                matched += 1
                yield record

        passing: Iterable[Record] = records
        for step in self.head:
            passing = step(passing)
        passing = counted(passing)
        for step in self.tail:
            passing = step(passing)
        return list(_limited(limit)(passing)), matched

    def row(self, record: Record) -> list[tuple[str, str]]:
        """A record as it is shown: fields without a value are left out."""
        return [(name, text_of(value)) for name in self.columns if (value := record.get(name)) is not None]


def parse_query(text: str) -> Query:
    """Raises QueryError."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._head: list[Step] = []
        self._tail: list[Step] = []
        self._columns: list[str] = []
        self._displayed: list[str] | None = None
        self._is_aggregate = False

    def parse(self) -> Query:
        scanner = self._scanner
        self._command()
        while scanner.took("|"):
            self._command()
        if scanner.next.kind != "end":
            raise scanner.unexpected("| or the end")
        columns = self._displayed if self._displayed is not None else self._columns
        return Query(self._head, self._tail, columns or list(_DEFAULT_COLUMNS), self._is_aggregate)

    def _command(self) -> None:
        token = self._scanner.next
        name = token.text.lower()
        if token.kind != "word" or name not in _COMMANDS:
            raise self._scanner.unexpected(f"one of the commands {', '.join(_COMMANDS)}")
        self._scanner.take()
        match name:
            case "fields":
                made = self._named_list()
                self._columns += [each.name for each in made if each.name not in self._columns]
                self._add(_fields(made))
            case "display":
                made = self._named_list()
                self._displayed = [each.name for each in made]
                self._add(_fields(made))
            case "filter":
                condition = ExpressionParser(self._scanner).parse()
                self._add(lambda records: (record for record in records if holds(condition(record))))
            case "parse":
                self._add(self._parse_command())
            case "stats":
                self._tail.append(self._stats())
            case "sort":
                self._tail.append(self._sort())
            case "dedup":
                self._tail.append(_dedup([each.expression for each in self._named_list()]))
            case _:
                self._tail.append(_limited(self._whole_number()))

    def _add(self, step: Step) -> None:
        """Behind a command that looks at all records, everything does."""
        steps = self._tail or self._head
        steps.append(step)

    def _named_list(self, aggregates: list[AggregateCall] | None = None) -> list[Named]:
        made = [self._named(aggregates)]
        while self._scanner.took(","):
            made.append(self._named(aggregates))
        return made

    def _named(self, aggregates: list[AggregateCall] | None) -> Named:
        """An expression, with the name that it is given or its own text."""
        scanner = self._scanner
        start = scanner.next.start
        expression = ExpressionParser(scanner, aggregates).parse()
        name = scanner.text[start : scanner.ended_at].strip().strip("`")
        if scanner.took_word("as"):
            name = self._name()
        return Named(name, expression)

    def _name(self) -> str:
        if self._scanner.next.kind not in {"word", "field"}:
            raise self._scanner.unexpected("a name")
        return self._scanner.take().text.strip("`")

    def _stats(self) -> Step:
        start = self._scanner.next.start
        calls: list[AggregateCall] = []
        made = self._named_list(calls)
        if not calls:
            raise QueryError("stats needs an aggregate such as count(*)", start, self._scanner.ended_at)
        by = self._named_list() if self._scanner.took_word("by") else []
        self._columns = [each.name for each in [*by, *made]]
        self._displayed = None
        self._is_aggregate = True
        return _stats(made, calls, by)

    def _sort(self) -> Step:
        keys: list[tuple[Expression, bool]] = []
        while True:
            expression = ExpressionParser(self._scanner).parse()
            descending = self._scanner.took_word("desc")
            if not descending:
                self._scanner.took_word("asc")
            keys.append((expression, descending))
            if not self._scanner.took(","):
                return _sort(keys)

    def _whole_number(self) -> int:
        token = self._scanner.next
        if token.kind != "number" or not token.text.isdigit() or not 1 <= int(token.text) <= MAX_ROWS:
            raise self._scanner.unexpected(f"a number from 1 to {MAX_ROWS}")
        return int(self._scanner.take().text)

    def _parse_command(self) -> Step:
        scanner = self._scanner
        source = "@message"
        start = scanner.next.start
        if scanner.next.kind in {"word", "field"}:
            source = self._name()  # a field and no expression: what follows may begin with a slash
        expression = scanner.took_regex()
        if expression is not None:
            pattern = compile_regex(expression, scanner)
            names = list(pattern.groupindex)
        elif scanner.next.kind == "string":
            glob = string_of(scanner.take().text)
            names = []
            parts = "(.*?)".join(re.escape(part) for part in glob.split("*"))
            pattern = re.compile(parts + ("$" if glob.endswith("*") else ""), re.DOTALL)
        else:
            raise scanner.unexpected("a text with * in quotes or a regular expression between slashes")
        if scanner.took_word("as"):
            names = [self._name()]
            while scanner.took(","):
                names.append(self._name())
        if not names or len(names) > pattern.groups:
            raise QueryError(
                f"parse finds {pattern.groups} values and names {len(names)} fields", start, scanner.ended_at
            )
        groups = [pattern.groupindex.get(name, at) for at, name in enumerate(names, 1)]
        return _parse(source, pattern, list(zip(names, groups, strict=True)))


def _fields(made: list[Named]) -> Step:
    def run(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            for name, expression in made:
                if (value := expression(record)) is not None:
                    record.set(name, value)
            yield record

    return run


def _parse(source: str, pattern: re.Pattern[str], names: list[tuple[str, int]]) -> Step:
    def run(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            found = pattern.search(text_of(record.get(source)))
            if found is not None:
                for name, group in names:
                    record.set(name, found[group])
            yield record

    return run


def _stats(made: list[Named], calls: list[AggregateCall], by: list[Named]) -> Step:
    def run(records: Iterable[Record]) -> Iterator[Record]:
        groups: dict[tuple[str, ...], tuple[list[Value], list[Record]]] = {}
        for record in records:
            values = [each.expression(record) for each in by]
            groups.setdefault(tuple(map(text_of, values)), (values, []))[1].append(record)
        if not groups and not by:
            groups[()] = ([], [])  # a count of nothing is 0
        for values, members in groups.values():
            row = Record({each.name: value for each, value in zip(by, values, strict=True)})
            for call in calls:
                given = [1 if call.argument is None else call.argument(member) for member in members]
                row.set(call.name, call.aggregate.run(given, members, call.number))
            for each in made:
                row.set(each.name, each.expression(row))
            yield row

    return run


def _sort(keys: list[tuple[Expression, bool]]) -> Step:
    def run(records: Iterable[Record]) -> list[Record]:
        ordered = list(records)
        for expression, descending in reversed(keys):
            ordered.sort(key=lambda record: _order(expression(record)), reverse=descending)
        return ordered

    return run


def _order(value: Value) -> tuple[int, float, str]:
    """What is not there before all else, numbers before texts."""
    if value is None:
        return 0, 0.0, ""
    number = number_of(value)
    return (2, 0.0, text_of(value)) if number is None else (1, number, "")


def _dedup(keys: list[Expression]) -> Step:
    def run(records: Iterable[Record]) -> Iterator[Record]:
        seen: set[tuple[str, ...]] = set()
        for record in records:
            key = tuple(text_of(expression(record)) for expression in keys)
            if key not in seen:
                seen.add(key)
                yield record

    return run


def _limited(limit: int) -> Step:
    def run(records: Iterable[Record]) -> Iterator[Record]:
        """All records are read, so that those that match are counted."""
        for at, record in enumerate(records):
            if at < limit:
                yield record

    return run
