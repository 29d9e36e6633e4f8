"""From a save in a folder that `headgate dev` serves to the first call that the new code answers."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.report import Report
from bench.target import Target, headgate

_SAVES: Final = 15
_CALL_EVERY_S: Final = 0.005
_MOST_S: Final = 30.0
_KINDS: Final = {
    "Python": ("app.py", "def handler(event, context):\n    return {number}\n"),
    "Node.js": ("index.js", "exports.handler = async () => {number};\n"),
}


def saves(report: Report) -> None:
    with headgate() as target:
        for kind, (file, code) in _KINDS.items():
            with tempfile.TemporaryDirectory() as name:
                times = _times(target, Path(name), file, code)
            told = f"median {statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} ms"
            reached = statistics.median(times) < 300
            report.add(f"headgate dev, {kind}, save to next call", told, "< 300 ms", reached=reached)


def _times(target: Target, folder: Path, file: str, code: str) -> list[float]:
    """Milliseconds of each save. A call of the old code may be under way meanwhile: calls come as fast as they may."""
    path = folder / file
    path.write_text(code.format(number=0))
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "headgate", "dev", str(folder), "--name", "fn", "--endpoint-url", target.control]
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env={"PATH": os.environ["PATH"]}) as dev:
        try:
            _until(target, 0)
            times = []
            for number in range(1, _SAVES + 1):
                began = time.perf_counter()
                path.write_text(code.format(number=number))
                _until(target, number)
                times.append((time.perf_counter() - began) * 1000)
            return times
        finally:
            dev.terminate()


def _until(target: Target, number: int) -> None:
    """Until the function answers this. Raises TimeoutError."""
    end = time.monotonic() + _MOST_S
    while time.monotonic() < end:
        if target.invoke("fn") == json.dumps(number).encode():
            return
        time.sleep(_CALL_EVERY_S)
    raise TimeoutError(f"the function does not answer {number}")
