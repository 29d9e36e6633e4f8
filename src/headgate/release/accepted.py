"""What a field of a release file accepts, in words, read off the types themselves."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import inspect

from headgate.model.release import Duration, Percentage, Release

ANY: Final = "..."  # in a path, some key of a mapping
_WRITTEN: Final = {Duration: "a duration such as 90s, 5m or 1h30m", Percentage: "a percentage such as 5%"}


def accepted_at(path: Sequence[str | int]) -> str:
    """Words such as "known are alpha, beta"; "" where nothing is known of the path."""
    kind = _type_at(path)
    return "" if kind is None else _words(kind)


@lru_cache(1)
def _root() -> inspect.Type:
    return inspect.type_info(Release)


def _type_at(path: Sequence[str | int]) -> inspect.Type | None:
    kind: inspect.Type | None = _root()
    for part in path:
        kind = _below(kind, part)
    return kind


def _below(kind: inspect.Type | None, part: str | int) -> inspect.Type | None:
    match kind:
        case inspect.StructType(fields=fields):
            return next((each.type for each in fields if each.encode_name == part), None)
        case inspect.VarTupleType(item_type=item):
            return item if isinstance(part, int) else None
        case inspect.DictType(value_type=value):
            return value
        case inspect.UnionType(types=types):
            found = (_below(each, part) for each in types)
            return next((each for each in found if each is not None), None)
        case inspect.Metadata(type=inner):
            return _below(inner, part)
        case _:
            return None


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType(fields=fields):
            return f"known are {', '.join(each.encode_name for each in fields)}"
        case inspect.LiteralType(values=values):
            return f"it is one of {', '.join(map(str, values))}"
        case inspect.CustomType(cls=cls):
            return f"write {_WRITTEN[cls]}" if cls in _WRITTEN else ""
        case inspect.VarTupleType():
            return "it is a list"
        case inspect.DictType():
            return "it is a mapping"
        case inspect.Metadata(type=inner):
            return _words(inner)
        case inspect.UnionType(types=types):
            return " or ".join(each for each in map(_words, types) if each)
        case inspect.StrType(pattern=str(pattern)):
            return f"it must match {pattern}"
        case inspect.IntType() | inspect.FloatType():
            return _range(kind)
        case _:
            return ""


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"from {kind.ge:g}" if kind.ge is not None else f"above {kind.gt:g}" if kind.gt is not None else ""
    high = f"to {kind.le:g}" if kind.le is not None else f"below {kind.lt:g}" if kind.lt is not None else ""
    return f"it is a number {low} {high}".replace("  ", " ").rstrip() if low or high else "it is a number"


def names_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """A part's fields as the file writes them."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))
