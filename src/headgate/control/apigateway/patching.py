"""What the patch tables of the nouns share: reading a patch's value, and editing maps and tuples."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from headgate.control.apigateway.errors import bad_request, not_found
from headgate.model.errors import ApiError
from headgate.wire.patch import Patch, PatchTable

V = TypeVar("V")
S = TypeVar("S", bound=msgspec.Struct)
Reader = Callable[[Patch], Any]


def required(patch: Patch) -> str:
    """The value, which must be there and not empty."""
    if not patch.value:
        raise bad_request(f"Invalid null or empty value for path {patch.path}")
    return patch.value


def flag(patch: Patch) -> bool:
    """A boolean value; any word but `true` is false (aws-recorded, Defaults)."""
    return (patch.value or "").lower() == "true"


def integer(patch: Patch, wanted: str) -> int:
    try:
        return int(patch.value or "")
    except ValueError:
        raise bad_request(f"Invalid value {patch.value!r} for path {patch.path}: give {wanted}") from None


def number(patch: Patch, wanted: str) -> float:
    try:
        return float(patch.value or "")
    except ValueError:
        raise bad_request(f"Invalid value {patch.value!r} for path {patch.path}: give {wanted}") from None


def put_entry(entries: Mapping[str, V] | None, name: str, value: V) -> Mapping[str, V]:
    return {**(entries or {}), name: value}


def remove_entry(entries: Mapping[str, V] | None, name: str, missing: str) -> Mapping[str, V] | None:
    """The map without one entry, None when that was the last. `missing` words the 404 when it is not there."""
    if name not in (entries or {}):
        raise not_found(missing)
    return {key: value for key, value in (entries or {}).items() if key != name} or None


def without(items: tuple[str, ...], item: str) -> tuple[str, ...] | None:
    return tuple(each for each in items if each != item) or None


def optional(patch: Patch) -> str | None:
    """The value, or None for none or an empty one."""
    return patch.value or None


def refused_by_path(patch: Patch, table: PatchTable[Any]) -> ApiError:
    """The words of some operations for a patch that is not in their table: the path's other operations, or no path."""
    others = [op for op in ("add", "remove", "replace") if table.find(Patch(op=op, path=patch.path)) is not None]
    if others:
        return bad_request(f"Invalid patch operation specified. Must be one of: [{', '.join(others)}]")
    return bad_request(f"Invalid patch path {patch.path}")


def set_field(field: str, read: Reader) -> Callable[[S, Patch], S]:
    """The change that sets one field of a value to what `read` makes of the patch."""
    return lambda value, patch: msgspec.structs.replace(value, **{field: read(patch)})


def map_field(path: str, field: str, read: Reader, missing: str) -> dict[tuple[str, str], Callable[[S, Patch], S]]:
    """Add, replace and remove of one entry of a map; `path` ends in `{name}`.

    `missing` words the 404 of replacing or removing an entry that is not there.
    """

    def put(value: S, patch: Patch) -> S:
        entries = put_entry(getattr(value, field), patch.names["name"], read(patch))
        return msgspec.structs.replace(value, **{field: entries})

    def put_again(value: S, patch: Patch) -> S:
        if patch.names["name"] not in (getattr(value, field) or {}):
            raise not_found(missing)
        return put(value, patch)

    def remove(value: S, patch: Patch) -> S:
        entries = remove_entry(getattr(value, field), patch.names["name"], missing)
        return msgspec.structs.replace(value, **{field: entries})

    return {("add", path): put, ("replace", path): put_again, ("remove", path): remove}


NO_PARAMETER: Final = "Invalid parameter name specified"
NO_CONTENT_TYPE: Final = "Content-Type specified was not found"
"""How `map_field` words what is missing."""
