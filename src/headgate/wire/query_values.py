"""The query protocol's values: form fields to members, members to XML.

A form is flat: `Dimensions.member.1.Name=Id`. It is folded into a tree by its dots first, then read by closures
compiled from the shapes. The rules are those of botocore's QuerySerializer and QueryParser: lists are `.member.N` (or
the element's locationName, or straight `.N` when flattened), maps `.entry.N.key` and `.entry.N.value`; an empty list is
an empty text.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from headgate.model.errors import ApiError
from headgate.wire.scalars import (
    READERS,
    TIMESTAMP_TEXTS,
    Read,
    iso8601,
    json_blob,
    text_of_boolean,
    text_of_double,
)
from headgate.wire.schema import Model, Reference, Shape

Tree = dict[str, "str | Tree"]
Emit = Callable[[list[str], str, Any], None]  # appends the element of that name and value to the parts of a document

_MAX_DEPTH: Final = 64  # of dots in one field's name; the models need less than 20
_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    "boolean": text_of_boolean,
    "float": text_of_double,
    "double": text_of_double,
    "blob": json_blob,
}
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def fold(fields: Iterable[tuple[str, str]]) -> Tree:
    """The fields as a tree by the dots of their names. A name that is both a leaf and a branch stays a branch."""
    root: Tree = {}
    for name, text in fields:
        if "." not in name:
            root.setdefault(name, text)
            continue
        *branches, leaf = name.split(".")
        if len(branches) > _MAX_DEPTH:
            raise ApiError("MalformedInput", f"The parameter name has more than {_MAX_DEPTH} parts.")
        node = root
        for branch in branches:
            below = node.get(branch)
            if not isinstance(below, dict):
                below = node[branch] = {}
            node = below
        node.setdefault(leaf, text)
    return root


class QueryReaders:
    """Compiles readers of trees for one service's shapes."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made: dict[str, Read] = {}

    def reader(self, reference: Reference) -> Read:
        shape = self._model.shape(reference)
        if shape.type == "list":
            # Whether it is flattened is said at the use.
            assert shape.member is not None
            flat = reference.flattened or shape.flattened
            return _list_reader(None if flat else shape.member.location_name or "member", self.reader(shape.member))
        if shape.type == "map":
            assert shape.key is not None
            assert shape.value is not None
            names = (shape.key.location_name or "key", shape.value.location_name or "value")
            flat = reference.flattened or shape.flattened
            return _map_reader(None if flat else "entry", names, self.reader(shape.value))
        name = reference.shape
        if name not in self._made:
            # A shape may contain itself; see JsonReaders.
            self._made[name] = lambda node: self._made[name](node)  # noqa: PLW0108
            self._made[name] = self.structure(shape) if shape.type == "structure" else _scalar_reader(shape.type)
        return self._made[name]

    def structure(self, shape: Shape) -> Callable[[object], dict[str, object]]:
        by_wire_name = {self._wire_name(name, ref): (name, self.reader(ref)) for name, ref in shape.members.items()}

        def read_structure(node: object) -> dict[str, object]:
            if not isinstance(node, dict):
                if node == "":
                    return {}
                _refuse("a structure")
            found: dict[str, object] = {}
            for wire_name, item in node.items():
                if (known := by_wire_name.get(wire_name)) is not None:
                    found[known[0]] = known[1](item)
            return found

        return read_structure

    def _wire_name(self, name: str, reference: Reference) -> str:
        """A flattened list goes by its element's locationName, where it has one."""
        shape = self._model.shape(reference)
        if (reference.flattened or shape.flattened) and shape.member is not None and shape.member.location_name:
            return shape.member.location_name
        return reference.location_name or name


class XmlWriters:
    """Compiles writers of XML elements for one service's shapes."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made: dict[str, Emit] = {}

    def writer(self, reference: Reference) -> Emit:
        shape = self._model.shape(reference)
        flat = reference.flattened or shape.flattened
        if shape.type == "list":
            assert shape.member is not None
            return _list_writer(shape.member.location_name, self.writer(shape.member), flat)
        if shape.type == "map":
            assert shape.key is not None
            assert shape.value is not None
            names = (shape.key.location_name or "key", shape.value.location_name or "value")
            return _map_writer(names, self.writer(shape.value), flat)
        if shape.type == "timestamp":
            stated = reference.timestamp_format or shape.timestamp_format
            return _text_writer(TIMESTAMP_TEXTS.get(stated or "", iso8601))
        name = reference.shape
        if name not in self._made:
            # A shape may contain itself; see JsonReaders.
            self._made[name] = lambda parts, tag, value: self._made[name](parts, tag, value)  # noqa: PLW0108
            is_structure = shape.type == "structure"
            self._made[name] = self._structure(shape) if is_structure else _text_writer(_TEXTS.get(shape.type, str))
        return self._made[name]

    def _structure(self, shape: Shape) -> Emit:
        by_name = {name: (ref.location_name or name, self.writer(ref)) for name, ref in shape.members.items()}

        def write_structure(parts: list[str], tag: str, value: Mapping[str, Any]) -> None:
            parts.append(f"<{tag}>")
            for name, item in value.items():
                if item is not None and (known := by_name.get(name)) is not None:
                    known[1](parts, known[0], item)
            parts.append(f"</{tag}>")

        return write_structure


def escape_xml(text: str) -> str:
    """Text as element content. XML has no way to say most control characters: they become U+FFFD."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return _NOT_XML.sub("\ufffd", text)


def _scalar_reader(kind: str) -> Read:
    read = READERS[kind]

    def read_scalar(node: object) -> object:
        if not isinstance(node, str):
            _refuse(f"a {kind}")
        return read(node)

    return read_scalar


def _list_reader(step: str | None, read: Read) -> Read:
    def read_list(node: object) -> list[object]:
        if node == "":
            return []
        below = node if step is None else node.get(step) if isinstance(node, dict) else None
        if not isinstance(below, dict):
            _refuse("a list")
        return [read(below[key]) for key in sorted(below, key=_position)]

    return read_list


def _map_reader(step: str | None, names: tuple[str, str], read: Read) -> Read:
    key_name, value_name = names

    def read_map(node: object) -> dict[str, object]:
        if node == "":
            return {}
        below = node if step is None else node.get(step) if isinstance(node, dict) else None
        if not isinstance(below, dict):
            _refuse("a map")
        found: dict[str, object] = {}
        for entry in below.values():
            if not isinstance(entry, dict) or value_name not in entry:
                _refuse("a map")
            key = entry.get(key_name)
            if not isinstance(key, str):
                _refuse("a map's key")
            found[key] = read(entry[value_name])
        return found

    return read_map


def _position(key: str) -> int:
    if len(key) > 9 or not (key.isascii() and key.isdigit()):
        _refuse("a list")
    return int(key)


def _refuse(wanted: str) -> NoReturn:
    raise ApiError("MalformedInput", f"Unexpected parameter structure where {wanted} belongs.")


def _list_writer(element: str | None, emit: Emit, flat: bool) -> Emit:
    def write_list(parts: list[str], tag: str, value: Iterable[Any]) -> None:
        if flat:
            for item in value:
                emit(parts, element or tag, item)
            return
        parts.append(f"<{tag}>")
        for item in value:
            emit(parts, element or "member", item)
        parts.append(f"</{tag}>")

    return write_list


def _map_writer(names: tuple[str, str], emit: Emit, flat: bool) -> Emit:
    key_name, value_name = names

    def write_map(parts: list[str], tag: str, value: Mapping[str, Any]) -> None:
        if not flat:
            parts.append(f"<{tag}>")
        entry = tag if flat else "entry"
        for key, item in value.items():
            if item is not None:
                parts.append(f"<{entry}><{key_name}>{escape_xml(key)}</{key_name}>")
                emit(parts, value_name, item)
                parts.append(f"</{entry}>")
        if not flat:
            parts.append(f"</{tag}>")

    return write_map


def _text_writer(text: Callable[[Any], str]) -> Emit:
    def write_text(parts: list[str], tag: str, value: Any) -> None:
        parts.append(f"<{tag}>{escape_xml(text(value))}</{tag}>")

    return write_text
