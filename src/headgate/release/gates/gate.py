"""Runs one gate: its tries, and what they saw."""

import threading
from typing import Final

from headgate.model.release import Gate
from headgate.release.failures import Refused, Unavailable
from headgate.release.gates.cancelled import Cancelled
from headgate.release.gates.command import run_command
from headgate.release.gates.context import GateContext
from headgate.release.gates.function import Invoke, ask_function
from headgate.release.gates.load import put_under_load
from headgate.release.gates.probe import probe
from headgate.release.gates.webhook import call_webhook

__all__ = ["Cancelled", "GateContext", "run_gate"]

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


def run_gate(gate: Gate, context: GateContext, invoke: Invoke, cancelled: threading.Event) -> str:
    """A sentence of what was seen.

    A try that fails is made again `gate.retries` times, whatever it failed of; `gate.timeout` holds for the whole of
    one try. Raises Refused, with the numbers, when the gate says no or could not be asked, Unavailable when that is
    for want of the provider that functions are called at, and Cancelled as soon as `cancelled` is set.
    """
    attempt = 1
    while True:
        try:
            seen = _try(gate, context, invoke, cancelled)
        except (Refused, Unavailable) as error:
            if attempt > gate.retries:
                raise _last(error, gate, attempt) from error
            if cancelled.wait(pause_s(attempt)):
                raise Cancelled from None
            attempt += 1
        else:
            return _at_try(attempt, gate) + seen


def pause_s(attempt: int) -> float:
    """How long to wait after a try, the first being 1: twice as long each time, up to half a minute."""
    return min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S)


def _try(gate: Gate, context: GateContext, invoke: Invoke, cancelled: threading.Event) -> str:
    if cancelled.is_set():
        raise Cancelled
    match gate:
        case Gate(http=http) if http is not None:
            return probe(http, context, gate.timeout, cancelled)
        case Gate(run=command) if command is not None:
            return run_command(command, context, gate.timeout, cancelled)
        case Gate(load=load) if load is not None:
            return put_under_load(load, context, gate.timeout, cancelled)
        case Gate(function=function) if function is not None:
            return ask_function(function, context, invoke, gate.timeout, cancelled)
        case Gate(webhook=url) if url is not None:
            return call_webhook(url, context, gate.timeout, cancelled)
        case _:
            raise Refused("a gate is one of http, run, load, function and webhook; this one is none")


def _last(error: Refused | Unavailable, gate: Gate, attempt: int) -> Refused | Unavailable:
    message = f"{_at_try(attempt, gate)}{error}"
    if isinstance(error, Unavailable) and (gate.function is not None or gate.load is not None):
        return Unavailable(message)
    return Refused(message)


def _at_try(attempt: int, gate: Gate) -> str:
    return "" if attempt == 1 else f"try {attempt} of {gate.retries + 1}: "
