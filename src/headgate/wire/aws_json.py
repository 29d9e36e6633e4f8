"""awsJson1.0 and 1.1: an X-Amz-Target header and a JSON body. CloudWatch and CloudWatch Logs speak it."""

from collections.abc import Callable, Mapping
from typing import Any

from headgate.wire.http import HttpRequest, HttpResponse, body_of
from headgate.wire.json_values import JsonReaders, JsonWriters, dump_json, parse_json
from headgate.wire.schema import Model, OperationModel


class AwsJson:
    """The codecs of one service."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers = JsonReaders(model)
        self._writers = JsonWriters(model)
        self.content_type = f"application/x-amz-json-{model.metadata.json_version}"

    def parser(self, operation: OperationModel) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.structure(self._model.shape(operation.input).members)
        return lambda request, _labels: read(parse_json(body_of(request)))

    def serializer(self, operation: OperationModel) -> Callable[[Mapping[str, Any], str], HttpResponse]:
        members = self._model.shape(operation.output).members if operation.output is not None else {}
        write = self._writers.structure(members)

        def serialize(values: Mapping[str, Any], request_id: str) -> HttpResponse:
            headers = [("x-amzn-RequestId", request_id), ("Content-Type", self.content_type)]
            return HttpResponse(status=200, headers=headers, body=dump_json(write(values)))

        return serialize
