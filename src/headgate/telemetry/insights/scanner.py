"""A query's text, read from left to right."""

import re
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""(?P<duration>\d+(?:ms|[smhdw])\b)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<field>`[^`]+`)
      | (?P<word>@?[A-Za-z_][\w.]*|@[\w.]+)
      | (?P<sign>=~|!=|<=|>=|[=<>+\-*/^%(),|\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_BLANK: Final = re.compile(r"(?:\s|\#[^\n]*)+")
_REGEX: Final = re.compile(r"/((?:[^/\\\n]|\\.)*)/")


class QueryError(ValueError):
    """The query cannot be understood."""

    def __init__(self, reason: str, start: int, end: int) -> None:
        super().__init__(reason)
        self.start = start  # of the text that is not understood
        self.end = end


class Token(NamedTuple):
    kind: str  # duration, number, string, field, word, sign, or "end"
    text: str
    start: int
    end: int


class Scanner:
    def __init__(self, text: str) -> None:
        self.text: Final = text
        self._token = self._lex(0)
        self.ended_at = 0  # where the token taken last ends

    @property
    def next(self) -> Token:
        return self._token

    def take(self) -> Token:
        token = self._token
        self.ended_at = token.end
        self._token = self._lex(token.end)
        return token

    def took(self, sign: str) -> bool:
        """Take this sign, if it is the next."""
        if self._token.kind == "sign" and self._token.text == sign:
            self.take()
            return True
        return False

    def took_word(self, word: str) -> bool:
        """Take this word, in any case, if it is the next."""
        if self._token.kind == "word" and self._token.text.lower() == word:
            self.take()
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise self.unexpected(sign)

    def took_regex(self) -> str | None:
        """Take a regular expression between slashes; None when there is none here."""
        found = _REGEX.match(self.text, self._token.start)
        if found is None:
            return None
        self.ended_at = found.end()
        self._token = self._lex(found.end())
        return found[1].replace("\\/", "/")

    def unexpected(self, wanted: str) -> QueryError:
        token = self._token
        there = "the end" if token.kind == "end" else repr(token.text)
        return QueryError(f"unexpected {there}; {wanted} was expected", token.start, token.end)

    def _lex(self, position: int) -> Token:
        blank = _BLANK.match(self.text, position)
        if blank is not None:
            position = blank.end()
        if position >= len(self.text):
            return Token("end", "", position, position)
        found = _TOKEN.match(self.text, position)
        if found is None:
            # Not an error yet: it may be a regular expression, which only the parser knows.
            return Token("sign", self.text[position], position, position + 1)
        return Token(found.lastgroup or "", found[0], position, found.end())
