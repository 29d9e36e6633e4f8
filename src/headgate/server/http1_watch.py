"""Slow clients. Timers cost a request nothing: once a second a sweep compares what it sees with what it saw."""

from enum import Enum

import msgspec

from headgate.server.http_limits import HttpLimits


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "idle"  # the first byte of a request
    HEAD = "head"  # the rest of a head
    BODY = "body"  # the rest of a body
    CALL = "call"  # its handler
    WRITING = "writing"  # the client, to read its answers
    CLOSING = "closing"  # the client, to read the last answer and close


class Verdict(Enum):
    WAIT = "wait"
    REFUSE = "refuse"  # 408, then close
    CLOSE = "close"
    ABORT = "abort"


class Sight(msgspec.Struct, frozen=True, gc=False):
    """A connection as a sweep saw it."""

    phase: Phase = Phase.IDLE
    served: int = 0  # requests answered; another number means another request
    moved: int = 0  # bytes, growing with what the client sends (BODY) or reads (WRITING, CLOSING)
    since: float = -1.0  # when this was first seen, monotonic seconds; negative: never


def look(last: Sight, phase: Phase, served: int, moved: int, now: float, limits: HttpLimits) -> tuple[Sight, Verdict]:
    """Compare with the last sight. What changed between two sweeps is taken to have changed at the later one."""
    if last.since < 0 or phase is not last.phase or served != last.served:
        return Sight(phase, served, moved, now), Verdict.WAIT
    waited_s = now - last.since
    match phase:
        case Phase.IDLE:
            # A connection that never sent a request is not kept as long as one that did.
            limit_s = limits.idle_timeout_s if served else limits.header_timeout_s
            verdict = Verdict.CLOSE if waited_s > limit_s else Verdict.WAIT
        case Phase.HEAD:
            verdict = Verdict.REFUSE if waited_s > limits.header_timeout_s else Verdict.WAIT
        case Phase.BODY:
            too_slow = moved - last.moved < limits.body_bytes_per_s * waited_s
            verdict = Verdict.REFUSE if waited_s > limits.body_grace_s and too_slow else Verdict.WAIT
        case Phase.CALL:
            verdict = Verdict.WAIT  # the integration's own timeout ends it
        case Phase.WRITING:
            if moved > last.moved:
                return Sight(phase, served, moved, now), Verdict.WAIT
            verdict = Verdict.ABORT if waited_s > limits.write_timeout_s else Verdict.WAIT
        case Phase.CLOSING:
            if moved > last.moved:
                return Sight(phase, served, moved, now), Verdict.WAIT
            # With nothing left to write only the client's close is awaited.
            limit_s = limits.write_timeout_s if moved < 0 else limits.linger_s
            verdict = Verdict.ABORT if waited_s > limit_s else Verdict.WAIT
    return last, verdict
