"""`make bench`: each figure beside what it is measured against, in one run. The report goes to bench/out/report.md."""

import argparse
import platform
import statistics
import sys
import time
import urllib.request
from functools import partial
from typing import Final

from bench import metrics
from bench.load import BACKEND_PORT, PROXY, STATIC, missing_tools, nginx, processor_s, resident_mib, wrk
from bench.report import LOAD_CORE, OUT, ROUNDS, SERVER_CORE, Report, beside_bare, by_turns, median
from bench.target import headgate


def http_proxy(report: Report, seconds: int) -> None:
    """One pinned core for the proxy, the other for the backend and the load; the two proxies take turns."""
    load_of = partial(wrk, connections=32, core=LOAD_CORE)
    with (
        nginx(BACKEND_PORT, STATIC, LOAD_CORE),
        nginx(18082, PROXY, SERVER_CORE) as other,
        headgate(SERVER_CORE) as target,
    ):
        url = target.http_proxy(f"http://127.0.0.1:{BACKEND_PORT}/")
        for address in (url, other):
            load_of(address, seconds=1)
        ours, theirs = by_turns(partial(load_of, url, seconds=seconds), partial(load_of, other, seconds=seconds))
    mine, nginx_s = median(ours), median(theirs)
    ratio = mine.per_s / nginx_s.per_s
    report.add("nginx proxy_pass, one core", str(nginx_s), "", reached=nginx_s.failed == 0)
    report.add("HTTP_PROXY, one core", str(mine), "", reached=mine.failed == 0)
    report.add("HTTP_PROXY / nginx", f"{ratio:.2f}", ">= 0.30", reached=ratio >= 0.30)


_TRACED: Final = "traced"


def observed_proxy(report: Report, seconds: int) -> None:
    """What metrics of methods, logs and traces cost: APIs of one server take turns, all of it on one core.

    By the processor's time a request, the writing of its lines included: on a core that is full a rate is one over
    that, and other work of the machine does not count.
    """
    spent_us: dict[str, list[float]] = {"": [], "ERROR": [], "INFO": [], _TRACED: []}
    failed = 0
    with nginx(BACKEND_PORT, STATIC, LOAD_CORE), headgate(SERVER_CORE) as target:
        urls = {level: target.http_proxy(f"http://127.0.0.1:{BACKEND_PORT}/") for level in spent_us}
        for level, url in urls.items():
            if level == _TRACED:
                target.trace(url)
            elif level:
                target.observe(url, level=level)
            wrk(url, connections=32, seconds=1, core=LOAD_CORE)
        for _ in range(2 * ROUNDS):
            for level, url in urls.items():
                target.write_logs()
                before_s = processor_s(target.pid)
                load = wrk(url, connections=32, seconds=max(1, seconds // 2), core=LOAD_CORE)
                target.write_logs()
                spent_us[level].append((processor_s(target.pid) - before_s) / load.requests * 1e6)
                failed += load.failed
    without_us, *others = (statistics.median(each) for each in spent_us.values())
    report.add("HTTP_PROXY without logs", f"{without_us:.0f} us of a core a request", "", reached=failed == 0)
    for level, with_us in zip(("ERROR", "INFO", _TRACED), others, strict=True):
        ratio, wanted = without_us / with_us, 0.8 if level == "ERROR" else 0.0
        what = f"the same with method metrics, access log, {level} log"
        if level == _TRACED:
            what = "the same, traced by the default rule (5 %)"
        report.add(
            what,
            f"{with_us:.0f} us: {ratio:.2f} of the rate",
            f">= {wanted} of it" if wanted else "",
            reached=ratio >= wanted,
        )


def lambda_proxy(report: Report, seconds: int) -> None:
    """Server, function and load on the same two cores."""
    with headgate() as target:
        url = target.lambda_proxy("orders")
        wrk(url, connections=32, seconds=2)
        beside_bare(report, "AWS_PROXY", url, seconds, 10_000)


def starts(report: Report) -> None:
    """The server's start and its memory; the first call of functions that were never called."""
    started, resident = [], []
    for _ in range(5):
        with headgate() as target:
            started.append(target.start_s)
            resident.append(resident_mib(target.pid))
    start_s, idle_mib = statistics.median(started), statistics.median(resident)
    report.add("start to first health answer", f"{start_s * 1000:.0f} ms", "< 500 ms", reached=start_s < 0.5)
    report.add("resident memory, idle", f"{idle_mib:.0f} MiB", "< 90 MiB", reached=idle_mib < 90)
    for name, pause_s in (("first call of a new Python function", 1.0), ("the same, functions made in a row", 0.0)):
        first_s = _first_calls(pause_s)
        middle_s = statistics.median(first_s)
        told = f"median {middle_s * 1000:.0f} ms, {min(first_s) * 1000:.0f} to {max(first_s) * 1000:.0f} ms"
        report.add(name, told, "< 60 ms", reached=middle_s < 0.060)


def _first_calls(pause_s: float) -> list[float]:
    """Of new functions, each made and called a while after the one before."""
    took_s = []
    with headgate() as target:
        for number in range(9):
            url = target.lambda_proxy(f"new-{number}")
            began = time.perf_counter()
            urllib.request.urlopen(url, timeout=30).close()
            took_s.append(time.perf_counter() - began)
            time.sleep(pause_s)
    return took_s


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each run of wrk")
    seconds: int = parser.parse_args().seconds
    report = Report()
    missing = missing_tools()
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}\n", flush=True)
    starts(report)
    metrics.measure(report)
    if "wrk" in missing:
        print("wrk is not installed: apt-get install wrk, for the figures under load")
    else:
        lambda_proxy(report, seconds)
        if missing:
            print(f"{', '.join(missing)} not installed: apt-get install nginx-light util-linux, for the comparison")
        else:
            http_proxy(report, seconds)
            observed_proxy(report, seconds)
    OUT.mkdir(exist_ok=True)
    (OUT / "report.md").write_text(report.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
