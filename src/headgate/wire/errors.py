"""API errors as bytes, in the error shape of each protocol. What the error's shape in the model says is followed."""

from headgate.model.errors import ApiError
from headgate.wire.aws_cbor import HEADERS as CBOR_HEADERS
from headgate.wire.aws_cbor import dump_cbor
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.json_values import dump_json
from headgate.wire.query_values import escape_xml
from headgate.wire.schema import Model, Reference, Shape, load_model


def render_error(protocol: str, service: str, error: ApiError, request_id: str) -> HttpResponse:
    """The answer to a refused request. `service` may be one without a model here, or "": then the plainest shape.

    - rest-json: `{"message": ...}`, the code in `x-amzn-ErrorType`. Lambda's errors say `Type` (User or Server), and
      some of them `Message`: as the model has it.
    - json: the same with the code in `__type`.
    - smithy-rpc-v2-cbor: the same as CBOR.
    - query: `ErrorResponse` XML.

    Members of the error's shape that live in headers go there: `retryAfterSeconds` as Retry-After.
    """
    model = _model(service)
    found = model.error_shape(error.code) if model is not None else None
    name, shape = found or (error.code, _UNMODELLED)
    headers = [("x-amzn-RequestId", request_id), *_header_fields(shape, error)]
    match protocol:
        case "query":
            body = _error_xml(model, shape, error, request_id)
            return HttpResponse(status=error.status, headers=[*headers, ("Content-Type", "text/xml")], body=body)
        case "json":
            version = model.metadata.json_version if model is not None else "1.1"
            headers.append(("Content-Type", f"application/x-amz-json-{version}"))
            headers += _query_error(model, shape, error)
            body = dump_json({"__type": name, **_body(shape, error)})
        case "smithy-rpc-v2-cbor":
            headers += CBOR_HEADERS
            headers += _query_error(model, shape, error)
            body = dump_cbor({"__type": name, **_body(shape, error)})
        case _:
            headers += [("x-amzn-ErrorType", name), ("Content-Type", "application/json")]
            body = dump_json(_body(shape, error))
    return HttpResponse(status=error.status, headers=headers, body=body)


def unsupported_operation(service: str, operation: str) -> ApiError:
    """For an operation that AWS has and Headgate has not. A 4xx: Terraform repeats a 5xx for minutes."""
    return ApiError(
        "UnsupportedOperationException", f"{_full_name(service)}: {operation} is not supported by Headgate."
    )


def unknown_operation(service: str, request: HttpRequest) -> ApiError:
    """For a request that names no operation of its service."""
    asked = request.headers.get("x-amz-target") or f"{request.method} {request.path}"
    where = f"{_full_name(service)} has no operation" if service else "No service here has an operation"
    return ApiError("UnknownOperationException", f"{where} for {asked[:300]}", 404)


_UNMODELLED = Shape(type="structure", members={"message": Reference(shape="String")})


def _model(service: str) -> Model | None:
    try:
        return load_model(service)
    except FileNotFoundError:
        return None


def _full_name(service: str) -> str:
    model = _model(service)
    return (model.metadata.service_full_name if model is not None else "") or service


def _header_fields(shape: Shape, error: ApiError) -> list[tuple[str, str]]:
    located = {name: ref.location_name or name for name, ref in shape.members.items() if ref.location == "header"}
    return [(located[name], str(value)) for name, value in error.fields.items() if name in located]


def _query_error(model: Model | None, shape: Shape, error: ApiError) -> list[tuple[str, str]]:
    """The error's name in the query protocol, for clients of services that once spoke that alone."""
    if model is None or model.metadata.aws_query_compatible is None:
        return []
    fault = "Receiver" if error.status >= 500 else "Sender"
    return [("x-amzn-query-error", f"{shape.error.code or error.code};{fault}")]


def _body(shape: Shape, error: ApiError) -> dict[str, object]:
    """The body's members: the message under the model's name for it, the fault's side where it is asked for, fields."""
    names = {name: ref.location_name or name for name, ref in shape.members.items() if ref.location is None}
    body: dict[str, object] = {}
    if "Type" in names:
        body["Type"] = "Server" if error.status >= 500 else "User"
    body[next((wire for name, wire in names.items() if name.lower() == "message"), "message")] = error.message
    return body | _other_fields(shape, error)


def _other_fields(shape: Shape, error: ApiError) -> dict[str, object]:
    headers = {name for name, ref in shape.members.items() if ref.location == "header"}
    return {name: value for name, value in error.fields.items() if name not in headers}


def _error_xml(model: Model | None, shape: Shape, error: ApiError, request_id: str) -> bytes:
    namespace = f' xmlns="{model.metadata.xml_namespace}"' if model is not None and model.metadata.xml_namespace else ""
    fault = "Receiver" if error.status >= 500 else "Sender"
    code = shape.error.code or error.code
    return (
        f"<ErrorResponse{namespace}><Error><Type>{fault}</Type><Code>{escape_xml(code)}</Code>"
        f"<Message>{escape_xml(error.message)}</Message></Error>"
        f"<RequestId>{escape_xml(request_id)}</RequestId></ErrorResponse>"
    ).encode()
