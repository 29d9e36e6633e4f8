"""Reads along the tokens of a statement."""

from collections.abc import Collection, Iterable, Sequence

from headgate.release.migrations.sql import Token


class Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._tokens)

    @property
    def rest(self) -> Sequence[Token]:
        return self._tokens[self._at :]

    def sees(self, *words: str) -> bool:
        """Whether these come next."""
        return words_of(self._tokens[self._at : self._at + len(words)]) == list(words)

    def take(self, *words: str) -> bool:
        """Go past these, if they come next."""
        if not self.sees(*words):
            return False
        self._at += len(words)
        return True

    def skip(self, words: Collection[str]) -> None:
        """Go past any of these, as many as come."""
        while any(self.sees(word) for word in words):
            self._at += 1

    def word(self) -> str:
        """The next token as a word, and go past it; "" if it is none."""
        if self.ended:
            return ""
        (word,) = words_of(self._tokens[self._at : self._at + 1])
        self._at += 1
        return word

    def name(self) -> str:
        """A name, and go past it: the last part of a qualified one."""
        name = ""
        while not self.ended and (part := self._tokens[self._at].name):
            name = part
            self._at += 1
            if not self.take("."):
                break
        return name


def words_of(tokens: Iterable[Token]) -> list[str]:
    """Words and signs as they are, and "" for names in quotes, strings and numbers, which are never keywords."""
    return [token.text if token.kind in {"word", "sign"} else "" for token in tokens]


def has(tokens: Sequence[Token], *words: str) -> bool:
    """Whether these stand somewhere, one after the other."""
    found = words_of(tokens)
    return any(found[at : at + len(words)] == list(words) for at in range(len(found) - len(words) + 1))


def outside_brackets(tokens: Iterable[Token]) -> list[Token]:
    kept, depth = [], 0
    for token, word in ((token, token.text if token.kind == "sign" else "") for token in tokens):
        depth -= word == ")"
        if depth == 0 and word != ")":
            kept.append(token)
        depth += word == "("
    return kept


def before(tokens: Sequence[Token], *words: str) -> list[Token]:
    """What stands before the first of these words outside brackets; all of it if there is none."""
    depth = 0
    for at, word in enumerate(words_of(tokens)):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in words:
            return list(tokens[:at])
    return list(tokens)


def parts(tokens: Iterable[Token]) -> list[list[Token]]:
    """What commas part, outside brackets."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        sign = token.text if token.kind == "sign" else ""
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return [part for part in found if part]


def first_brackets(tokens: Sequence[Token]) -> list[Token]:
    """What the first brackets hold; nothing if there are none."""
    inside, depth = [], 0
    for token in tokens:
        sign = token.text if token.kind == "sign" else ""
        if sign == ")":
            depth -= 1
            if depth == 0:
                break
        if depth > 0:
            inside.append(token)
        if sign == "(":
            depth += 1
    return inside
