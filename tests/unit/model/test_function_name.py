"""The forms of Lambda's FunctionName: service model, aws-semantics 9.2."""

import pytest

from headgate.model.arn import FunctionRef, parse_function_name

ACCOUNT = "111111111111"


@pytest.mark.parametrize(
    ("text", "account", "region", "name", "qualifier"),
    [
        ("hello", "", "", "hello", ""),
        ("hello:7", "", "", "hello", "7"),
        ("hello:$LATEST", "", "", "hello", "$LATEST"),
        ("hello:$LATEST.PUBLISHED", "", "", "hello", "$LATEST.PUBLISHED"),
        ("function:hello", "", "", "hello", ""),
        (f"{ACCOUNT}:hello", ACCOUNT, "", "hello", ""),
        (f"{ACCOUNT}:function:hello:live", ACCOUNT, "", "hello", "live"),
        (f"us-gov-west-1:{ACCOUNT}:function:hello", ACCOUNT, "us-gov-west-1", "hello", ""),
        (f"arn:aws-cn:lambda:cn-north-1:{ACCOUNT}:function:hello:live", ACCOUNT, "cn-north-1", "hello", "live"),
        (ACCOUNT, "", "", ACCOUNT, ""),
    ],
)
def test_a_name_says_what_it_says_and_no_more(text: str, account: str, region: str, name: str, qualifier: str) -> None:
    expected = FunctionRef(account_id=account, region=region, name=name, qualifier=qualifier)
    assert parse_function_name(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "hello world", "hello:", "a:b:c:d", "hello:1:2", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:queue", "hellö", "a\n"],
)
def test_other_texts_name_no_function(text: str) -> None:
    assert parse_function_name(text) is None
