"""A service model, typed: what tools/make_models.py kept of botocore's service-2.json. Read once per service."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from headgate.model.value import Value


class Reference(Value, frozen=True, rename="camel"):
    """A use of a shape: as a member, an element, or an operation's input or output."""

    shape: str
    location: str | None = None  # uri, querystring, header, headers, statusCode; None is the body
    location_name: str | None = None
    flattened: bool = False
    jsonvalue: bool = False
    timestamp_format: str | None = None
    result_wrapper: str | None = None


class ErrorTrait(Value, frozen=True, rename="camel"):
    """How an error goes over the wire."""

    code: str | None = None  # the query protocol's name of it, where that is not the shape's
    http_status_code: int = 400
    sender_fault: bool = False


class Shape(Value, frozen=True, rename="camel"):
    """A type of the model. Which fields mean anything depends on `type`."""

    type: str
    members: Mapping[str, Reference] = msgspec.field(default_factory=dict)
    required: tuple[str, ...] = ()
    member: Reference | None = None  # of a list
    key: Reference | None = None  # of a map
    value: Reference | None = None
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    min: float | None = None
    max: float | None = None
    payload: str | None = None  # the member that is the whole body
    flattened: bool = False
    document: bool = False
    union: bool = False
    eventstream: bool = False
    sensitive: bool = False
    exception: bool = False
    fault: bool = False
    error: ErrorTrait = ErrorTrait()
    timestamp_format: str | None = None


class Http(Value, frozen=True, rename="camel"):
    method: str
    request_uri: str
    response_code: int = 200


class OperationModel(Value, frozen=True):
    name: str
    http: Http
    input: Reference | None = None
    output: Reference | None = None


class Metadata(Value, frozen=True, rename="camel"):
    api_version: str
    endpoint_prefix: str
    protocols: tuple[str, ...]  # in the service's order of preference
    service_full_name: str = ""
    json_version: str = "1.1"
    signing_name: str | None = None  # where it is not the endpoint prefix
    target_prefix: str | None = None
    xml_namespace: str | None = None
    aws_query_compatible: dict[str, str] | None = None


class Model(Value, frozen=True):
    service: str
    botocore: str  # the version it was taken from
    metadata: Metadata
    operations: dict[str, OperationModel]
    shapes: dict[str, Shape]

    def shape(self, reference: Reference) -> Shape:
        return self.shapes[reference.shape]

    def error_shape(self, code: str) -> tuple[str, Shape] | None:
        """The error with this name, or with this name in the query protocol; None for one that is not modelled."""
        shape = self.shapes.get(code)
        if shape is not None and shape.exception:
            return code, shape
        named = ((name, each) for name, each in self.shapes.items() if each.exception and each.error.code == code)
        return next(named, None)


@cache
def load_model(service: str) -> Model:
    """Read the model of a service, by its botocore name. Raises FileNotFoundError when there is none."""
    return msgspec.json.decode((files(__package__) / "models" / f"{service}.json").read_bytes(), type=Model)
