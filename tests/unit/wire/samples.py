"""Values of any shape of a model, drawn by hypothesis from the shape itself, and botocore's view of the same model."""

import math
from functools import cache
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from headgate.wire.schema import Model, Reference, load_model
from headgate.wire.schema import OperationModel as OurOperation

SERVICES: Final = ("apigateway", "lambda", "sts", "cloudwatch", "logs", "xray")
# Few examples of each of some 450 operations, the same on every run.
FEW: Final = settings(
    max_examples=3, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

_JSON_TEXT = st.text(max_size=6)
_XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=6)
_HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6)
_LABEL_TEXT = st.text(min_size=1, max_size=6)
_SECONDS = st.integers(0, 4_000_000_000).map(float)
_SCALARS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, width=32),
    "double": st.floats(allow_nan=False),
    "blob": st.binary(max_size=6),
    "timestamp": _SECONDS,
}
_DEEPEST: Final = 4  # optional members end here, so that shapes which contain themselves do


@cache
def botocore_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def botocore_operation(service: str, operation: str) -> OperationModel:
    return botocore_model(service).operation_model(operation)


def has_events(service: str, operation: str) -> bool:
    """Event streams are framed by whoever streams them, not by the codecs."""
    theirs = botocore_operation(service, operation)
    return bool(theirs.has_event_stream_input or theirs.has_event_stream_output)


@cache
def values(service: str, protocol: str, *, for_request: bool) -> "Values":
    return Values(service, protocol, for_request=for_request)


class Values:
    """Strategies for the values of one model in one protocol, without the empties that a protocol cannot say."""

    def __init__(self, service: str, protocol: str, *, for_request: bool) -> None:
        self._model: Model = load_model(service)
        self._text = _JSON_TEXT if protocol != "query" or for_request else _XML_TEXT
        self._loses_empties = protocol == "query" and for_request
        self._for_request = for_request
        self._made: dict[tuple[Reference, int], st.SearchStrategy[Any]] = {}

    def of(self, operation: OurOperation) -> st.SearchStrategy[dict[str, Any]]:
        reference = operation.input if self._for_request else operation.output
        if reference is None:
            return st.just({})
        shape = self._model.shape(reference)
        parts = {name: self._member(name, ref, shape.payload, operation) for name, ref in shape.members.items()}
        always = {name for name, ref in shape.members.items() if name in shape.required or ref.location == "uri"}
        # botocore sends an empty object for a payload that is absent, and reads an absent one as an empty one.
        always |= {shape.payload} if shape.payload else set()
        if not self._for_request:
            always |= {name for name, ref in shape.members.items() if ref.location == "statusCode"}
        return st.fixed_dictionaries(
            {name: part for name, part in parts.items() if name in always},
            optional={name: part for name, part in parts.items() if name not in always},
        )

    def _member(
        self, name: str, reference: Reference, payload: str | None, operation: OurOperation
    ) -> st.SearchStrategy[Any]:
        shape = self._model.shape(reference)
        match reference.location:
            case "uri":
                return _LABEL_TEXT if shape.type == "string" else self._value(reference, 0)
            case "header":
                return _HEADER_TEXT if shape.type == "string" else self._value(reference, 0)
            case "statusCode":
                return st.sampled_from([200, 201, 202])
            case "querystring" if shape.type == "list":
                assert shape.member is not None
                return st.lists(self._value(shape.member, 0), min_size=1, max_size=2)
            case "querystring" if shape.type == "map":
                return st.dictionaries(st.sampled_from(["extensions", "a b", "é"]), _JSON_TEXT, min_size=1)
        if name == payload and shape.type == "blob":
            return st.binary(min_size=1, max_size=6)  # an empty payload is none
        return self._value(reference, 0)

    def _value(self, reference: Reference, depth: int) -> st.SearchStrategy[Any]:
        if (reference, depth) not in self._made:
            self._made[reference, depth] = self._new_value(reference, depth)
        return self._made[reference, depth]

    def _new_value(self, reference: Reference, depth: int) -> st.SearchStrategy[Any]:
        shape = self._model.shape(reference)
        least = 1 if self._loses_empties else 0
        match shape.type:
            case "structure" if shape.document:
                return st.dictionaries(_JSON_TEXT, st.integers(0, 9), max_size=2)
            case "structure":
                return self._structure(reference, depth)
            case "list":
                assert shape.member is not None
                # A flattened empty list is nothing at all in XML.
                least_items = 1 if (shape.flattened or reference.flattened) else 0
                return st.lists(self._value(shape.member, depth + 1), min_size=least_items, max_size=2)
            case "map":
                assert shape.value is not None
                return st.dictionaries(self._text, self._value(shape.value, depth + 1), min_size=least, max_size=2)
            case "string":
                return st.sampled_from(shape.enum) if shape.enum else self._text
            case "double" | "float" if not self._for_request:
                # botocore writes "Infinity" for awsJson and does not read it.
                return _SCALARS[shape.type].filter(math.isfinite)
            case scalar:
                return _SCALARS[scalar]

    def _structure(self, reference: Reference, depth: int) -> st.SearchStrategy[dict[str, Any]]:
        shape = self._model.shape(reference)
        members = {name: ref for name, ref in shape.members.items() if not self._is_lost(ref)}
        if not members:
            return st.just({})
        if shape.union:
            parts = [st.fixed_dictionaries({name: self._value(ref, depth + 1)}) for name, ref in members.items()]
            return st.one_of(parts)
        least = set(shape.required) or ({next(iter(members))} if self._loses_empties else set())
        required = {name: self._value(members[name], depth + 1) for name in least if name in members}
        if depth >= _DEEPEST:
            return st.fixed_dictionaries(required)
        optional = {name: self._value(ref, depth + 1) for name, ref in members.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional)

    def _is_lost(self, reference: Reference) -> bool:
        """Whether all there is to say is that it is there, in a protocol that cannot say it."""
        shape = self._model.shape(reference)
        return self._loses_empties and shape.type == "structure" and not shape.members
