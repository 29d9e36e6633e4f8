"""SQL as statements of tokens: enough to tell what a statement does, in PostgreSQL, MySQL and SQLite alike.

Why no parser of a library: sqlglot, the best one in Python, gives up on a third of the statements that this is about
(VALIDATE CONSTRAINT, RENAME TABLE, ATTACH PARTITION, ALTER TYPE, triggers of other dialects) and wants to know the
dialect, which a file does not say. Where the dialects read a text differently, `Unreadable` is raised: a lint that
guesses could take code for a comment.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from headgate.model.value import Value

_MOST_SHOWN: Final = 80

_PARTS: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*)
  | (?P<comment_mysql>\#(?![>\-])[^\n]*)           # not the operators #> #>> #- of PostgreSQL
  | (?P<executed>/\*M?!\d*)                        # MySQL and MariaDB execute what such a comment holds
  | (?P<executed_end>\*/)
  | (?P<block>/\*.*?\*/)
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<dollar_open>\$(?:[^\W\d]\w*)?\$)
  | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')          # backslashes escape in it
  | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<number>\d[\w.]*)
  | (?P<word>[^\W\d][\w$]*|@+\w+)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_END: Final = {quote: re.compile(rf"(?<!\\)(?:\\\\)*\\{quote}") for quote in "'\""}
_COMPOUND: Final = {"TRIGGER", "FUNCTION", "PROCEDURE", "EVENT"}


class Unreadable(Exception):
    """The text cannot be told apart into code, comments and strings for sure; `line` says where."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line: Final = line


class Token(Value, frozen=True):
    kind: Literal["word", "quoted", "string", "number", "sign"]
    text: str  # a word in capitals; a quoted name as it is, without the quotes
    line: int

    @property
    def name(self) -> str:
        """As a name, which databases mostly compare without regard to case; "" if it cannot be one."""
        return self.text.lower() if self.kind in {"word", "quoted"} else ""


class Statement(Value, frozen=True):
    tokens: tuple[Token, ...]  # at least one; without the semicolon
    text: str

    @property
    def line(self) -> int:
        return self.tokens[0].line

    @property
    def shown(self) -> str:
        text = " ".join(self.text.split())
        return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def statements(sql: str) -> Iterator[Statement]:
    """The statements of a file, in order. Raises Unreadable."""
    tokens: list[Token] = []
    begins = ends = 0
    depth = 0  # of BEGIN ... END and CASE ... END within a routine
    for token, start, end in _tokens(sql):
        if token.text == ";" and token.kind == "sign" and depth == 0:
            if tokens:
                yield Statement(tokens=tuple(tokens), text=sql[begins:ends])
            tokens = []
            continue
        if not tokens:
            begins = start
        if _is_routine(tokens):
            depth = max(0, depth + _opens(tokens[-1], token))
        tokens.append(token)
        ends = end
    if depth:
        raise Unreadable(tokens[0].line, "a BEGIN has no END")
    if tokens:
        yield Statement(tokens=tuple(tokens), text=sql[begins:ends])


def _is_routine(tokens: Sequence[Token]) -> bool:
    """Whether what follows may hold a block of statements."""
    if not tokens or tokens[0].text != "CREATE" or tokens[0].kind != "word":
        return False
    return any(token.text in _COMPOUND for token in tokens[1:9] if token.kind == "word")


def _opens(before: Token, token: Token) -> int:
    if token.kind != "word":
        return 0
    if before.text == "END" and before.kind == "word":
        # END IF and the like end what was not counted; END CASE ends a CASE, which was.
        return 1 if token.text in {"IF", "LOOP", "WHILE", "REPEAT"} else 0
    if token.text in {"BEGIN", "CASE"}:
        return 1
    return -1 if token.text == "END" else 0


def _tokens(sql: str) -> Iterator[tuple[Token, int, int]]:
    line = 1
    executed = False
    for part in _PARTS.finditer(sql):
        kind, text = part.lastgroup or "sign", part[0]
        match kind:
            case "space" | "comment":
                pass
            case "comment_mysql":
                if sql[sql.rfind("\n", 0, part.start()) + 1 : part.start()].strip():
                    raise Unreadable(line, "# begins a comment for MySQL alone; write --")
            case "block":
                if "/*" in text[2:]:
                    raise Unreadable(
                        line, "a comment within a comment ends here for one database and there for another"
                    )
            case "executed":
                executed = True
            case "executed_end" if executed:
                executed = False
            case "string" | "quoted" if (end := _ESCAPED_END.get(text[-1])) is not None and end.search(text):
                raise Unreadable(
                    line, f"\\{text[-1]} ends a string for one database and not for another; double the quote"
                )
            case "dollar" | "escaped" | "string":
                yield Token(kind="string", text=text, line=line), part.start(), part.end()
            case "quoted":
                yield Token(kind="quoted", text=text[1:-1], line=line), part.start(), part.end()
            case "number":
                yield Token(kind="number", text=text, line=line), part.start(), part.end()
            case "word":
                yield Token(kind="word", text=text.upper(), line=line), part.start(), part.end()
            case "dollar_open":
                raise Unreadable(line, "a string in dollar quotes has no end")
            case _:
                if text in {"'", '"', "`"} or sql.startswith("/*", part.start()):
                    raise Unreadable(line, "a string or comment has no end")
                if text == "\\":
                    raise Unreadable(line, "a command of the client is no SQL")
                yield Token(kind="sign", text=text, line=line), part.start(), part.end()
        line += text.count("\n")
