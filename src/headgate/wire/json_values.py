"""JSON's values, and CBOR's, to members and back: closures compiled from the shapes, so that a request pays for no
interpretation.

Reading gives python values by member name: structures and maps are dicts, blobs bytes, timestamps epoch seconds. An
absent member stays absent, and null is absent; what the shape does not know is dropped. Writing takes the same values,
and skips None and what the shape does not know.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NoReturn

import orjson

from headgate.model.errors import ApiError
from headgate.wire.scalars import READERS, TIMESTAMP_TEXTS, Read, Write, json_blob, json_double, json_timestamp, refuse
from headgate.wire.schema import Model, Reference, Shape

_JSON_WRITERS: Final[dict[str, Write]] = {"blob": json_blob, "float": json_double, "double": json_double}


def parse_json(body: bytes) -> object:
    """The value of a JSON text; an empty body is an empty object. Raises ApiError for anything that is no JSON."""
    if not body:
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError("SerializationException", f"Could not parse the request body as JSON: {error}") from error


def dump_json(value: object) -> bytes:
    return orjson.dumps(value, default=_plain)


class JsonReaders:
    """Compiles readers for one service's shapes; each shape once."""

    def __init__(self, model: Model, scalars: Mapping[str, Read] = READERS) -> None:
        self._model = model
        self._scalars = scalars
        self._made: dict[str, Read] = {}

    def reader(self, reference: Reference) -> Read:
        name = reference.shape
        if name not in self._made:
            # A shape may contain itself: what is compiled meanwhile looks the finished reader up when called.
            self._made[name] = lambda value: self._made[name](value)  # noqa: PLW0108
            self._made[name] = self._compile(self._model.shapes[name])
        return self._made[name]

    def structure(self, members: Mapping[str, Reference]) -> Callable[[object], dict[str, object]]:
        """A reader of an object with these members, whichever shape they are from."""
        by_wire_name = {ref.location_name or name: (name, self.reader(ref)) for name, ref in members.items()}

        def read_structure(value: object) -> dict[str, object]:
            if not isinstance(value, dict):
                _refuse_token(value)
            found: dict[str, object] = {}
            for wire_name, item in value.items():
                if item is not None and (known := by_wire_name.get(wire_name)) is not None:
                    found[known[0]] = known[1](item)
            return found

        return read_structure

    def _compile(self, shape: Shape) -> Read:
        match shape.type:
            case "structure" if shape.document:
                return lambda value: value
            case "structure":
                return self.structure(shape.members)
            case "list":
                assert shape.member is not None
                return _list_reader(self.reader(shape.member))
            case "map":
                assert shape.value is not None
                return _map_reader(self.reader(shape.value))
            case scalar:
                return self._scalars[scalar]


class JsonWriters:
    """Compiles writers for one service's shapes; each shape once."""

    def __init__(
        self,
        model: Model,
        scalars: Mapping[str, Write] | None = None,
        timestamp: Callable[[Any], object] | None = None,
    ) -> None:
        """`scalars` and `timestamp` are a protocol's own, in whose place JSON's stand."""
        self._model = model
        self._scalars = _JSON_WRITERS if scalars is None else scalars
        self._timestamp = timestamp
        self._made: dict[str, Write] = {}

    def writer(self, reference: Reference) -> Write:
        shape = self._model.shape(reference)
        if shape.type == "timestamp":
            if self._timestamp is not None:
                return self._timestamp
            return TIMESTAMP_TEXTS.get(reference.timestamp_format or shape.timestamp_format or "", json_timestamp)
        name = reference.shape
        if name not in self._made:
            # A shape may contain itself; see JsonReaders.
            self._made[name] = lambda value: _written(self._made[name], value)
            self._made[name] = self._compile(shape)
        return self._made[name]

    def structure(self, members: Mapping[str, Reference]) -> Callable[[Mapping[str, object]], dict[str, object]]:
        """A writer of an object with these members, whichever shape they are from."""
        by_name = {name: (ref.location_name or name, self.writer(ref)) for name, ref in members.items()}

        def write_structure(value: Mapping[str, object]) -> dict[str, object]:
            written: dict[str, object] = {}
            for name, item in value.items():
                if item is not None and (known := by_name.get(name)) is not None:
                    wire_name, write = known
                    written[wire_name] = item if write is None else write(item)
            return written

        return write_structure

    def _compile(self, shape: Shape) -> Write:
        match shape.type:
            case "structure" if shape.document:
                return None
            case "structure":
                return self.structure(shape.members)
            case "list":
                assert shape.member is not None
                return _list_writer(self.writer(shape.member))
            case "map":
                assert shape.value is not None
                return _map_writer(self.writer(shape.value))
            case scalar:
                return self._scalars.get(scalar)


def _list_reader(read: Read) -> Read:
    def read_list(value: object) -> list[object]:
        if not isinstance(value, list):
            _refuse_token(value)
        return [read(item) for item in value if item is not None]

    return read_list


def _map_reader(read: Read) -> Read:
    def read_map(value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            _refuse_token(value)
        return {key: read(item) for key, item in value.items() if item is not None}

    return read_map


def _refuse_token(value: object) -> NoReturn:
    if isinstance(value, dict | list):
        refuse(value, "")
    raise ApiError("SerializationException", "Unexpected token received from parser")


def _list_writer(write: Write) -> Write:
    if write is None:
        return None

    def write_list(value: Iterable[Any]) -> list[object]:
        return [write(item) for item in value]

    return write_list


def _map_writer(write: Write) -> Write:
    def write_map(value: Mapping[str, Any]) -> dict[str, object]:
        items = value.items()
        return {key: item if write is None else write(item) for key, item in items if item is not None}

    return write_map


def _written(write: Write, value: object) -> object:
    return value if write is None else write(value)


def _plain(value: object) -> object:
    """Frozen containers that orjson does not know by itself."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer: {value!r}")
