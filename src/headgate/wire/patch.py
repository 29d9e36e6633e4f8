"""Patch operations as tables of exact paths, so that what a resource supports can be read, listed and refused.

    _PATCHES = PatchTable({
        ("replace", "/description"): lambda stage, patch: replace(stage, description=patch.value or ""),
        ("replace", "/variables/{name}"): _set_variable,      # patch.names["name"]
        ("remove", "/canarySettings"): _remove_canary,
    })
    stage = apply(_PATCHES, stage, request.get("patchOperations"))

A path is a JSON Pointer: `{name}` stands for one token of it, handed on with `~1` and `~0` unescaped; `{name+}` for one
or more with the slashes between them (Terraform writes a usage plan's resource paths unescaped). A token may hold more
than a name, as in `/apiStages/{api}:{stage}`. A literal beats a name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from headgate.model.errors import ApiError
from headgate.model.value import Value

T = TypeVar("T")  # the patched value, frozen


class Patch(Value, frozen=True):
    """One operation of a PATCH. All values of the wire are strings."""

    op: str
    path: str
    value: str | None = None
    source: str | None = None  # the wire's `from`, for copy and move
    names: Mapping[str, str] = {}  # what the path's names stand for, unescaped


Change = Callable[[T, Patch], T]
Refuse = Callable[["Patch", "PatchTable[Any]"], ApiError]


def unknown_path(patch: Patch, table: "PatchTable[Any]") -> ApiError:
    """API Gateway's words for a path that an operation does not have (recorded; the two blanks are its own)."""
    known = table.paths(patch.op)
    ending = f"Must be one of: [{', '.join(known)}]" if known else "Please choose supported operations"
    return ApiError(
        "BadRequestException", f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. {ending}"
    )


class PatchTable(Generic[T]):
    """What can be patched in one kind of value, and how. `unknown` words the refusal of any other path."""

    def __init__(self, changes: Mapping[tuple[str, str], Change[T]], unknown: Refuse = unknown_path) -> None:
        self.unknown: Final = unknown
        self._paths: dict[str, list[str]] = {}
        self._changes: dict[str, list[tuple[re.Pattern[str], Change[T]]]] = {}
        for op, path in changes:
            self._paths.setdefault(op, []).append(path)
        for op, paths in self._paths.items():
            self._changes[op] = [(_pattern(path), changes[op, path]) for path in sorted(paths, key=_specificity)]

    def paths(self, op: str) -> list[str]:
        """The paths of an operation, in the table's order."""
        return list(self._paths.get(op, ()))

    def find(self, patch: Patch) -> tuple[Change[T], Mapping[str, str]] | None:
        """The change for a path, with what the path's names stand for."""
        for pattern, change in self._changes.get(patch.op, ()):
            if found := pattern.fullmatch(patch.path):
                return change, {name: unescape(text) for name, text in found.groupdict().items()}
        return None


def apply(table: PatchTable[T], value: T, operations: Iterable[Mapping[str, Any]] | None) -> T:
    """The value after all operations (the wire's PatchOperation structures), in their order.

    All or nothing: an ApiError on the way leaves the caller with the value it had.
    """
    for operation in operations or ():
        path = operation.get("path")
        if path is None:
            raise ApiError("BadRequestException", "Invalid patch path null")
        op = operation.get("op", "")
        patch = Patch(op=op, path=path, value=operation.get("value"), source=operation.get("from"))
        found = table.find(patch)
        if found is None:
            raise table.unknown(patch, table)
        change, names = found
        value = change(value, Patch(op=op, path=path, value=patch.value, source=patch.source, names=names))
    return value


def unescape(token: str) -> str:
    """A JSON Pointer token as the name it stands for (RFC 6901, section 4: `~1` first)."""
    return token.replace("~1", "/").replace("~0", "~")


def escape(name: str) -> str:
    """A name as a JSON Pointer token."""
    return name.replace("~", "~0").replace("/", "~1")


_NAME: Final = re.compile(r"\{(\w+)(\+?)\}")


def _pattern(path: str) -> re.Pattern[str]:
    parts: list[str] = []
    end = 0
    for name in _NAME.finditer(path):
        # Lazy, so that the first colon of `{api}:{stage}` parts the two.
        parts += [re.escape(path[end : name.start()]), f"(?P<{name[1]}>{'.+' if name[2] else '[^/]+?'})"]
        end = name.end()
    return re.compile("".join(parts) + re.escape(path[end:]), re.DOTALL)


def _specificity(path: str) -> list[int]:
    """Literals before names before names that span, from the left."""
    return [2 if "+}" in token else 1 if "{" in token else 0 for token in path.split("/")]
