"""rest-json: members in the path, the query string, headers and a JSON body. API Gateway, Lambda and X-Ray speak it."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from headgate.model.errors import ApiError
from headgate.wire.http import HttpRequest, HttpResponse, body_of, query_pairs
from headgate.wire.json_values import JsonReaders, JsonWriters, dump_json, parse_json
from headgate.wire.scalars import (
    READERS,
    TIMESTAMP_TEXTS,
    Read,
    json_blob,
    read_blob,
    rfc822,
    text_of_boolean,
    text_of_double,
)
from headgate.wire.schema import Model, OperationModel, Reference, Shape

Values = dict[str, Any]
Parse = Callable[[HttpRequest, Mapping[str, str]], Values]  # (request, the path's labels) -> members
Serialize = Callable[[Mapping[str, Any], str], HttpResponse]  # (members, request id) -> answer

_JSON: Final = "application/json"
# A blob that is the whole answer carries no type of its own; Invoke's payload is JSON.
_BLOB_TYPES: Final = {"lambda": _JSON}
_HEADER_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    "boolean": text_of_boolean,
    "float": text_of_double,
    "double": text_of_double,
    "blob": json_blob,
}


class RestJson:
    """The codecs of one service."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers = JsonReaders(model)
        self._writers = JsonWriters(model)

    def parser(self, operation: OperationModel) -> Parse:
        if operation.input is None:
            return lambda _request, _labels: {}
        shape = self._model.shape(operation.input)
        read_body = self._body_reader(shape)
        readers = [
            read
            for read in (self._label_reader(shape), self._query_reader(shape, operation), self._header_reader(shape))
            if read is not None
        ]

        def parse(request: HttpRequest, labels: Mapping[str, str]) -> Values:
            values = read_body(body_of(request)) if read_body is not None else {}
            for read in readers:
                read(request, labels, values)
            return values

        return parse

    def serializer(self, operation: OperationModel) -> Serialize:
        status = operation.http.response_code
        if operation.output is None:
            return lambda _values, request_id: HttpResponse(status=status, headers=[("x-amzn-RequestId", request_id)])
        shape = self._model.shape(operation.output)
        write_body = self._body_writer(shape)
        write_headers = self._header_writer(shape)
        states_type = any(ref.location_name == "Content-Type" for _, ref in _at(shape, "header"))
        status_member = next((name for name, ref in shape.members.items() if ref.location == "statusCode"), None)

        def serialize(values: Mapping[str, Any], request_id: str) -> HttpResponse:
            headers = [("x-amzn-RequestId", request_id)]
            given = values.get(status_member) if status_member is not None else None
            write_headers(values, headers)
            body, content_type = write_body(values)
            if (given or status) == 204:
                body = b""
            elif not states_type:
                headers.append(("Content-Type", content_type))
            return HttpResponse(status=given or status, headers=headers, body=body)

        return serialize

    def _body_reader(self, shape: Shape) -> Callable[[bytes], Values] | None:
        if shape.payload is not None:
            return self._payload_reader(shape.payload, shape.members[shape.payload])
        members = {name: ref for name, ref in shape.members.items() if ref.location is None}
        if not members:
            return None  # a body, if any, is nobody's
        read = self._readers.structure(members)
        return lambda body: read(parse_json(body)) if body else {}

    def _payload_reader(self, name: str, reference: Reference) -> Callable[[bytes], Values]:
        match self._model.shape(reference).type:
            case "blob":
                # An empty body and no body are one thing here.
                return lambda body: {name: body} if body else {}
            case "string":
                return lambda body: {name: body.decode("utf-8", "replace")} if body else {}
            case _:
                read = self._readers.reader(reference)
                return lambda body: {name: read(parse_json(body))} if body else {}

    def _label_reader(self, shape: Shape) -> "_Locate | None":
        wanted = [(ref.location_name or name, name, self._text_reader(ref)) for name, ref in _at(shape, "uri")]

        def read_labels(_request: HttpRequest, labels: Mapping[str, str], values: Values) -> None:
            for label, name, read in wanted:
                if (text := labels.get(label)) is not None:
                    values[name] = read(text)

        return read_labels if wanted else None

    def _query_reader(self, shape: Shape, operation: OperationModel) -> "_Locate | None":
        """Scalars (the last value counts), lists (a name repeated), at most one map, which takes all other names."""
        scalars: dict[str, tuple[str, Read]] = {}
        lists: dict[str, tuple[str, Read]] = {}
        rest_of_names: str | None = None
        for name, ref in _at(shape, "querystring"):
            used = self._model.shape(ref)
            if used.type == "list":
                assert used.member is not None
                lists[ref.location_name or name] = (name, self._text_reader(used.member))
            elif used.type == "map":
                rest_of_names = name
            else:
                scalars[ref.location_name or name] = (name, self._text_reader(ref))
        constants = {name for name, _ in parse_qsl(operation.http.request_uri.partition("?")[2], True)}

        def read_query(request: HttpRequest, _labels: Mapping[str, str], values: Values) -> None:
            for wire_name, text in query_pairs(request.query):
                if wire_name in scalars:
                    name, read = scalars[wire_name]
                    # `limit=` is a form field left blank; an empty string is still a string.
                    if text or read is READERS["string"]:
                        values[name] = read(text)
                elif wire_name in lists:
                    name, read = lists[wire_name]
                    values.setdefault(name, []).append(read(text))
                elif rest_of_names and wire_name not in constants and not wire_name.startswith("X-Amz-"):
                    values.setdefault(rest_of_names, {})[wire_name] = text

        return read_query if scalars or lists or rest_of_names else None

    def _header_reader(self, shape: Shape) -> "_Locate | None":
        """Header names have no case, so neither do the keys of a map of headers (`headers`, by prefix): lower case."""
        wanted = [
            ((ref.location_name or name).lower(), name, self._text_reader(ref)) for name, ref in _at(shape, "header")
        ]
        prefixes = [((ref.location_name or "").lower(), name) for name, ref in _at(shape, "headers")]

        def read_headers(request: HttpRequest, _labels: Mapping[str, str], values: Values) -> None:
            for header, name, read in wanted:
                if (text := request.headers.get(header)) is not None:
                    values[name] = read(text)
            for prefix, name in prefixes:
                found = {key[len(prefix) :]: text for key, text in request.headers.items() if key.startswith(prefix)}
                if found:
                    values[name] = found

        return read_headers if wanted or prefixes else None

    def _text_reader(self, reference: Reference) -> Read:
        if reference.jsonvalue:
            return lambda text: parse_json(read_blob(text))
        shape = self._model.shape(reference)
        if shape.type == "list":
            assert shape.member is not None
            read = self._text_reader(shape.member)
            return lambda text: [read(item) for item in split_header(str(text))]
        return READERS[shape.type]

    def _body_writer(self, shape: Shape) -> Callable[[Mapping[str, Any]], tuple[bytes, str]]:
        if shape.payload is not None:
            return self._payload_writer(shape.payload, shape.members[shape.payload])
        members = {name: ref for name, ref in shape.members.items() if ref.location is None}
        write = self._writers.structure(members)
        return lambda values: (dump_json(write(values)), _JSON)

    def _payload_writer(self, name: str, reference: Reference) -> Callable[[Mapping[str, Any]], tuple[bytes, str]]:
        shape = self._model.shape(reference)
        if shape.eventstream:
            # Whoever streams frames the events; here they are bytes.
            return lambda values: (values.get(name) or b"", "application/vnd.amazon.eventstream")
        if shape.type == "blob":
            blob_type = _BLOB_TYPES.get(self._model.service, "application/octet-stream")
            return lambda values: (values.get(name) or b"", blob_type)
        if shape.type == "string":
            return lambda values: ((values.get(name) or "").encode(), "text/plain")
        write = self._writers.writer(reference)
        assert write is not None
        return lambda values: (dump_json(write(values.get(name) or {})), _JSON)

    def _header_writer(self, shape: Shape) -> Callable[[Mapping[str, Any], list[tuple[str, str]]], None]:
        wanted = [(name, ref.location_name or name, self._header_text(ref)) for name, ref in _at(shape, "header")]
        prefixes = [(name, ref.location_name or "") for name, ref in _at(shape, "headers")]

        def write_headers(values: Mapping[str, Any], headers: list[tuple[str, str]]) -> None:
            for name, header, text in wanted:
                if (value := values.get(name)) is not None:
                    headers.append((header, text(value)))
            for name, prefix in prefixes:
                headers.extend((prefix + key, text) for key, text in (values.get(name) or {}).items())

        return write_headers

    def _header_text(self, reference: Reference) -> Callable[[Any], str]:
        if reference.jsonvalue:
            return lambda value: base64.b64encode(orjson.dumps(value)).decode("ascii")
        shape = self._model.shape(reference)
        if shape.type == "timestamp":
            return TIMESTAMP_TEXTS.get(reference.timestamp_format or shape.timestamp_format or "", rfc822)
        if shape.type == "list":
            assert shape.member is not None
            text = self._header_text(shape.member)
            return lambda value: ",".join(_quote_header(text(item)) for item in value)
        return _HEADER_TEXTS.get(shape.type, str)


_Locate = Callable[[HttpRequest, Mapping[str, str], Values], None]


def split_header(text: str) -> list[str]:
    """The items of a header list: parted by commas, blanks around them dropped; a quoted one may hold both."""
    items: list[str] = []
    rest = text.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            if end >= len(rest):
                raise ApiError("SerializationException", "A quoted header value does not end.")
            items.append(rest[1:end].replace('\\"', '"'))
            rest = rest[end + 1 :].lstrip().removeprefix(",").lstrip()
        else:
            item, _, rest = rest.partition(",")
            items.append(item.strip())
            rest = rest.lstrip()
    return items


def _at(shape: Shape, location: str) -> list[tuple[str, Reference]]:
    return [(name, ref) for name, ref in shape.members.items() if ref.location == location]


def _quote_header(item: str) -> str:
    if "," not in item and '"' not in item:
        return item
    quoted = item.replace('"', '\\"')
    return f'"{quoted}"'
