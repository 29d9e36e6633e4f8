"""Environment variables: aws-semantics 9.1."""

import pytest

from headgate.control.lambda_.environment import RESERVED, check_environment
from headgate.model.errors import ApiError

from .account import told

REFUSED = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided"
)


def test_the_size_counts_name_value_six_per_variable_and_one() -> None:
    variables = {"AA": "x" * 1000, "BB": "y" * 1000}
    used = sum(len(name) + len(value) + 6 for name, value in variables.items()) + 1
    rest = 4096 - used - len("CC") - 6

    assert check_environment({**variables, "CC": "z" * rest})

    with pytest.raises(ApiError) as refused:
        check_environment({**variables, "CC": "z" * (rest + 1)})
    code, status, message = told(refused.value)
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert message.startswith(f'{REFUSED} exceeded the 4KB limit. String measured: {{"AA":"xxx')


def test_the_size_is_of_bytes_not_of_letters() -> None:
    fits = (4096 - len("AA") - 7) // len("é".encode())

    assert check_environment({"AA": "é" * fits})

    with pytest.raises(ApiError, match="exceeded the 4KB limit"):
        check_environment({"AA": "é" * (fits + 1)})


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_the_runtime_sets_is_refused(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_environment({"MINE": "1", name: "2"})

    message = (
        f"{REFUSED} contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {name}"
    )
    assert told(refused.value) == ("InvalidParameterValueException", 400, message)


@pytest.mark.parametrize("name", ["PATH", "TZ", "AWS_LAMBDA_EXEC_WRAPPER", "PYTHONPATH", "ab", "A1"])
def test_other_names_are_free(name: str) -> None:
    assert check_environment({name: "value"}) == {name: "value"}


@pytest.mark.parametrize("name", ["1A", "_A", "A", "A-B", "A B", "", "é2"])
def test_a_name_begins_with_a_letter_and_goes_on_with_letters_digits_and_underscores(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_environment({name: "secret"})

    assert told(refused.value) == (
        "ValidationException",
        400,
        (
            "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must "
            "satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, "
            "Member must not be null]"
        ),
    )
