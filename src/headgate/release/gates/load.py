"""The load gate: requests at a fixed rate, and how many of them may fail or be slow."""

import sys
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from headgate.model.release import Duration, LoadGate
from headgate.release.failures import Refused, Unavailable
from headgate.release.gates import excerpt
from headgate.release.gates.context import GateContext, inherited, is_url, url_of
from headgate.release.gates.load_generator import LoadPlan, Tally
from headgate.release.gates.load_worker import EX_REFUSED, EX_UNAVAILABLE
from headgate.release.gates.process import run_process
from headgate.release.gates.target import target_of

MOST_AT_ONCE: Final = 2000  # requests in flight
ANSWER_S: Final = 30.0  # how long an answer is waited for, if the gate's timeout leaves as much
_START_S: Final = 30.0  # for the generator to start, which is not the gate's time
_OWN_SHARE: Final = 0.5  # of a limit: if this machine alone was so late, the limit says nothing about the stage


def put_under_load(gate: LoadGate, context: GateContext, timeout_s: float, cancelled: threading.Event) -> str:
    """All figures in a sentence.

    Raises Refused (with the figures), Unavailable (this machine could not keep the schedule) and Cancelled.
    """
    url, routing = url_of(gate.get, context)
    if gate.for_ >= timeout_s:
        raise Refused(f"load for {gate.for_} does not fit into a timeout of {Duration(timeout_s)}; raise the timeout")
    plan = LoadPlan(
        url=url,
        headers=routing,
        rps=float(gate.rps),
        seconds=float(gate.for_),
        answer_s=float(min(ANSWER_S, timeout_s - gate.for_)),
        most_at_once=MOST_AT_ONCE,
    )
    shown = target_of(url).shown if is_url(gate.get) else gate.get.partition("?")[0]
    return judge(gate, shown, measure(plan, cancelled))


def judge(gate: LoadGate, place: str, tally: Tally) -> str:
    """All figures in a sentence. Raises Refused and Unavailable, see `put_under_load`."""
    told = f"GET {place} at {gate.rps:g}/s for {gate.for_}: {_figures(tally)}"
    failings = list(_failings(gate, tally))
    if not failings:
        return told
    if all(is_ours for _, is_ours in failings):
        raise Unavailable(f"this machine could not keep the schedule, so that the figures say nothing; {told}")
    raise Refused(f"{', '.join(failing for failing, is_ours in failings if not is_ours)}; {told}")


def measure(plan: LoadPlan, cancelled: threading.Event) -> Tally:
    """Carry out a plan in a process of its own. Raises Refused, Unavailable and Cancelled."""
    ended = run_process(
        [sys.executable, "-P", "-m", "headgate.release.gates.load_worker"],
        folder="",
        environment=inherited(),
        timeout_s=plan.seconds + plan.answer_s + _START_S,
        cancelled=cancelled,
        stdin=msgspec.json.encode(plan),
    )
    last = ended.output.rstrip().rpartition(b"\n")[2]
    match ended.status:
        case 0:
            return msgspec.json.decode(last, type=Tally)
        case status if status in {EX_REFUSED, EX_UNAVAILABLE}:
            # Nothing listens at all: that is a no, not the want of a provider.
            raise Refused(last.decode("utf-8", "replace"))
        case status:
            said = excerpt.end(ended.output, plan.headers.values())
            raise Unavailable(f"the load generator ended with status {status}: {said or 'it said nothing'}")


def _figures(tally: Tally) -> str:
    parts = [f"{tally.requests} requests"]
    parts += [f"{count} answered {kind}" for kind, count in sorted(tally.by_class.items())]
    parts += [
        f"{count} {name}"
        for name, count in (
            ("unanswered", tally.unanswered),
            ("broken off", tally.broken),
            ("not started for want of connections", tally.not_started),
        )
        if count
    ]
    latency = tally.latency
    parts += [f"errors {_error_percent(tally):.3g} %"]
    parts += [f"{name} {_ms(getattr(latency, name))}" for name in ("p50", "p90", "p99")]
    parts += [f"longest {_ms(latency.most)}", f"started at most {_ms(tally.late.most)} late"]
    return ", ".join(parts)


def _error_percent(tally: Tally) -> float:
    """Of all that were due: those answered 5XX, and those without an answer."""
    failed = tally.by_class.get("5XX", 0) + tally.unanswered + tally.broken + tally.not_started
    return 100 * failed / tally.requests


def _failings(gate: LoadGate, tally: Tally) -> Iterator[tuple[str, bool]]:
    """What is over its limit, and whether this machine's own lateness may be what put it there."""
    errors = _error_percent(tally)
    if errors > gate.errors:
        yield f"errors {errors:.3g} % are over {gate.errors}", False
    for name in ("p50", "p90", "p99"):
        limit: Duration | None = getattr(gate, name)
        seen = getattr(tally.latency, name)
        if limit is not None and seen > limit * 1000:
            yield f"{name} {_ms(seen)} is over {limit}", getattr(tally.late, name) > limit * 1000 * _OWN_SHARE


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.3g} s"
