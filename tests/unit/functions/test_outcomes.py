"""Lambda's error documents for what a function cannot report itself."""

import json

import pytest

from headgate.functions.outcomes import StartFailure, exited, not_started, timed_out


def test_a_timeout_says_its_seconds_with_two_decimals() -> None:
    assert json.loads(timed_out("id", 1).payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id Error: Task timed out after 1.00 seconds",
    }


@pytest.mark.parametrize(
    ("wait_status", "how"),
    [
        pytest.param(1 << 8, "Runtime exited with error: exit status 1", id="a status"),
        pytest.param(0, "Runtime exited without providing a reason", id="no failure"),
        pytest.param(None, "Runtime exited without providing a reason", id="nobody knows"),
        pytest.param(9, "Runtime exited with error: signal: killed", id="SIGKILL"),
        pytest.param(11, "Runtime exited with error: signal: segmentation fault", id="SIGSEGV"),
        pytest.param(40, "Runtime exited with error: signal: signal 40", id="a signal without a name"),
    ],
)
def test_an_exit_says_how(wait_status: int | None, how: str) -> None:
    assert json.loads(exited("id", wait_status).payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id Error: {how}",
    }


def test_an_init_error_is_the_answer_as_it_is() -> None:
    assert not_started("id", StartFailure(document=b"{...}")).payload == b"{...}"
