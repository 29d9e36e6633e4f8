"""A release file's text as a `Release`, or every problem that it has, each with its line and what would be accepted."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from headgate.model.release import Duration, Percentage, Release
from headgate.release.accepted import ANY, accepted_at
from headgate.release.checks import problems

MAX_BYTES: Final = 256 * 1024
_MAX_NODES: Final = 20_000  # aliases expanded: a file that grows beyond it is not what it looks like
_NULL: Final = "tag:yaml.org,2002:null"
_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key in )?\$(?P<path>.*)`)?", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

Path = tuple[str | int, ...]


class FileError(Exception):
    """A release file that cannot be used: a line for each problem, `name:line: field: what is wrong`."""


def read_release(text: str, name: str) -> Release:
    """`name` is how the messages call the file. Raises FileError."""
    if len(text.encode()) > MAX_BYTES:
        raise FileError(f"{name}: the file has over {MAX_BYTES} bytes")
    import yaml  # here, as a server starts without one

    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise FileError(f"{name}:{line}: this is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise FileError(f"{name}: this is not YAML: {' '.join(str(error).split())}") from error
    if node is None or node.id != "mapping":
        raise FileError(f"{name}:1: a release file is a mapping that begins with release: NAME")
    document = _Document(name)
    plain = document.read(node, ())
    document.raise_any()
    try:
        release = msgspec.convert(plain, Release, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise FileError(document.told(*_located(str(error)))) from error
    found = [document.told(path, message) for path, message in problems(release)]
    if found:
        raise FileError("\n".join(found))
    return release


class _Document:
    """The nodes as plain values, and the line that each path stands at."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: dict[Path, int] = {}
        self._nodes = 0
        self._problems: list[str] = []

    def read(self, node: Any, path: Path) -> Any:
        """Scalars stay text: what they mean is decided by the field, so that a variable may be `on`, `1.10` or `4`."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise FileError(f"{self._name}: the file has over {_MAX_NODES} values once its aliases are expanded")
        self._lines.setdefault(path, node.start_mark.line + 1)
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.read(each, (*path, number)) for number, each in enumerate(node.value)]
        return None if node.tag == _NULL else node.value

    def raise_any(self) -> None:
        if self._problems:
            raise FileError("\n".join(self._problems))

    def told(self, path: Path, message: str) -> str:
        """A problem as a line of text. The nearest part of the path that stands in the file gives the line."""
        known = path
        while known not in self._lines:
            known = known[:-1]
        where = f"{self._name}:{self._lines[known]}"
        return f"{where}: {_spelled(path)}: {message}" if path else f"{where}: {message}"

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if key_node.id == "scalar" else str(key_node.tag)
            self._lines[*path, key] = key_node.start_mark.line + 1
            if key in read:
                self._problems.append(self.told((*path, key), "stands here a second time"))
            read[key] = self.read(value_node, (*path, key))
        return read


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration or kind is Percentage:
        return kind.parse(value)
    raise NotImplementedError(kind)


def _located(message: str) -> tuple[Path, str]:
    """msgspec's message as a path and words that say what would be accepted."""
    found = _PLACE.fullmatch(message)
    what, path = (found["what"], tuple(_parts(found["path"] or ""))) if found is not None else (message, ())
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", what)
    if unknown is not None:
        return (*path, unknown[1]), f"there is no such field; {accepted_at(path)}"
    missing = re.fullmatch(r"Object missing required field `(.+)`", what)
    if missing is not None:
        return path, f"{missing[1]} is missing"
    accepted = accepted_at(path)
    words = what[:1].lower() + what[1:]
    return path, f"{words}; {accepted}" if accepted and accepted not in words else words


def _parts(path: str) -> Iterator[str | int]:
    for name, number in _PART.findall(path):
        if name:
            yield name
        else:
            yield ANY if number == ANY else int(number)  # msgspec does not say which key of a mapping


def _spelled(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{'*' if part == ANY else part}" if text else part
    return text


def shown(release: Release) -> Mapping[str, Any]:
    """A release as JSON; durations and percentages as they are written in a file."""
    built: Mapping[str, Any] = msgspec.to_builtins(release, enc_hook=str)
    return built
