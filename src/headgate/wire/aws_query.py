"""The query protocol: form fields in, XML out. STS speaks it, and CloudWatch to older SDKs and to Terraform."""

from collections.abc import Callable, Mapping
from typing import Any

from headgate.wire.http import HttpRequest, HttpResponse, form_pairs
from headgate.wire.query_values import QueryReaders, XmlWriters, escape_xml, fold
from headgate.wire.schema import Model, OperationModel, Reference


class AwsQuery:
    """The codecs of one service."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers = QueryReaders(model)
        self._writers = XmlWriters(model)
        self._namespace = model.metadata.xml_namespace or ""

    def parser(self, operation: OperationModel) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.structure(self._model.shape(operation.input))
        return lambda request, _labels: read(fold(form_pairs(request)))

    def serializer(self, operation: OperationModel) -> Callable[[Mapping[str, Any], str], HttpResponse]:
        name = operation.name
        write_result = self._result_writer(name, operation.output)

        def serialize(values: Mapping[str, Any], request_id: str) -> HttpResponse:
            parts = [f'<{name}Response xmlns="{self._namespace}">']
            write_result(parts, values)
            parts.append(f"<ResponseMetadata><RequestId>{escape_xml(request_id)}</RequestId></ResponseMetadata>")
            parts.append(f"</{name}Response>")
            headers = [("x-amzn-RequestId", request_id), ("Content-Type", "text/xml")]
            return HttpResponse(status=200, headers=headers, body="".join(parts).encode())

        return serialize

    def _result_writer(self, name: str, output: Reference | None) -> Callable[[list[str], Mapping[str, Any]], None]:
        if output is None:
            return lambda _parts, _values: None
        emit = self._writers.writer(output)
        wrapper = output.result_wrapper or f"{name}Result"
        return lambda parts, values: emit(parts, wrapper, values)
