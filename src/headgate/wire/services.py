"""The services and their operations: where an operation's bytes become values, and its values bytes again.

A service's model is read when the service is first asked for, and an operation is compiled when it is first used, so
that the start of a process pays for neither.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from headgate.model.errors import ApiError
from headgate.wire.aws_cbor import PROTOCOL as CBOR
from headgate.wire.aws_cbor import AwsCbor
from headgate.wire.aws_json import AwsJson
from headgate.wire.aws_query import AwsQuery
from headgate.wire.extensions import extended
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.rest_json import RestJson
from headgate.wire.schema import Model, OperationModel, load_model
from headgate.wire.validation import Validate, Validators

if TYPE_CHECKING:
    from headgate.wire.router import Routed


_Source = TypeVar("_Source")
_Made = TypeVar("_Made")


class Codecs(Protocol):
    """What a protocol does for one service: it compiles an operation's parser and its serializer."""

    def parser(self, operation: OperationModel) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]: ...

    def serializer(self, operation: OperationModel) -> Callable[[Mapping[str, Any], str], HttpResponse]: ...


PROTOCOLS: Final[Mapping[str, Callable[[Model], Codecs]]] = {
    "rest-json": RestJson,
    "json": AwsJson,
    "query": AwsQuery,
    CBOR: AwsCbor,
}


def load(names: Iterable[str]) -> Mapping[str, "Service"]:
    """The services by their botocore names ("cloudwatch", not "monitoring"). Each is read when first looked up."""
    return _Lazy({name: name for name in names}, service)


@cache
def service(name: str) -> "Service":
    """One service. Raises FileNotFoundError when it has no model here."""
    return Service(extended(load_model(name)))


class Service:
    """One AWS service, as its model describes it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.service
        self.signing_name = model.metadata.signing_name or model.metadata.endpoint_prefix
        self.protocols = tuple(name for name in model.metadata.protocols if name in PROTOCOLS)  # preferred first
        self._validators = Validators(model)
        self._by_protocol = {name: self._operations(name) for name in self.protocols}

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.model.operations)} operations over {', '.join(self.protocols)}>"

    @property
    def operations(self) -> Mapping[str, "Operation"]:
        """By name, in the service's preferred protocol."""
        return self._by_protocol[self.protocols[0]]

    def speaking(self, protocol: str) -> Mapping[str, "Operation"]:
        """The same operations over another of its protocols."""
        return self._by_protocol[protocol]

    def _operations(self, protocol: str) -> Mapping[str, "Operation"]:
        codecs = PROTOCOLS[protocol](self.model)
        return _Lazy(
            self.model.operations,
            lambda operation: Operation(self.model, operation, protocol, codecs, self._validators),
        )


class Operation:
    """One operation over one protocol."""

    def __init__(
        self, model: Model, operation: OperationModel, protocol: str, codecs: Codecs, validators: Validators
    ) -> None:
        self.name = operation.name
        self.service = model.service
        self.protocol = protocol
        self.http_status = operation.http.response_code  # of success; a member with location statusCode overrides it
        self._operation = operation
        self._codecs = codecs
        self._validators = validators

    def __repr__(self) -> str:
        return f"<{self.service}.{self.name} over {self.protocol}>"

    def parse(self, request: HttpRequest, routed: "Routed") -> dict[str, Any]:
        """The request's members by name, as the TypedDict of the input shape says.

        Raises ApiError, and nothing else whatever the client sends: SerializationException for what cannot be read,
        ValidationException (or the service's word for it) for what the model forbids.
        """
        values = self.read(request, routed.uri_params)
        if self._validate is not None:
            self._validate(values)
        return values

    def read(self, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
        """`parse` without what the model forbids; `labels` are the decoded labels of the path."""
        try:
            return self._parser(request, labels)
        except RecursionError as error:
            raise ApiError("SerializationException", "The request is nested too deeply.") from error

    def serialize(self, result: Mapping[str, Any] | None, request_id: str) -> HttpResponse:
        """The answer with these members; None and absent members and names the output shape lacks are left out."""
        return self._serializer(result or {}, request_id)

    @cached_property
    def _parser(self) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]:
        return self._codecs.parser(self._operation)

    @cached_property
    def _serializer(self) -> Callable[[Mapping[str, Any], str], HttpResponse]:
        return self._codecs.serializer(self._operation)

    @cached_property
    def _validate(self) -> Validate | None:
        return self._validators.validator(self._operation)


class _Lazy(Mapping[str, _Made], Generic[_Source, _Made]):
    """A mapping whose values are made when first looked up. Its keys are known from the start."""

    def __init__(self, sources: Mapping[str, _Source], make: Callable[[_Source], _Made]) -> None:
        self._sources = sources
        self._make = make
        self._made: dict[str, _Made] = {}

    def __getitem__(self, name: str) -> _Made:
        if name not in self._made:
            self._made[name] = self._make(self._sources[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, name: object) -> bool:
        return name in self._sources
