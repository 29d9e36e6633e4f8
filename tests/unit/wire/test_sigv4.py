"""Whom a request is for, by its credential scope."""

import pytest

from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest
from headgate.wire.sigv4 import scope_of


def signed(credential: str, algorithm: str = "AWS4-HMAC-SHA256", **headers: str) -> HttpRequest:
    text = f"{algorithm} Credential={credential}, SignedHeaders=host;x-amz-date, Signature=abc"
    return HttpRequest(method="GET", path="/", headers={"authorization": text} | headers)


def test_the_scope_is_that_of_the_authorization_header() -> None:
    scope = scope_of(signed("AKIATEST/20241010/eu-west-1/apigateway/aws4_request"), "111122223333")

    assert scope == Scope(account_id="111122223333", region="eu-west-1", service="apigateway", access_key="AKIATEST")


def test_an_access_key_of_twelve_digits_is_an_account() -> None:
    assert scope_of(signed("444455556666/20241010/us-east-1/lambda/aws4_request")).account_id == "444455556666"
    assert scope_of(signed("44445555666/20241010/us-east-1/lambda/aws4_request")).account_id == "000000000000"


def test_a_presigned_url_has_its_scope_in_the_query_string() -> None:
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20241010%2Fus-west-2%2Fsts%2Faws4_request"

    scope = scope_of(HttpRequest(method="GET", path="/", query=query))

    assert (scope.region, scope.service, scope.access_key) == ("us-west-2", "sts", "test")


def test_sigv4a_names_its_regions_in_a_header() -> None:
    request = signed("test/20241010/sts/aws4_request", "AWS4-ECDSA-P256-SHA256", **{"x-amz-region-set": "eu-west-1,x"})

    assert (scope_of(request).region, scope_of(request).service) == ("eu-west-1", "sts")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(HttpRequest(method="GET", path="/"), id="unsigned"),
        pytest.param(signed("test/20241010/us-east-1"), id="cut short"),
        pytest.param(signed("a/b/c/d/e/f/aws4_request"), id="too long"),
        pytest.param(signed("test/20241010/us-east-1/lambda/aws5_request"), id="another algorithm's scope"),
        pytest.param(HttpRequest(method="GET", path="/", headers={"authorization": "Bearer x"}), id="a bearer token"),
        pytest.param(HttpRequest(method="GET", path="/", query="X-Amz-Credential=%ff"), id="nonsense in the query"),
    ],
)
def test_what_has_no_scope_to_be_read_is_for_the_defaults(request_: HttpRequest) -> None:
    assert scope_of(request_, "111122223333", "eu-west-1") == Scope(account_id="111122223333", region="eu-west-1")
