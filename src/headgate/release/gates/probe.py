"""The http gate: a request to the stage or elsewhere, and what its answer must be."""

import threading
import time

from headgate.model.release import HttpGate
from headgate.release.failures import Refused
from headgate.release.gates import excerpt
from headgate.release.gates.context import GateContext, is_url, url_of
from headgate.release.gates.exchange import ask
from headgate.release.gates.target import target_of


def probe(gate: HttpGate, context: GateContext, timeout_s: float, cancelled: threading.Event) -> str:
    """What was seen. Raises Refused, Unavailable and Cancelled."""
    method, place = ("POST", gate.post) if gate.post is not None else ("GET", gate.get or "/")
    url, routing = url_of(place, context)
    target = target_of(url)
    shown = f"{method} {target.shown if is_url(place) else place.partition('?')[0]}"
    began = time.monotonic()
    answer = ask(
        method,
        target,
        headers={**routing, **gate.headers},
        body=gate.body.encode(),
        timeout_s=timeout_s,
        cancelled=cancelled,
    )
    took = f"in {(time.monotonic() - began) * 1000:.0f} ms"
    body = excerpt.beginning(answer.body, [*routing.values(), *gate.headers.values()])
    if answer.status != gate.status:
        raise Refused(f"{shown} answered {answer.status} {took}, not {gate.status}: {body or 'no body'}")
    if gate.contains is not None and gate.contains not in answer.body.decode("utf-8", "replace"):
        where = "its body" if answer.is_whole else f"the first {len(answer.body)} bytes of its body"
        raise Refused(f"{shown} answered {answer.status} {took}, but {gate.contains!r} is not in {where}: {body}")
    return f"{shown} answered {answer.status} {took}"
