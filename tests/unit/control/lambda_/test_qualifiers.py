"""What FunctionName and Qualifier refer to: aws-semantics 9.2."""

import pytest

from headgate.control.lambda_ import OPERATIONS
from headgate.control.lambda_.qualifiers import is_version, named, named_whole
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.services import service

from .account import ACCOUNT, REGION, arn, told

SCOPE = Scope(account_id=ACCOUNT, region=REGION)


def a_reference(qualifier: str = "") -> FunctionRef:
    return FunctionRef(account_id=ACCOUNT, region=REGION, name="hello", qualifier=qualifier)


def test_every_operation_is_one_of_the_service_model() -> None:
    assert OPERATIONS.keys() <= service("lambda").operations.keys()


@pytest.mark.parametrize(
    ("name", "qualifier", "expected"),
    [
        ("hello", None, ""),
        ("hello:live", None, "live"),
        ("hello", "live", "live"),
        ("hello:live", "live", "live"),
        ("hello:$LATEST", None, "$LATEST"),
        ("function:hello", None, ""),
        (f"{ACCOUNT}:function:hello", None, ""),
        (f"{ACCOUNT}:function:hello:7", None, "7"),
        (f"{REGION}:{ACCOUNT}:function:hello", "7", "7"),
        (arn(), None, ""),
        (arn(qualifier="live"), None, "live"),
        (arn(), "live", "live"),
    ],
)
def test_a_function_can_be_named_in_each_of_these_forms(name: str, qualifier: str | None, expected: str) -> None:
    assert named(SCOPE, name, qualifier) == a_reference(expected)


def test_a_name_whose_qualifier_is_not_the_one_beside_it_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        named(SCOPE, "hello:live", "test")

    message = "The derived qualifier from the function name does not match the specified qualifier."
    assert told(refused.value) == ("InvalidParameterValueException", 400, message)
    assert refused.value.fields == {"Type": "User"}


def test_a_function_of_another_region_is_not_found() -> None:
    with pytest.raises(ApiError) as refused:
        named(SCOPE, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:hello")

    message = "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"
    assert told(refused.value) == ("ResourceNotFoundException", 404, message)


def test_a_function_of_another_account_is_denied() -> None:
    with pytest.raises(ApiError) as refused:
        named(SCOPE, f"arn:aws:lambda:{REGION}:222222222222:function:hello")

    assert (refused.value.code, refused.value.status) == ("AccessDeniedException", 403)
    assert "222222222222" in refused.value.message


def test_what_is_no_function_name_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        named(SCOPE, "hello world")

    assert refused.value.code == "ValidationException"
    assert "'hello world' at 'functionName'" in refused.value.message


@pytest.mark.parametrize("name", ["hello", "hello:$LATEST"])
def test_what_changes_a_function_takes_it_whole_or_as_latest(name: str) -> None:
    assert named_whole(SCOPE, name) == a_reference()


@pytest.mark.parametrize("name", ["hello:1", "hello:live"])
def test_what_changes_a_function_takes_no_version_and_no_alias(name: str) -> None:
    with pytest.raises(ApiError, match="Invalid qualifier"):
        named_whole(SCOPE, name)


@pytest.mark.parametrize(
    ("qualifier", "expected"),
    [("$LATEST", True), ("1", True), ("10", True), ("live", False), ("1a", False), ("١", False), ("", False)],
)
def test_digits_and_latest_are_versions_and_all_else_is_an_alias(qualifier: str, expected: bool) -> None:
    assert is_version(qualifier) is expected
