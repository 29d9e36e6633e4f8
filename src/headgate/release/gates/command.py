"""The run gate: a shell command that must succeed."""

import threading
import time

from headgate.release.failures import Refused
from headgate.release.gates import excerpt
from headgate.release.gates.context import GateContext, variables
from headgate.release.gates.process import Ended, run_process, shell


def run_command(command: str, context: GateContext, timeout_s: float, cancelled: threading.Event) -> str:
    """What it said last. Raises Refused and Cancelled."""
    began = time.monotonic()
    ended = run_process(
        shell(command),
        folder=context.folder,
        environment=variables(context),
        timeout_s=timeout_s,
        cancelled=cancelled,
    )
    return told(command, ended, context, time.monotonic() - began)


def told(command: str, ended: Ended, context: GateContext, took_s: float) -> str:
    """A command's end in words. Raises Refused unless it succeeded."""
    output = excerpt.end(ended.output, context.headers.values())
    after = f":\n{output}" if output else ", and it said nothing"
    match ended.status:
        case 0:
            return f"{command!r} succeeded in {took_s:.1f} s{after if output else ''}"
        case None:
            raise Refused(f"{command!r} was ended after {took_s:.1f} s, its timeout{after}")
        case status if status < 0:
            raise Refused(f"{command!r} was killed by signal {-status} after {took_s:.1f} s{after}")
        case status:
            raise Refused(f"{command!r} failed with exit status {status} after {took_s:.1f} s{after}")
