"""The lexer of the small languages of telemetry: rules of alarms, metric math, filter patterns, X-Ray's filters."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Token(NamedTuple):
    kind: str  # the name of its group in the language's pattern; "end" after the last
    text: str
    at: int  # where it begins

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.text in signs


def tokenize(text: str, pattern: re.Pattern[str], unreadable: Callable[[int], Exception]) -> Iterator[Token]:
    """The tokens of a text. `pattern` passes over the blanks before a token and has a named group for each kind.

    Raises what `unreadable` makes of the position behind the last token that could be read.
    """
    end, at = len(text.rstrip()), 0
    while at < end:
        found = pattern.match(text, at)
        if found is None:
            raise unreadable(at)
        assert found.lastgroup is not None
        yield Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        at = found.end()
