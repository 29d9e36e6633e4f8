"""From requests to operations."""

import re
from urllib.parse import quote

import pytest

from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest
from headgate.wire.router import Router
from headgate.wire.services import load, service

from .samples import SERVICES

ROUTER = Router(load(SERVICES))
REST = [name for name in SERVICES if "rest-json" in service(name).protocols]
EVERY_URI = [
    pytest.param(name, operation, id=f"{name}-{operation}") for name in REST for operation in service(name).operations
]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
STAGE_ARN = "arn:aws:apigateway:us-east-1::/restapis/abc/stages/prod"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed_for(name: str) -> Scope:
    return Scope(account_id="000000000000", region="us-east-1", service=name)


UNSIGNED = signed_for("")


@pytest.mark.parametrize(("name", "operation"), EVERY_URI)
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_each_operation_s_own_uri_leads_back_to_it(name: str, operation: str, signed: bool) -> None:
    http = service(name).model.operations[operation].http
    path, _, query = http.request_uri.partition("?")
    labels = re.findall(r"{(\w+)\+?}", path)
    values = {label: f"{label}/é:1" for label in labels}
    for label in labels:
        path = path.replace(f"{{{label}}}", quote(values[label], safe=""))

    routed = ROUTER.route(
        HttpRequest(method=http.method, path=path, query=query),
        signed_for(service(name).signing_name if signed else ""),
    )

    assert routed.operation is service(name).operations[operation]
    assert routed.uri_params == values


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_found_by_its_signing_name(name: str) -> None:
    routed = ROUTER.route(HttpRequest(method="GET", path="/nothing/here"), signed_for(service(name).signing_name))

    assert (routed.service_name, routed.ours, routed.operation) == (name, True, None)


@pytest.mark.parametrize(
    ("method", "uri", "operation", "labels"),
    [
        ("POST", "/restapis", "CreateRestApi", {}),
        ("POST", "/restapis?mode=import&failonwarnings=true", "ImportRestApi", {}),
        ("POST", "/restapis?mode=other", "CreateRestApi", {}),
        ("GET", "/restapis/", "GetRestApis", {}),
        ("GET", "/restapis/a%2Fb", "GetRestApi", {"restapi_id": "a/b"}),
        ("GET", f"/tags/{quote(STAGE_ARN, safe='')}", "GetTags", {"resource_arn": STAGE_ARN}),
        ("GET", f"/tags/{STAGE_ARN}", "GetTags", {"resource_arn": STAGE_ARN}),
        ("DELETE", f"/tags/{STAGE_ARN}?tagKeys=a", "UntagResource", {"resource_arn": STAGE_ARN}),
    ],
)
def test_an_api_gateway_uri_has_one_meaning(method: str, uri: str, operation: str, labels: dict[str, str]) -> None:
    path, _, query = uri.partition("?")

    routed = ROUTER.route(HttpRequest(method=method, path=path, query=query), signed_for("apigateway"))

    assert routed.operation is not None
    assert (routed.operation.name, routed.uri_params) == (operation, labels)


@pytest.mark.parametrize(
    ("method", "uri", "operation", "labels"),
    [
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("GET", f"/2015-03-31/functions/{ARN}", "GetFunction", {"FunctionName": ARN}),
        ("GET", f"/2015-03-31/functions/{quote(ARN, safe='')}/policy", "GetPolicy", {"FunctionName": ARN}),
        ("GET", f"/2017-03-31/tags/{ARN}", "ListTags", {"Resource": ARN}),
        ("GET", f"/2017-03-31/tags/{ARN}/x", "ListTags", {"Resource": f"{ARN}/x"}),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers", "ListLayers", {}),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs",
            {"FunctionName": "f"},
        ),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            "GetProvisionedConcurrencyConfig",
            {"FunctionName": "f"},
        ),
    ],
)
def test_a_lambda_uri_has_one_meaning(method: str, uri: str, operation: str, labels: dict[str, str]) -> None:
    path, _, query = uri.partition("?")

    routed = ROUTER.route(HttpRequest(method=method, path=path, query=query), signed_for("lambda"))

    assert routed.operation is not None
    assert (routed.operation.name, routed.uri_params) == (operation, labels)


@pytest.mark.parametrize(
    ("headers", "query", "body", "scope", "expected"),
    [
        pytest.param(
            {"x-amz-target": "GraniteServiceVersion20100801.PutMetricAlarm"}, "", b"{}", signed_for("monitoring"),
            ("cloudwatch", "json", "PutMetricAlarm"), id="CloudWatch as boto3 speaks it",
        ),
        pytest.param(
            FORM, "", b"Action=PutMetricAlarm&Version=2010-08-01", signed_for("monitoring"),
            ("cloudwatch", "query", "PutMetricAlarm"), id="CloudWatch as Terraform speaks it",
        ),
        pytest.param(
            {"x-amz-target": "Logs_20140328.CreateLogGroup"}, "", b"{}", UNSIGNED,
            ("logs", "json", "CreateLogGroup"), id="a target, unsigned",
        ),
        pytest.param(
            {}, "Action=GetCallerIdentity&Version=2011-06-15", b"", signed_for("sts"),
            ("sts", "query", "GetCallerIdentity"), id="an action in the query string",
        ),
        pytest.param(
            FORM, "", b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", UNSIGNED,
            ("sts", "query", "AssumeRoleWithWebIdentity"), id="an action, unsigned, by its version",
        ),
    ],
)  # fmt: skip
def test_targets_and_actions_name_the_operation(
    headers: dict[str, str], query: str, body: bytes, scope: Scope, expected: tuple[str, str, str]
) -> None:
    routed = ROUTER.route(HttpRequest(method="POST", path="/", query=query, headers=headers, body=body), scope)

    assert routed.operation is not None
    assert (routed.service_name, routed.protocol, routed.operation.name) == expected
    assert routed.operation.protocol == routed.protocol


@pytest.mark.parametrize(
    ("request_", "scope", "expected"),
    [
        pytest.param(
            HttpRequest(method="PUT", path="/bucket/restapis"), signed_for("s3"), ("s3", "rest-json"), id="S3"
        ),
        pytest.param(
            HttpRequest(method="POST", path="/", headers=FORM, body=b"Action=CreateRole&Version=2010-05-08"),
            signed_for("iam"), ("iam", "query"), id="IAM",
        ),
        pytest.param(
            HttpRequest(method="POST", path="/", headers={"x-amz-target": "AmazonSSM.GetParameter"}),
            signed_for("ssm"), ("ssm", "json"), id="SSM",
        ),
        pytest.param(HttpRequest(method="GET", path="/bucket"), UNSIGNED, ("", "rest-json"), id="nobody knows"),
        pytest.param(
            HttpRequest(method="POST", path="/", headers=FORM, body=b"Action=CreateRole&Version=2010-05-08"),
            UNSIGNED, ("", "query"), id="another version's action, unsigned",
        ),
    ],
)  # fmt: skip
def test_a_service_that_is_not_ours_is_named_and_left_to_the_caller(
    request_: HttpRequest, scope: Scope, expected: tuple[str, str]
) -> None:
    routed = ROUTER.route(request_, scope)

    assert (routed.service_name, routed.protocol) == expected
    assert (routed.ours, routed.operation) == (False, None)


@pytest.mark.parametrize(
    ("request_", "scope", "name"),
    [
        (HttpRequest(method="BREW", path="/restapis"), signed_for("apigateway"), "apigateway"),
        (HttpRequest(method="GET", path="/restapis//resources"), signed_for("apigateway"), "apigateway"),
        (HttpRequest(method="POST", path="/", headers={"x-amz-target": "Logs_20140328.Fly"}), UNSIGNED, "logs"),
        (HttpRequest(method="POST", path="/", headers={"x-amz-target": "X"}), signed_for("logs"), "logs"),
        (HttpRequest(method="POST", path="/", headers=FORM, body=b"Action=Fly"), signed_for("sts"), "sts"),
    ],
)
def test_an_operation_our_services_do_not_have_is_ours_to_refuse(
    request_: HttpRequest, scope: Scope, name: str
) -> None:
    routed = ROUTER.route(request_, scope)

    assert (routed.service_name, routed.ours, routed.operation) == (name, True, None)
