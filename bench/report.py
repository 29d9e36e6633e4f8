"""What the benchmarks have in common: the report, the machine's yardstick, the middle of several runs."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench.load import Load, pinned, wait_for, wrk

OUT: Final = Path(__file__).parent / "out"
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
ROUNDS: Final = 3
BARE_PORT: Final = 18083
BUDGET_BARE_PER_S: Final = 132_000
"""What the yardstick gave on the machine that the budget was set on; absolute figures scale with it."""


class Report:
    """Lines for a person, and the same as Markdown."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str, str]] = []

    def add(self, what: str, measured: str, wanted: str, *, reached: bool) -> None:
        verdict = "reached" if reached else "SHORT"
        print(f"{what:<52} {measured:<44} {wanted:<16} {verdict}", flush=True)
        self._rows.append((what, measured, wanted, verdict))

    def markdown(self) -> str:
        header = "| what | measured | budget | |\n|---|---|---|---|\n"
        return header + "".join(f"| {' | '.join(row)} |\n" for row in self._rows)


def yardstick(report: Report, seconds: int) -> Load:
    """How fast this machine is today: a fixed answer from httptools on uvloop, on one core."""
    command = pinned([sys.executable, "-m", "bench.bare", str(BARE_PORT)], SERVER_CORE)
    process = subprocess.Popen(command, cwd=OUT.parent.parent)
    try:
        url = f"http://127.0.0.1:{BARE_PORT}/"
        wait_for(url)
        load = median([wrk(url, connections=32, seconds=seconds, core=LOAD_CORE) for _ in range(ROUNDS)])
    finally:
        process.terminate()
        process.wait()
    relative = load.per_s / BUDGET_BARE_PER_S
    report.add(
        "bare answer, one core: the yardstick", f"{load}; {relative:.2f} of the budget's machine", "", reached=True
    )
    return load


def median(runs: list[Load]) -> Load:
    """The run with the median rate; failures of all are counted."""
    ordered = sorted(runs, key=lambda run: run.per_s)
    chosen = ordered[len(ordered) // 2]
    return replace(chosen, failed=sum(run.failed for run in runs))
