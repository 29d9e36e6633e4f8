"""The load gate's generator against a bare answer: `python -m bench.gate_load`.

What it must keep is a schedule of 2,000 requests a second. The share of a core is what it takes for itself; its
lateness says how much of a latency may be the generator's.
"""

import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from bench.load import wait_for
from headgate.release.gates.load import measure
from headgate.release.gates.load_generator import LoadPlan

RATES: Final = (100, 2_000, 5_000)
SECONDS: Final = 5.0
_PORT: Final = 18_084


def main() -> int:
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(_PORT)], cwd=Path(__file__).parents[1])
    try:
        url = f"http://127.0.0.1:{_PORT}/"
        wait_for(url)
        for rate in RATES:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            plan = LoadPlan(url=url, headers={}, rps=rate, seconds=SECONDS, answer_s=5.0, most_at_once=2000)
            tally = measure(plan, threading.Event())
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"{rate}/s: {tally.by_class.get('2XX', 0)} of {tally.requests} answered; "
                f"late p50 {tally.late.p50:.2f} ms, p99 {tally.late.p99:.2f} ms; "
                f"latency p50 {tally.latency.p50:.2f} ms, p99 {tally.latency.p99:.2f} ms; "
                f"{took_s / SECONDS:.2f} of a core, its start included"
            )
    finally:
        process.terminate()
        process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
