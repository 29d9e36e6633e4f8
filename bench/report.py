"""What the benchmarks have in common: the report, the machine's yardstick, the middle of several runs."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench.load import Load, pinned, wait_for, wrk

OUT: Final = Path(__file__).parent / "out"
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
ROUNDS: Final = 5
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


@contextmanager
def bare() -> Iterator[str]:
    """The URL of the yardstick: a fixed answer from httptools on uvloop, on one core."""
    command = pinned([sys.executable, "-m", "bench.bare", str(BARE_PORT)], SERVER_CORE)
    process = subprocess.Popen(command, cwd=OUT.parent.parent)
    try:
        url = f"http://127.0.0.1:{BARE_PORT}/"
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def beside_bare(report: Report, what: str, url: str, seconds: int, wanted_per_s: int) -> None:
    """A URL's rate at 32 connections, on both cores, and as a share of the yardstick's; the two take turns.

    `wanted_per_s` is what the budget asks for on the machine that it was set on.
    """
    load_of = partial(wrk, connections=32, seconds=seconds)
    with bare() as bare_url:
        theirs, ours = by_turns(partial(load_of, bare_url, core=LOAD_CORE), partial(load_of, url))
    yardstick, load = median(theirs), median(ours)
    relative = yardstick.per_s / BUDGET_BARE_PER_S
    told = f"{yardstick}; {relative:.2f} of the budget's machine"
    report.add("bare answer, one core: the yardstick", told, "", reached=True)
    reached = load.failed == 0 and load.per_s >= wanted_per_s
    report.add(f"{what}, 32 connections, two cores", str(load), f">= {wanted_per_s:,}/s", reached=reached)
    shares = sorted(mine.per_s / their.per_s for mine, their in zip(ours, theirs, strict=True))
    ratio, wanted = shares[len(shares) // 2], wanted_per_s / BUDGET_BARE_PER_S
    told = f"{ratio:.3f}, {shares[0]:.3f} to {shares[-1]:.3f}"
    report.add(f"{what} / bare answer", told, f">= {wanted:.3f}", reached=ratio >= wanted)


def by_turns(*loads: Callable[[], Load]) -> list[list[Load]]:
    """The runs of each, which take turns: the machine's moods are then in all of them alike."""
    rounds = [[load() for load in loads] for _ in range(ROUNDS)]
    return [list(runs) for runs in zip(*rounds, strict=True)]


def median(runs: list[Load]) -> Load:
    """The run with the median rate; failures of all are counted."""
    ordered = sorted(runs, key=lambda run: run.per_s)
    chosen = ordered[len(ordered) // 2]
    return replace(chosen, failed=sum(run.failed for run in runs))
