import pytest

from headgate.model.arn import FunctionRef, arn_like, method_source_arn, parse_function_arn

_SOURCE = "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/pets/*"


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        pytest.param(_SOURCE, True, id="the very ARN"),
        pytest.param("arn:aws:execute-api:us-east-1:000000000000:api/*/*/*", True, id="stars cross slashes"),
        pytest.param("arn:aws:execute-api:us-east-1:000000000000:api/*", True, id="one star is enough"),
        pytest.param("arn:aws:execute-api:*:000000000000:api/*", True, id="a star for the region"),
        pytest.param("arn:aws:execute-api:us-east-?:000000000000:api/*", True, id="a question mark is one character"),
        pytest.param("arn:aws:execute-api:*:api/*", False, id="a star does not cross a colon"),
        pytest.param("arn:aws:execute-api:us-east-1:000000000000:api/dev/*", False, id="another stage"),
        pytest.param("arn:aws:execute-api:us-east-1:000000000000:ap.*", False, id="no regular expression"),
        pytest.param("*", False, id="a bare star is not an ARN"),
    ],
)
def test_arn_like(pattern: str, allowed: bool) -> None:
    assert arn_like(pattern, _SOURCE) is allowed


def test_a_path_parameter_stands_as_a_star_in_the_source_arn() -> None:
    assert method_source_arn("us-east-1", "000000000000", "api", "prod", "GET", "/pets/{id}") == _SOURCE


def test_the_root_keeps_its_slash_in_the_source_arn() -> None:
    arn = method_source_arn("us-east-1", "000000000000", "api", "prod", "GET", "/")

    assert arn == "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/"


@pytest.mark.parametrize(
    ("arn", "qualifier"),
    [
        pytest.param("arn:aws:lambda:us-east-1:000000000000:function:orders", "", id="unqualified"),
        pytest.param("arn:aws:lambda:us-east-1:000000000000:function:orders:live", "live", id="an alias"),
        pytest.param("arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST", "$LATEST", id="the latest"),
    ],
)
def test_a_function_arn_reads_back(arn: str, qualifier: str) -> None:
    ref = FunctionRef(account_id="000000000000", region="us-east-1", name="orders", qualifier=qualifier)

    assert parse_function_arn(arn) == ref
    assert ref.arn == arn


@pytest.mark.parametrize("arn", ["", "orders", "arn:aws:lambda:us-east-1:1:function:orders", "arn:aws:s3:::bucket"])
def test_what_is_no_function_arn(arn: str) -> None:
    assert parse_function_arn(arn) is None
