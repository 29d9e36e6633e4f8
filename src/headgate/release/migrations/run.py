"""Runs one command of a migration: to its end, and one at a time."""

import errno
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from headgate.release.failures import Unavailable
from headgate.release.gates.cancelled import Cancelled
from headgate.release.gates.command import told
from headgate.release.gates.context import GateContext, variables
from headgate.release.gates.process import run_process, shell

_GRACE_S: Final = 10.0  # for its client to give up in order, when the time is up
_LOOK_S: Final = 0.5
_NEVER: Final = threading.Event()


def run_migration(phase: str, command: str, context: GateContext, timeout_s: float, cancelled: threading.Event) -> str:
    """What the command of a phase (expand, verify or contract) said last.

    Once begun it is not cancelled, as a schema that is half changed is worse than a late answer; it ends, or its time
    is up. Raises Refused (it failed), Cancelled (before it began) and Unavailable (another one did not end in time).
    """
    began = time.monotonic()
    with _alone(context, began + timeout_s, cancelled) as held:
        if cancelled.is_set():
            raise Cancelled
        ended = run_process(
            shell(command),
            folder=context.folder,
            environment={**variables(context), "HEADGATE_PHASE": phase},
            timeout_s=timeout_s,
            cancelled=_NEVER,
            grace_s=_GRACE_S,
            inherits=(held,),
        )
    return f"{phase}: {told(command, ended, context, time.monotonic() - began)}"


@contextmanager
def _alone(context: GateContext, deadline: float, cancelled: threading.Event) -> Iterator[int]:
    """Wait until no migration of this folder and region runs on this machine.

    After a crash of ours the command of before may still run, and would run twice. So the command itself holds the
    lock, by inheritance: a name among the abstract Unix sockets, which is free again when the last who holds it ends.
    """
    of = hashlib.sha256(f"{context.folder}\0{context.region}".encode()).hexdigest()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        while True:
            try:
                lock.bind(f"\0headgate/migration/{of}")
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() >= deadline:
                    raise Unavailable("a migration that was begun before has not ended yet") from error
                if cancelled.wait(_LOOK_S):
                    raise Cancelled from None
        yield lock.fileno()
