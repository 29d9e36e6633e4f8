"""One gate's tries: what is made again, and what the last failure means. Told of function gates, which need no port."""

import json
import threading

import pytest

from headgate.model.release import Duration, Gate
from headgate.release.failures import Refused, Unavailable
from headgate.release.gates.gate import Cancelled, GateContext, run_gate

CONTEXT = GateContext(
    key="orders-2.1/1/eu-west-1/3",
    release="orders-2.1",
    region="eu-west-1",
    stage_url="http://stage",
    headers={"x-canary": "let-me-in"},
    artefacts={"orders-handler": "ab12"},
)
SUCCEEDED = b'{"status": "Succeeded"}'


class Impatient(threading.Event):
    """Never set, and notes the pauses instead of making them."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        return False


class Function:
    """Gives one answer after the other; an exception is raised."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.payloads: list[bytes] = []

    def __call__(self, function: str, payload: bytes) -> bytes:
        self.payloads.append(payload)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_function_is_told_the_release_the_key_and_the_artefacts() -> None:
    function = Function(SUCCEEDED)

    run_gate(Gate(function="check"), CONTEXT, function, threading.Event())

    assert json.loads(function.payloads[0]) == {
        "release": "orders-2.1",
        "key": "orders-2.1/1/eu-west-1/3",
        "region": "eu-west-1",
        "step": "3",
        "artefacts": {"orders-handler": "ab12"},
        "stageUrl": "http://stage",
    }


def test_a_reason_given_is_shown_with_a_no() -> None:
    function = Function(b'{"status": "Failed", "reason": "stock is negative"}')

    with pytest.raises(Refused, match="function check answered Failed: stock is negative"):
        run_gate(Gate(function="check"), CONTEXT, function, threading.Event())


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b'"Succeeded"', b"{}", b'{"status": "succeeded"}', b'{"status": 1}', b'{"errorMessage": "x"}'],
)
def test_an_answer_that_does_not_say_succeeded_is_a_no(answer: bytes) -> None:
    with pytest.raises(Refused, match="function check"):
        run_gate(Gate(function="check"), CONTEXT, Function(answer), threading.Event())


def test_an_answer_that_echoes_the_test_header_is_shown_without_it() -> None:
    with pytest.raises(Refused) as refused:
        run_gate(Gate(function="check"), CONTEXT, Function(b'"x-canary: let-me-in"'), threading.Event())

    assert "let-me-in" not in str(refused.value)


def test_a_failed_try_is_made_again_with_the_same_key_and_growing_pauses() -> None:
    function = Function(Unavailable("throttled"), Refused("out of memory"), Unavailable("throttled"), SUCCEEDED)
    event = Impatient()

    seen = run_gate(Gate(function="check", retries=3), CONTEXT, function, event)

    assert seen.startswith("try 4 of 4: function check answered Succeeded")
    assert event.pauses == [1.0, 2.0, 4.0]
    assert len(set(function.payloads)) == 1


def test_pauses_end_at_half_a_minute() -> None:
    function = Function(*[Unavailable("throttled")] * 9)
    event = Impatient()

    with pytest.raises(Unavailable):
        run_gate(Gate(function="check", retries=8), CONTEXT, function, event)

    assert event.pauses[-3:] == [30.0, 30.0, 30.0]


def test_a_provider_that_stays_away_is_no_no() -> None:
    with pytest.raises(Unavailable, match="try 2 of 2: throttled"):
        run_gate(Gate(function="check", retries=1), CONTEXT, Function(*[Unavailable("throttled")] * 2), Impatient())


def test_no_retries_are_made_unasked() -> None:
    function = Function(Refused("no"), SUCCEEDED)

    with pytest.raises(Refused, match=r"^no$"):
        run_gate(Gate(function="check"), CONTEXT, function, Impatient())


def test_a_function_that_hangs_is_a_no_when_the_timeout_is_over() -> None:
    released = threading.Event()

    def hang(function: str, payload: bytes) -> bytes:
        released.wait()
        return SUCCEEDED

    try:
        with pytest.raises(Refused, match=r"function check gave no answer within 0\.01 s"):
            run_gate(Gate(function="check", timeout=Duration(0.01)), CONTEXT, hang, threading.Event())
    finally:
        released.set()


def test_a_cancelled_gate_waits_for_no_answer() -> None:
    released, cancelled = threading.Event(), threading.Event()

    def hang(function: str, payload: bytes) -> bytes:
        cancelled.set()
        released.wait()
        return SUCCEEDED

    try:
        with pytest.raises(Cancelled):
            run_gate(Gate(function="check"), CONTEXT, hang, cancelled)
    finally:
        released.set()


def test_a_cancelled_gate_is_not_tried_at_all() -> None:
    function, cancelled = Function(SUCCEEDED), threading.Event()
    cancelled.set()

    with pytest.raises(Cancelled):
        run_gate(Gate(function="check"), CONTEXT, function, cancelled)

    assert function.payloads == []
