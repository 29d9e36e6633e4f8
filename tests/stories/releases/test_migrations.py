"""Commands of migrations as real processes: to their end, and one at a time, crashes of ours included."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest

from headgate.release.failures import Refused, Unavailable
from headgate.release.gates.cancelled import Cancelled
from headgate.release.gates.context import GateContext
from headgate.release.migrations.run import run_migration

WAIT_S: Final = 60.0


def a_context(folder: Path, region: str = "eu-west-1") -> GateContext:
    return GateContext(key=f"orders-2.1/1/{region}/2", release="orders-2.1", region=region, folder=str(folder))


def started(act: Callable[[], Any]) -> "Future[Any]":
    end: Future[Any] = Future()

    def run() -> None:
        try:
            end.set_result(act())
        except BaseException as error:
            end.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return end


def test_a_command_knows_its_phase_and_key(tmp_path: Path) -> None:
    command = 'echo "$HEADGATE_PHASE $HEADGATE_IDEMPOTENCY_KEY"'

    told = run_migration("expand", command, a_context(tmp_path), WAIT_S, threading.Event())

    assert told.startswith(f"expand: {command!r} succeeded in ")
    assert told.endswith(":\nexpand orders-2.1/1/eu-west-1/2")


def test_a_command_that_fails_refuses_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"failed with exit status 1 after .* s:\nno such table$"):
        run_migration("verify", "echo no such table; exit 1", a_context(tmp_path), WAIT_S, threading.Event())


def test_a_migration_that_has_begun_is_not_cancelled(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "go")
    cancelled = threading.Event()
    command = "echo . > begun; read x < go; sleep 0.5; echo done"  # long enough to be killed
    end = started(lambda: run_migration("expand", command, a_context(tmp_path), WAIT_S, cancelled))
    (tmp_path / "begun").read_text(encoding="ascii")  # waits for it

    cancelled.set()
    (tmp_path / "go").write_text("go\n", encoding="ascii")

    assert end.result(WAIT_S).endswith(":\ndone")


def test_one_that_has_not_begun_is_cancelled(tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()

    with pytest.raises(Cancelled):
        run_migration("expand", "touch ran", a_context(tmp_path), WAIT_S, cancelled)

    assert not (tmp_path / "ran").exists()


def test_when_its_time_is_up_it_may_give_up_in_order(tmp_path: Path) -> None:
    command = "trap 'echo rolled back; exit 0' TERM; echo begun; while :; do sleep 0.05; done"

    with pytest.raises(Refused, match=r"(?s)was ended after .* its timeout:\nbegun\n.*rolled back$"):
        run_migration("expand", command, a_context(tmp_path), 3.0, threading.Event())


def test_a_migration_that_outlived_a_crash_of_ours_does_not_run_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    crashed = subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)])
    orphan = int((tmp_path / "begun").read_text(encoding="ascii"))
    crashed.kill()
    crashed.wait()

    try:
        with pytest.raises(Unavailable, match="begun before has not ended yet"):
            run_migration("expand", "touch twice", a_context(tmp_path), 0.1, threading.Event())
        run_migration("expand", "true", a_context(tmp_path, "us-east-1"), WAIT_S, threading.Event())
    finally:
        os.kill(orphan, signal.SIGKILL)

    # And when it has ended, the next one runs.
    run_migration("expand", "true", a_context(tmp_path), WAIT_S, threading.Event())
    assert not (tmp_path / "twice").exists()


_RUN: Final = """
import sys, threading
from headgate.release.gates.context import GateContext
from headgate.release.migrations.run import run_migration
context = GateContext(key="orders-2.1/1/eu-west-1/2", release="orders-2.1", region="eu-west-1", folder=sys.argv[1])
run_migration("expand", "echo $$ > begun; exec sleep 1000", context, 1000.0, threading.Event())
"""
