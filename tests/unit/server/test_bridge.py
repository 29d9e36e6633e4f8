"""The bridge's own decisions: who answers, and what is said where nobody can."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.session import Session

from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.server.bridge import MotoBridge
from headgate.wire.http import HttpRequest, HttpResponse

_SCOPE = Scope(account_id="000000000000", region="us-east-1")


class _Elsewhere:
    """A forwarder that remembers where it was told to send."""

    def __init__(self, failure: ApiError | None = None) -> None:
        self.sent: list[tuple[str, str]] = []
        self._failure = failure

    async def forward(self, endpoint: str, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        self.sent.append((endpoint, service))
        if self._failure is not None:
            raise self._failure
        return HttpResponse(status=200, headers=[], body=b"from afar")


def _answer(
    service: str,
    request: HttpRequest,
    *,
    endpoints: Mapping[str, str] | None = None,
    forwarder: _Elsewhere | None = None,
) -> HttpResponse:
    """What a bridge without moto answers."""
    bridge = MotoBridge(endpoints or {}, forwarder or _Elsewhere(), is_installed=lambda module: False)
    try:
        return asyncio.run(bridge.answer(service, request, _SCOPE))
    finally:
        bridge.close()


def _read(service: str, operation: str, answer: HttpResponse) -> Any:
    """An answer as botocore reads it."""
    model = Session().get_service_model(service)
    response = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": answer.body}
    parser = create_parser(model.resolved_protocol)
    shape: Any = model.operation_model(operation).output_shape
    return parser.parse(response, shape)["Error"]


_JSON = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
_FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("s3", "ListBuckets", HttpRequest(method="GET", path="/")),
        ("route53", "ListHostedZones", HttpRequest(method="GET", path="/2013-04-01/hostedzone")),
        ("dynamodb", "ListTables", HttpRequest(method="POST", path="/", headers=_JSON, body=b"{}")),
        ("iam", "ListRoles", HttpRequest(method="POST", path="/", headers=_FORM, body=b"Action=ListRoles")),
        ("eks", "ListClusters", HttpRequest(method="GET", path="/clusters")),
    ],
    ids=["s3", "rest-xml", "json", "query", "rest-json"],
)
def test_without_the_extra_a_4xx_names_it_in_the_service_s_own_shape(
    service: str, operation: str, request_: HttpRequest
) -> None:
    answer = _answer(service, request_)

    error = _read(service, operation, answer)
    assert answer.status == 400
    assert error["Code"] == "ServiceNotInstalled"
    assert "install headgate[aws]" in error["Message"]
    assert "[endpoints]" in error["Message"]


def test_an_endpoint_of_the_settings_needs_no_extra_and_takes_its_service_alone() -> None:
    forwarder = _Elsewhere()
    endpoints = {"s3": "http://127.0.0.1:9000"}
    request = HttpRequest(method="GET", path="/")

    answer = _answer("s3", request, endpoints=endpoints, forwarder=forwarder)
    other = _answer("sns", request, endpoints=endpoints, forwarder=forwarder)

    assert answer.body == b"from afar"
    assert forwarder.sent == [("http://127.0.0.1:9000", "s3")]
    assert other.status == 400


def test_an_endpoint_that_gives_no_answer_is_refused_in_the_service_s_own_shape() -> None:
    failure = ApiError("EndpointUnreachable", "the endpoint http://a of s3 gave no answer: <refused> & gone", 400)
    request = HttpRequest(method="GET", path="/")

    answer = _answer("s3", request, endpoints={"s3": "http://a"}, forwarder=_Elsewhere(failure))

    assert _read("s3", "ListBuckets", answer) == {
        "Code": "EndpointUnreachable",
        "Message": "the endpoint http://a of s3 gave no answer: <refused> & gone",
    }


def test_an_object_that_cannot_be_fetched_is_refused_in_lambda_s_words() -> None:
    bridge = MotoBridge({}, _Elsewhere(), is_installed=lambda module: False)

    with pytest.raises(
        ApiError, match=r"Error occurred while GetObject. S3 Error Code: ServiceNotInstalled"
    ) as refused:
        asyncio.run(bridge.fetch_object("bucket", "key", None, _SCOPE))

    bridge.close()
    assert refused.value.code == "InvalidParameterValueException"
