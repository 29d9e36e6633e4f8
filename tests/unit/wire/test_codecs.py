"""Each operation of each model, both ways, against botocore's own serializers and parsers.

Left out are the three operations with event streams (Lambda's InvokeWithResponseStream; StartLiveTail and GetLogObject
of CloudWatch Logs): their frames are made by whoever streams.
"""

import gzip
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from headgate.model.errors import ApiError
from headgate.wire.http import HttpRequest, HttpResponse, body_of
from headgate.wire.json_values import JsonReaders, JsonWriters
from headgate.wire.router import Routed, Router
from headgate.wire.schema import OperationModel, Reference
from headgate.wire.services import Operation, load, service
from headgate.wire.sigv4 import scope_of
from headgate.wire.validation import Validators

from .samples import FEW, SERVICES, botocore_operation, has_events, values

ALL = [
    service(name).speaking(protocol)[operation]
    for name in SERVICES
    for protocol in service(name).protocols
    for operation in service(name).model.operations
    if not has_events(name, operation)
]
EVERY_OPERATION = [pytest.param(each, id=f"{each.service}-{each.protocol}-{each.name}") for each in ALL]
ROUTER = Router(load(SERVICES))
HEADERS = [
    "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/monitoring/aws4_request",
    "AWS4-HMAC-SHA256 Credential=///lambda/aws4_request",
    "AWS4-HMAC-SHA256 Credential=",
    "Logs_20140328.Nothing",
    "...",
    "application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_what_botocore_sends_is_read_as_the_value_it_was_given(operation: Operation) -> None:
    model = service(operation.service).model
    serializer = create_serializer(operation.protocol, include_validation=False)
    theirs = botocore_operation(operation.service, operation.name)
    router = Router({operation.service: service(operation.service)})

    @seed(1)  # to derandomize, hypothesis would read the source of `check` for each operation anew
    @FEW
    @given(values(operation.service, operation.protocol, for_request=True).of(model.operations[operation.name]))
    def check(value: dict[str, Any]) -> None:
        request = as_request(serializer.serialize_to_request(dates(value, theirs.input_shape), theirs))

        routed = router.route(request, scope_of(request))

        assert routed.operation is operation
        assert operation.read(request, routed.uri_params) == value

    check()


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_botocore_reads_an_answer_as_the_value_that_was_written(operation: Operation) -> None:
    model = service(operation.service).model
    parser = create_parser(operation.protocol)
    theirs = botocore_operation(operation.service, operation.name)

    @seed(1)  # to derandomize, hypothesis would read the source of `check` for each operation anew
    @FEW
    @given(values(operation.service, operation.protocol, for_request=False).of(model.operations[operation.name]))
    def check(value: dict[str, Any]) -> None:
        answer = operation.serialize(value, "the-request-id")

        response = as_botocore(answer, streams=theirs.has_streaming_output)
        parsed = parser.parse(response, theirs.output_shape)  # type: ignore[arg-type]  # the stubs forget None

        metadata = parsed.pop("ResponseMetadata")
        # Of an operation without an output, botocore's parser of CBOR reads no id.
        if theirs.output_shape is not None or operation.protocol != "smithy-rpc-v2-cbor":
            assert metadata["RequestId"] == "the-request-id"
        assert metadata["HTTPStatusCode"] == answer.status
        assert seconds(parsed) == value

    check()


# Names that mean something somewhere, so that nonsense gets past the first door.
WIRE_NAMES = sorted(
    {
        ref.location_name or name
        for s in SERVICES
        for shape in service(s).model.shapes.values()
        for name, ref in shape.members.items()
    }
)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(WIRE_NAMES), below, max_size=4),
    max_leaves=8,
)
TEXTS = st.sampled_from(["", "x", "-1", "1e999", "NaN", "%", "%zz", "%ff", "%00", "9" * 5000, "é", "true", "a.b.c"])
FIELD_NAMES = st.lists(
    st.sampled_from([*WIRE_NAMES, "member", "entry", "1", "0", "-1", "x", ""]), min_size=1, max_size=5
)


@settings(parent=FEW, max_examples=250)
@given(st.data())
def test_nothing_that_a_client_sends_raises_anything_but_an_api_error(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(ALL))
    model = service(operation.service).model
    reference = model.operations[operation.name].input
    members = model.shape(reference).members if reference is not None else {}
    names = st.sampled_from([ref.location_name or name for name, ref in members.items()] or ["x"])
    json_body = st.dictionaries(names, NONSENSE, max_size=4).map(lambda value: json.dumps(value).encode())
    form = st.lists(st.tuples(FIELD_NAMES.map(".".join), TEXTS), max_size=4).map(urlencode).map(str.encode)
    body = data.draw(st.one_of(json_body, form, NONSENSE.map(lambda v: json.dumps(v).encode()), st.binary(max_size=20)))
    query = "&".join(f"{data.draw(names)}={data.draw(TEXTS)}" for _ in range(data.draw(st.integers(0, 3))))
    headers = data.draw(st.dictionaries(names.map(str.lower), TEXTS, max_size=2))
    labels = {
        name: data.draw(TEXTS) for name in re.findall(r"{(\w+)", model.operations[operation.name].http.request_uri)
    }
    encoding = data.draw(st.sampled_from([{}, {}, {}, {"content-encoding": "gzip"}]))
    request = HttpRequest(method="POST", path="/", query=query, headers=headers | encoding, body=body)
    routed = Routed(service_name=operation.service, protocol=operation.protocol, ours=True, uri_params=labels)

    refused: ApiError | None = None
    try:
        operation.parse(request, routed)
    except ApiError as error:
        refused = error

    assert refused is None or 400 <= refused.status < 500


@settings(parent=FEW, max_examples=300)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"]),
    path=st.lists(
        st.sampled_from(["restapis", "tags", "2015-03-31", "functions", "%ff", "%zz", "", "é", "a:b"]), max_size=6
    ),
    query=st.lists(TEXTS, max_size=3).map("&".join),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-amz-target", "content-type"]), st.sampled_from(HEADERS)
    ),
    body=st.binary(max_size=9) | st.sampled_from([b"Action=", b"Action=x&Version=2011-06-15"]),
)
def test_nothing_that_a_client_sends_upsets_the_router(
    method: str, path: list[str], query: str, headers: dict[str, str], body: bytes
) -> None:
    request = HttpRequest(method=method, path="/" + "/".join(path), query=query, headers=headers, body=body)

    routed = ROUTER.route(request, scope_of(request))

    assert routed.operation is None or routed.ours


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 5000, id="an array without end"),
        pytest.param(b'{"tags":' * 5000 + b"1" + b"}" * 5000, id="deep objects"),
        pytest.param(b'{"tags": {"a": "\\ud800"}}', id="half a surrogate pair"),
        pytest.param(b'{"name": "\xff"}', id="no UTF-8"),
        pytest.param(b"{'name': 1}", id="single quotes"),
        pytest.param(b'{"minimumCompressionSize": NaN}', id="NaN"),
        pytest.param(b'{"minimumCompressionSize": 1e400}', id="a number without end"),
        pytest.param(b'"text"', id="no object"),
        pytest.param(b"[]", id="a list"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_serialization_exception(body: bytes) -> None:
    operation = service("apigateway").operations["CreateRestApi"]

    with pytest.raises(ApiError) as refused:
        operation.parse(HttpRequest(method="POST", path="/restapis", body=body), a_route(operation))

    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


def test_a_shape_that_contains_itself_is_read_and_written_at_any_depth() -> None:
    model = service("logs").model
    value: dict[str, Any] = {"type": "leaf"}
    for depth in range(50):
        value = {"type": f"level {depth}", "fields": [{"logFieldName": "a", "logFieldType": value}]}
    reference = Reference(shape="LogFieldType")

    read = JsonReaders(model).reader(reference)
    write = JsonWriters(model).writer(reference)

    assert write is not None
    assert read(write(value)) == value


def test_a_request_nested_deeper_than_the_stack_is_refused() -> None:
    class Endless:
        def parser(self, _: OperationModel) -> Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]:
            def parse(request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
                return parse(request, labels)

            return parse

        def serializer(self, _: OperationModel) -> Callable[[Mapping[str, Any], str], HttpResponse]:
            raise NotImplementedError

    model = service("sts").model
    operation = Operation(model, model.operations["GetCallerIdentity"], "query", Endless(), Validators(model))

    with pytest.raises(ApiError, match="nested too deeply"):
        operation.parse(HttpRequest(method="POST", path="/"), a_route(operation))


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("description", True, "class java.lang.Boolean can not be converted to an String"),
        (
            "description",
            5,
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
        ),
        ("description", {}, "Start of structure or map found where not expected."),
        ("description", ["x"], "Start of list found where not expected."),
        ("minimumCompressionSize", True, "class java.lang.Boolean can not be converted to an Integer"),
        ("minimumCompressionSize", "many", "class java.lang.String can not be converted to an Integer"),
        ("disableExecuteApiEndpoint", "perhaps", "class java.lang.String can not be converted to an Boolean"),
        ("tags", "a", "Unexpected token received from parser"),
        ("binaryMediaTypes", {"a": "b"}, "Start of structure or map found where not expected."),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_in_aws_s_words(member: str, value: object, text: str) -> None:
    operation = service("apigateway").operations["CreateRestApi"]
    body = json.dumps({"name": "n", member: value}).encode()

    with pytest.raises(ApiError) as refused:
        operation.parse(HttpRequest(method="POST", path="/restapis", body=body), a_route(operation))

    assert refused.value.code == "SerializationException"
    assert refused.value.message == text


@pytest.mark.parametrize(
    ("given_value", "read_value"),
    [
        pytest.param("25.000000", 25.0, id="Terraform's string"),
        pytest.param(25, 25.0, id="an integer"),
        pytest.param("1e1", 10.0, id="an exponent"),
    ],
)
def test_a_number_may_come_as_a_string(given_value: object, read_value: float) -> None:
    operation = service("apigateway").operations["CreateStage"]
    body = {"stageName": "s", "deploymentId": "d", "canarySettings": {"percentTraffic": given_value}}
    request = HttpRequest(method="POST", path="/restapis/a/stages", body=json.dumps(body).encode())

    values = operation.parse(request, a_route(operation, restapi_id="a"))

    assert values["canarySettings"] == {"percentTraffic": read_value}


def test_null_is_absent_and_unknown_members_are_dropped() -> None:
    operation = service("apigateway").operations["CreateRestApi"]
    body = b'{"name": "n", "description": null, "tags": {"a": null, "b": "c"}, "colour": "red"}'

    values = operation.parse(HttpRequest(method="POST", path="/restapis", body=body), a_route(operation))

    assert values == {"name": "n", "tags": {"b": "c"}}


def test_an_answer_leaves_out_none_and_what_its_shape_lacks_and_keeps_doubles_doubles() -> None:
    operation = service("apigateway").operations["UpdateStage"]
    stage = {"stageName": "s", "description": None, "colour": "red", "canarySettings": {"percentTraffic": 50}}

    answer = operation.serialize(stage | {"createdDate": 1717243200.0, "lastUpdatedDate": 1717243200.5}, "r")

    assert answer.body == (
        b'{"stageName":"s","canarySettings":{"percentTraffic":50.0},'
        b'"createdDate":1717243200,"lastUpdatedDate":1717243200.5}'
    )
    assert dict(answer.headers) == {"x-amzn-RequestId": "r", "Content-Type": "application/json"}


@pytest.mark.parametrize(("operation", "status"), [("CreateStage", 201), ("DeleteStage", 202), ("DeleteMethod", 204)])
def test_success_has_the_model_s_status(operation: str, status: int) -> None:
    answer = service("apigateway").operations[operation].serialize(None, "r")

    assert answer.status == status == service("apigateway").operations[operation].http_status


def test_a_dry_run_of_invoke_sets_its_own_status_and_has_no_body() -> None:
    answer = service("lambda").operations["Invoke"].serialize({"StatusCode": 204, "Payload": b"x"}, "r")

    assert (answer.status, answer.body) == (204, b"")


def test_a_compressed_body_is_read_as_what_it_was() -> None:
    operation = service("logs").operations["CreateLogGroup"]
    body = gzip.compress(b'{"logGroupName": "g"}')
    request = HttpRequest(method="POST", path="/", headers={"content-encoding": "gzip"}, body=body)

    assert operation.parse(request, a_route(operation)) == {"logGroupName": "g"}


def test_a_body_that_inflates_beyond_the_bound_is_refused() -> None:
    request = HttpRequest(method="POST", path="/", headers={"content-encoding": "gzip"}, body=gzip.compress(bytes(10)))

    assert body_of(request, limit=11) == bytes(10)
    with pytest.raises(ApiError) as refused:
        body_of(request, limit=9)
    assert refused.value.status == 413


def test_a_compressed_body_that_is_cut_short_is_refused() -> None:
    body = gzip.compress(b"{}")[:-9]

    with pytest.raises(ApiError, match="ends before"):
        body_of(HttpRequest(method="POST", path="/", headers={"content-encoding": "gzip"}, body=body))


def test_query_lists_go_by_their_numbers_not_by_their_order() -> None:
    operation = service("cloudwatch").speaking("query")["DescribeAlarms"]
    form = "AlarmNames.member.10=c&AlarmNames.member.2=b&AlarmNames.member.1=a&AlarmNames.member.01=z"

    values = operation.parse(HttpRequest(method="POST", path="/", body=form.encode()), a_route(operation))

    assert values == {"AlarmNames": ["a", "z", "b", "c"]}


def a_route(operation: Operation, **labels: str) -> Routed:
    return Routed(service_name=operation.service, protocol=operation.protocol, ours=True, uri_params=labels)


def as_request(serialized: dict[str, Any]) -> HttpRequest:
    """What botocore's serializer made, as it would arrive."""
    path, _, constants = serialized["url_path"].partition("?")
    query = urlencode(serialized["query_string"], doseq=True) if serialized["query_string"] else ""
    body = serialized["body"]
    return HttpRequest(
        method=serialized["method"],
        path=path,
        query="&".join(part for part in (constants, query) if part),
        headers={name.lower(): text for name, text in serialized["headers"].items()},
        body=urlencode(body).encode() if isinstance(body, dict) else body,
    )


def as_botocore(answer: HttpResponse, *, streams: bool) -> dict[str, Any]:
    body = io.BytesIO(answer.body) if streams else answer.body
    return {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": body}


def dates(value: Any, shape: Any) -> Any:
    """The value with datetimes for timestamps, as botocore takes them."""
    match shape.type_name if shape is not None else "":
        case "structure" if not shape.is_document_type:
            return {name: dates(item, shape.members[name]) for name, item in value.items()}
        case "list":
            return [dates(item, shape.member) for item in value]
        case "map":
            return {key: dates(item, shape.value) for key, item in value.items()}
        case "timestamp":
            return datetime.fromtimestamp(value, UTC)
    return value


def seconds(value: Any) -> Any:
    """What botocore has read with epoch seconds for datetimes, and streams read to their end."""
    match value:
        case dict():
            return {key: seconds(item) for key, item in value.items()}
        case list():
            return [seconds(item) for item in value]
        case datetime():
            return value.timestamp()
        case io.BytesIO():
            return value.read()
    return value
