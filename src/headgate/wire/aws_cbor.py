"""Smithy's RPC v2 over CBOR: the operation stands in the path, and bodies are CBOR. Newer SDKs speak it to CloudWatch.

The values are those of JSON but for two: blobs are bytes, and a timestamp is tagged as one (tag 1, seconds).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate.model.errors import ApiError
from headgate.wire.http import HttpRequest, HttpResponse, body_of
from headgate.wire.json_values import JsonReaders, JsonWriters
from headgate.wire.scalars import READERS, read_bytes
from headgate.wire.schema import Model, OperationModel

PROTOCOL: Final = "smithy-rpc-v2-cbor"
_SMITHY: Final = ("smithy-protocol", "rpc-v2-cbor")
HEADERS: Final = (_SMITHY, ("Content-Type", "application/cbor"))
_MAX_DEPTH: Final = 64
_EPOCH_TAG: Final = 1


class AwsCbor:
    """The codecs of one service."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers = JsonReaders(model, {**READERS, "blob": read_bytes})
        self._writers = JsonWriters(model, {"float": float, "double": float}, timestamp=_tagged)

    def parser(self, operation: OperationModel) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.structure(self._model.shape(operation.input).members)
        return lambda request, _labels: read(parse_cbor(body_of(request)))

    def serializer(self, operation: OperationModel) -> Callable[[Mapping[str, Any], str], HttpResponse]:
        if operation.output is None:
            # Then there is no body, and no type of one.
            return lambda _values, request_id: HttpResponse(
                status=200, headers=[("x-amzn-RequestId", request_id), _SMITHY]
            )
        write = self._writers.structure(self._model.shape(operation.output).members)

        def serialize(values: Mapping[str, Any], request_id: str) -> HttpResponse:
            headers = [("x-amzn-RequestId", request_id), *HEADERS]
            return HttpResponse(status=200, headers=headers, body=dump_cbor(write(values)))

        return serialize


def parse_cbor(body: bytes) -> object:
    """The value of a CBOR item; an empty body is an empty map. Raises ApiError for anything that is none."""
    import cbor2  # only who speaks it pays for it

    if not body:
        return {}
    try:
        return cbor2.loads(
            body,
            max_depth=_MAX_DEPTH,
            semantic_decoders={_EPOCH_TAG: _seconds},
            strict_hashable_types=True,
        )
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError) as error:
        raise ApiError("SerializationException", f"Could not parse the request body as CBOR: {error}") from error


def dump_cbor(value: object) -> bytes:
    import cbor2

    return cbor2.dumps(value)


def _seconds(tagged: Any, _immutable: bool) -> object:
    """A timestamp as it stands under its tag."""
    return tagged


def _tagged(seconds: Any) -> object:
    import cbor2

    return cbor2.CBORTag(_EPOCH_TAG, float(seconds))
