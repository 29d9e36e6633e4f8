"""Errors as bytes, and as botocore's parsers read them."""

import json

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from headgate.model.errors import ApiError
from headgate.wire.errors import render_error, unknown_operation, unsupported_operation
from headgate.wire.http import HttpRequest

from .samples import botocore_model


def test_an_error_of_api_gateway() -> None:
    error = ApiError("NotFoundException", "Invalid stage identifier specified", 404)

    answer = render_error("rest-json", "apigateway", error, "r")

    assert answer.status == 404
    assert answer.body == b'{"message":"Invalid stage identifier specified"}'
    assert dict(answer.headers) == {
        "x-amzn-RequestId": "r",
        "x-amzn-ErrorType": "NotFoundException",
        "Content-Type": "application/json",
    }


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (ApiError("ResourceNotFoundException", "gone", 404), {"Type": "User", "Message": "gone"}),
        (ApiError("ResourceConflictException", "twice", 409), {"Type": "User", "message": "twice"}),
        (ApiError("ServiceException", "oh", 500), {"Type": "Server", "Message": "oh"}),
        (ApiError("ValidationException", "no", 400), {"message": "no"}),
    ],
)
def test_an_error_of_lambda_has_the_members_of_its_shape(error: ApiError, body: dict[str, str]) -> None:
    assert json.loads(render_error("rest-json", "lambda", error, "r").body) == body


def test_members_of_an_error_go_where_the_model_has_them() -> None:
    fields = {"retryAfterSeconds": 3, "Reason": "CallerRateLimitExceeded"}

    answer = render_error("rest-json", "lambda", ApiError("TooManyRequestsException", "slow", 429, fields=fields), "r")

    assert ("Retry-After", "3") in answer.headers
    assert json.loads(answer.body) == {"Type": "User", "message": "slow", "Reason": "CallerRateLimitExceeded"}


def test_a_json_error_has_its_code_in_type() -> None:
    answer = render_error("json", "logs", ApiError("ResourceAlreadyExistsException", "it is there"), "r")

    assert answer.body == b'{"__type":"ResourceAlreadyExistsException","message":"it is there"}'
    assert ("Content-Type", "application/x-amz-json-1.1") in answer.headers


def test_cloudwatch_over_json_tells_the_query_protocol_s_code_too() -> None:
    answer = render_error("json", "cloudwatch", ApiError("ResourceNotFound", "gone", 404), "r")

    assert ("x-amzn-query-error", "ResourceNotFound;Sender") in answer.headers
    assert ("Content-Type", "application/x-amz-json-1.0") in answer.headers


@pytest.mark.parametrize("code", ["LimitExceeded", "LimitExceededFault"])
def test_an_error_may_be_named_as_either_protocol_names_it(code: str) -> None:
    answer = render_error("json", "cloudwatch", ApiError(code, "enough"), "r")

    assert json.loads(answer.body)["__type"] == "LimitExceededFault"
    assert ("x-amzn-query-error", "LimitExceeded;Sender") in answer.headers


def test_a_query_error_is_xml_that_nothing_breaks_out_of() -> None:
    answer = render_error("query", "sts", ApiError("AccessDenied", "</Message>\x00&", 403), "r")

    assert answer.body == (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        b"<Code>AccessDenied</Code><Message>&lt;/Message&gt;\xef\xbf\xbd&amp;</Message></Error>"
        b"<RequestId>r</RequestId></ErrorResponse>"
    )


@pytest.mark.parametrize(
    ("protocol", "service", "code", "told"),
    [
        ("rest-json", "apigateway", "ConflictException", "ConflictException"),
        ("rest-json", "lambda", "ResourceNotFoundException", "ResourceNotFoundException"),
        ("json", "logs", "ResourceNotFoundException", "ResourceNotFoundException"),
        ("query", "sts", "MalformedPolicyDocumentException", "MalformedPolicyDocument"),
        ("query", "sts", "MalformedPolicyDocument", "MalformedPolicyDocument"),
    ],
)
def test_botocore_reads_the_code_and_the_message(protocol: str, service: str, code: str, told: str) -> None:
    answer = render_error(protocol, service, ApiError(code, "the message"), "r")
    response = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": answer.body}

    parsed = create_parser(protocol).parse(response, None)  # type: ignore[arg-type]  # the stubs forget

    assert botocore_model(service).shape_names
    assert (parsed["Error"]["Code"], parsed["Error"]["Message"]) == (told, "the message")
    assert parsed["ResponseMetadata"]["RequestId"] == "r"


def test_a_service_without_a_model_has_the_plainest_shape() -> None:
    answer = render_error("json", "ssm", ApiError("ParameterNotFound", "none"), "r")

    assert answer.body == b'{"__type":"ParameterNotFound","message":"none"}'


def test_what_is_not_supported_is_named_with_its_service_and_is_no_5xx() -> None:
    error = unsupported_operation("apigateway", "GetSdk")

    assert (error.code, error.status) == ("UnsupportedOperationException", 400)
    assert error.message == "Amazon API Gateway: GetSdk is not supported by Headgate."


@pytest.mark.parametrize(
    ("service", "request_", "message"),
    [
        ("lambda", HttpRequest(method="GET", path="/x"), "AWS Lambda has no operation for GET /x"),
        (
            "logs",
            HttpRequest(method="POST", path="/", headers={"x-amz-target": "Logs_20140328.Fly"}),
            "Amazon CloudWatch Logs has no operation for Logs_20140328.Fly",
        ),
        ("", HttpRequest(method="GET", path="/x"), "No service here has an operation for GET /x"),
    ],
)
def test_an_unknown_operation_is_a_404_that_says_what_was_asked(
    service: str, request_: HttpRequest, message: str
) -> None:
    error = unknown_operation(service, request_)

    assert (error.code, error.status, error.message) == ("UnknownOperationException", 404, message)
