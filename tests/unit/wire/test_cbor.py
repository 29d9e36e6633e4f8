import cbor2
import pytest

from headgate.model.errors import ApiError
from headgate.wire.aws_cbor import dump_cbor, parse_cbor
from headgate.wire.errors import render_error
from headgate.wire.http import HttpRequest
from headgate.wire.router import Routed
from headgate.wire.services import service

_NOBODY = Routed(service_name="cloudwatch", protocol="smithy-rpc-v2-cbor", ours=True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(bytes.fromhex("9f") * 100_000, id="nested without an end"),
        pytest.param(bytes.fromhex("81") * 1_000 + b"\x00", id="nested too deeply"),
        pytest.param(bytes.fromhex("9bffffffffffffffff"), id="a list longer than the body"),
        pytest.param(bytes.fromhex("5bffffffffffffffff"), id="bytes longer than the body"),
        pytest.param(bytes.fromhex("ff"), id="an end of nothing"),
        pytest.param(bytes.fromhex("a1"), id="half a map"),
        pytest.param(bytes.fromhex("a10101"), id="a map whose key is a number"),
        pytest.param(bytes.fromhex("61ff"), id="text that is no UTF-8"),
    ],
)
def test_what_is_no_cbor_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_cbor(body)

    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


@pytest.mark.parametrize("value", [3, "x", [], cbor2.CBORTag(28, [cbor2.CBORTag(29, 0)]), cbor2.undefined])
def test_what_is_no_map_is_no_request(value: object) -> None:
    operation = service("cloudwatch").speaking("smithy-rpc-v2-cbor")["ListMetrics"]
    request = HttpRequest(method="POST", path="/", body=cbor2.dumps(value))

    with pytest.raises(ApiError) as refused:
        operation.parse(request, _NOBODY)

    assert refused.value.code == "SerializationException"


def test_an_empty_body_is_an_empty_map_and_a_timestamp_is_its_seconds() -> None:
    assert parse_cbor(b"") == {}
    assert parse_cbor(dump_cbor({"at": cbor2.CBORTag(1, 12.5)})) == {"at": 12.5}


def test_an_error_names_its_type_and_its_name_in_the_query_protocol() -> None:
    error = ApiError("ResourceNotFound", "Unknown Alarm: x", 404)

    answer = render_error("smithy-rpc-v2-cbor", "cloudwatch", error, "id")

    assert answer.status == 404
    assert ("smithy-protocol", "rpc-v2-cbor") in answer.headers
    assert ("x-amzn-query-error", "ResourceNotFound;Sender") in answer.headers
    assert cbor2.loads(answer.body) == {"__type": "ResourceNotFound", "message": "Unknown Alarm: x"}
