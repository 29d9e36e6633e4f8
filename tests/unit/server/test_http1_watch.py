"""When a sweep ends a connection: both sides of each limit."""

import pytest

from headgate.server.http1_watch import Phase, Sight, Verdict, look
from headgate.server.http_limits import HttpLimits

LIMITS = HttpLimits(
    header_timeout_s=10,
    body_grace_s=10,
    body_bytes_per_s=100,
    idle_timeout_s=60,
    write_timeout_s=30,
    linger_s=3,
)

CASES = {
    "an idle connection is kept for its time": (Phase.IDLE, 1, 0, 60.0, Verdict.WAIT),
    "and closed after it": (Phase.IDLE, 1, 0, 60.1, Verdict.CLOSE),
    "one that never sent a request has less": (Phase.IDLE, 0, 0, 10.1, Verdict.CLOSE),
    "a head has its time": (Phase.HEAD, 1, 0, 10.0, Verdict.WAIT),
    "a head that trickles in is refused": (Phase.HEAD, 1, 0, 10.1, Verdict.REFUSE),
    "a slow body has its grace": (Phase.BODY, 1, 0, 10.0, Verdict.WAIT),
    "a body at the least rate goes on": (Phase.BODY, 1, 2_000, 20.0, Verdict.WAIT),
    "a body below it is refused": (Phase.BODY, 1, 1_999, 20.0, Verdict.REFUSE),
    "a call may take as long as its integration": (Phase.CALL, 1, 0, 1e6, Verdict.WAIT),
    "a reader has its time": (Phase.WRITING, 1, 0, 30.0, Verdict.WAIT),
    "a reader that does not read is dropped": (Phase.WRITING, 1, 0, 30.1, Verdict.ABORT),
    "a reader that reads a byte is not": (Phase.WRITING, 1, 1, 30.1, Verdict.WAIT),
    "a client that does not close in turn is dropped": (Phase.CLOSING, 1, 0, 3.1, Verdict.ABORT),
}


@pytest.mark.parametrize(("phase", "served", "moved", "at", "expected"), CASES.values(), ids=CASES)
def test_what_does_not_move_is_ended(phase: Phase, served: int, moved: int, at: float, expected: Verdict) -> None:
    seen, first = look(Sight(), phase, served, 0, 0.0, LIMITS)
    assert first is Verdict.WAIT

    _, verdict = look(seen, phase, served, moved, at, LIMITS)

    assert verdict is expected


def test_the_last_answer_may_be_read_as_slowly_as_any() -> None:
    seen, _ = look(Sight(), Phase.CLOSING, 1, -5_000, 0.0, LIMITS)

    assert look(seen, Phase.CLOSING, 1, -5_000, 29.0, LIMITS)[1] is Verdict.WAIT
    assert look(seen, Phase.CLOSING, 1, -5_000, 31.0, LIMITS)[1] is Verdict.ABORT
    assert look(seen, Phase.CLOSING, 1, -4_999, 31.0, LIMITS)[1] is Verdict.WAIT


def test_the_next_request_starts_the_clock_anew() -> None:
    seen, _ = look(Sight(), Phase.HEAD, 1, 0, 0.0, LIMITS)

    seen, verdict = look(seen, Phase.HEAD, 2, 0, 11.0, LIMITS)

    assert verdict is Verdict.WAIT
    assert seen.since == 11.0
