"""Log lines into the store, in process: `python -m bench.logs`.

How many lines a second go in when they come as fast as they can; what share of a core 20,000 lines a second take, all
threads counted; and how much longer the event loop's work takes meanwhile. `taskset -c 0` puts all of it on one core.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_store import LogStore
from headgate.telemetry.metric_sink import GatheredMetrics

WANTED_PER_S: Final = 20_000
SECONDS: Final = 5
STREAMS: Final = 10
LINE: Final = "REPORT RequestId: 6d1f7a4e-0000-4a3b-9c55-2f1a5b1f2c3d\tDuration: 1.23 ms\tMemory Size: 128 MB\t"
_GROUP: Final = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/bench"


def _write(buffer: LogBuffer, count: int) -> None:
    now_ms = int(time.time() * 1000)
    for number in range(count):
        buffer.write(_GROUP, f"stream-{number % STREAMS}", now_ms, LINE)


async def flat_out(folder: Path) -> float:
    """Lines a second."""
    store = LogStore(folder / "flat.db")
    buffer = LogBuffer(store, GatheredMetrics(time.time))
    lines = WANTED_PER_S * SECONDS
    began = time.perf_counter()
    for _ in range(SECONDS):
        _write(buffer, WANTED_PER_S)
        await buffer.flush()
    took_s = time.perf_counter() - began
    await buffer.close()
    store.close()
    return lines / took_s


async def paced(folder: Path) -> tuple[float, int, float]:
    """CPU seconds a second at the wanted rate, lines dropped, and the longest that the event loop was late."""
    store = LogStore(folder / "paced.db")
    buffer = LogBuffer(store, GatheredMetrics(time.time))
    buffer.start()
    turns = 100  # a second
    latest_s = 0.0
    began, cpu_s = time.perf_counter(), time.process_time()
    for turn in range(turns * SECONDS):
        due = began + turn / turns
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        latest_s = max(latest_s, time.perf_counter() - due)
        _write(buffer, WANTED_PER_S // turns)
    await buffer.flush()
    share = (time.process_time() - cpu_s) / (time.perf_counter() - began)
    await buffer.close()
    dropped = buffer.dropped
    store.close()
    return share, dropped, latest_s


async def slowed(folder: Path) -> float:
    """How much longer a fixed piece of the event loop's work takes while lines come at the wanted rate: a ratio."""
    store = LogStore(folder / "slowed.db")
    buffer = LogBuffer(store, GatheredMetrics(time.time))
    buffer.start()
    turns = 200  # a second
    took_s = {0: 0.0, WANTED_PER_S // turns: 0.0}
    for _ in range(SECONDS):
        for lines in took_s:
            began = time.perf_counter()
            for turn in range(turns):
                await asyncio.sleep(max(0.0, began + turn / turns - time.perf_counter()))
                _write(buffer, lines)
                at = time.perf_counter()
                _work()
                took_s[lines] += time.perf_counter() - at
            await buffer.flush()
    await buffer.close()
    store.close()
    without_s, with_s = took_s.values()
    return with_s / without_s


def _work() -> int:
    """About as long as a request or two."""
    return sum(number for number in range(2_000))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        print(f"flat out: {uvloop.run(flat_out(Path(folder))):,.0f} lines a second")
        share, dropped, late_s = uvloop.run(paced(Path(folder)))
        print(
            f"at {WANTED_PER_S:,} lines a second: {share * 100:.0f} % of a core, {dropped} dropped, "
            f"the loop late by {late_s * 1000:.1f} ms at most"
        )
        print(f"meanwhile the loop's own work takes {uvloop.run(slowed(Path(folder))):.2f} times as long")


if __name__ == "__main__":
    main()
