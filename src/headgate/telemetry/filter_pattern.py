"""Filter patterns of CloudWatch Logs, compiled: which events they match, and what they extract.

Three syntaxes (user guide, "Filter pattern syntax"): terms, `{ JSON conditions }` and `[space, delimited, fields]`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from headgate.telemetry.filter_fields import FieldsPattern
from headgate.telemetry.filter_json import JsonPattern, is_selector
from headgate.telemetry.filter_regex import FilterRegex, RegexError
from headgate.telemetry.filter_syntax import PatternError, invalid

__all__ = ["FilterPattern", "Match", "PatternError", "compile_pattern"]

MAX_LENGTH: Final = 1024

_TERM: Final = re.compile(r'\s*([?-]?)\s*(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"%]+))', re.DOTALL)
_BARE_TERM: Final = re.compile(r"\w+")


class Match(NamedTuple):
    """An event that matched."""

    extracted: Mapping[str, str]  # by the pattern's own selectors or field names; empty for terms
    lookup: Callable[[str], str | None]  # the text of any selector, such as "$.latency" or "$bytes"


class FilterPattern:
    """One pattern. Not for two threads at a time."""

    def __init__(
        self, text: str, match: Callable[[str], Match | None], matches: Callable[[str], bool], *, kind: str
    ) -> None:
        self.text = text
        self.match: Final = match
        self.matches: Final = matches
        self._kind = kind

    def __repr__(self) -> str:
        return f"<FilterPattern {self.text!r}>"

    def can_look_up(self, selector: str) -> bool:
        """Whether a metric value or dimension may name this: `$.a.b` of a JSON pattern, `$name` of a delimited one."""
        match self._kind:
            case "json":
                return is_selector(selector)
            case "fields":
                return re.fullmatch(r"\$[\w\-]+", selector) is not None
            case _:
                return False


def compile_pattern(text: str) -> FilterPattern:
    """Raises PatternError."""
    if len(text) > MAX_LENGTH:
        raise invalid(f"it has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    stripped = text.strip()
    if stripped.startswith("{"):
        if not stripped.endswith("}"):
            raise invalid("{ has no }")
        json = JsonPattern(stripped[1:-1])
        return FilterPattern(text, _matched(json.match), json.matches, kind="json")
    if stripped.startswith("["):
        if not stripped.endswith("]"):
            raise invalid("[ has no ]")
        fields = FieldsPattern(stripped[1:-1])
        return FilterPattern(text, _matched(fields.match), fields.matches, kind="fields")
    matches = _terms(stripped)
    return FilterPattern(text, lambda message: _NOTHING if matches(message) else None, matches, kind="terms")


_NOTHING: Final = Match({}, lambda _: None)


def _matched(
    match: Callable[[str], tuple[Mapping[str, str], Callable[[str], str | None]] | None],
) -> Callable[[str], Match | None]:
    def matched(message: str) -> Match | None:
        found = match(message)
        return None if found is None else Match(*found)

    return matched


def _terms(text: str) -> Callable[[str], bool]:
    """Terms that must be there, `-` that must not, `?` of which one must be there."""
    required: list[Callable[[str], bool]] = []
    excluded: list[Callable[[str], bool]] = []
    optional: list[Callable[[str], bool]] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid(f"{text[position:].strip()[:40]!r} was not expected")
        {"": required, "-": excluded, "?": optional}[found[1]].append(_term(found))
        position = found.end()
    if optional and not required and not excluded:
        return lambda message: any(term(message) for term in optional)
    # Beside other terms, optional ones are ignored (user guide, "Match terms using OR").
    if len(required) == 1 and not excluded:
        return required[0]
    return lambda message: all(term(message) for term in required) and not any(term(message) for term in excluded)


def _term(found: re.Match[str]) -> Callable[[str], bool]:
    _, quoted, regex, bare = found.groups()
    if regex is not None:
        try:
            return FilterRegex(regex).search
        except RegexError as error:
            raise invalid(f"%{regex[:40]}%: {error}") from error
    if quoted is None and not _BARE_TERM.fullmatch(bare):
        raise PatternError(f"Invalid character(s) in term '{bare[:80]}'")
    term = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    return lambda message: term in message
