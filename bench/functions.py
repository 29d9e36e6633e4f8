"""The speed of functions, each figure beside its budget or its peer, in one run: `python -m bench.functions`."""

import argparse
import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from bench import peers
from bench.dev import saves
from bench.function_runtime import NoLogs, a_spec
from bench.load import missing_tools, resident_mib, wait_for, wrk
from bench.report import OUT, ROUNDS, Report, beside_bare, by_turns, median
from bench.target import headgate
from headgate.functions.isolation import choose
from headgate.functions.runtime import FunctionRuntime, RuntimeLimits
from headgate.model.invocation import Invocation

KNOWN: Final = 1_000
ACTIVE: Final = 10
_STARTS: Final = 9
_PLAIN: Final = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"
_FASTAPI: Final = """
from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()

@app.get("/")
async def hello():
    return "hello"

handler = Mangum(app, lifespan="off")
"""


def calls(report: Report, seconds: int) -> None:
    """A plain handler behind AWS_PROXY: server, function and load on the same cores."""
    with headgate() as target:
        url = target.lambda_proxy("orders")
        wrk(url, connections=32, seconds=2)
        one = median([wrk(url, connections=1, seconds=seconds) for _ in range(ROUNDS)])
        report.add("gateway to answer, 1 connection", str(one), "p50 < 0.15 ms", reached=one.p50_ms < 0.15)
        beside_bare(report, "calls", url, seconds, 20_000)


def starts(report: Report) -> None:
    """One more execution environment of a function that is warm: a fork, up to where it takes a call."""
    wanted = [("plain", _PLAIN, 10.0), ("FastAPI under Mangum", _FASTAPI, 50.0)]
    for name, source, budget_ms in wanted:
        if name != "plain" and importlib.util.find_spec("mangum") is None:
            print("FastAPI and Mangum are not installed, and left out")
            continue
        times = _fork_starts(source)
        middle = statistics.median(times)
        told = f"median {middle:.1f} ms, {min(times):.1f} to {max(times):.1f} ms"
        report.add(f"fork start, {name}", told, f"< {budget_ms:.0f} ms", reached=middle < budget_ms)


def _fork_starts(source: str) -> list[float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # functions may run as another user
        code = folder / "code"
        code.mkdir()
        (code / "index.py").write_text(source)
        return uvloop.run(_started(folder, code))


async def _started(folder: Path, code: Path) -> list[float]:
    isolation = choose(sandbox="auto", network="host", user="nobody", data=folder)
    limits = RuntimeLimits(max_environments=_STARTS + 1)
    runtime = FunctionRuntime(work_dir=folder / "work", logs=NoLogs(), limits=limits, isolation=isolation)
    spec = a_spec(code, "starts")
    await runtime.invoke(spec, Invocation(request_id="first", payload=b"{}", invoked_arn=spec.arn))
    times = []
    for environments in range(2, _STARTS + 2):
        began = time.perf_counter()
        await runtime.keep_started(spec, environments)
        while runtime.provisioned(spec.key).started < environments:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)
        times.append((time.perf_counter() - began) * 1000)
    await runtime.close()
    return times


def many_known(report: Report, seconds: int) -> None:
    """Whether functions that nobody calls cost those that are called anything."""
    seen = []
    for known in (ACTIVE, KNOWN):
        with headgate() as target:
            urls = [target.lambda_proxy(f"active-{number}") for number in range(ACTIVE)]
            for number in range(known - ACTIVE):
                target.function(f"idle-{number}")
            for url in urls:
                wrk(url, connections=1, seconds=1)
            p50_ms = statistics.median(wrk(url, connections=1, seconds=seconds).p50_ms for url in urls)
            seen.append((resident_mib(target.pid), p50_ms))
    (few_mib, few_ms), (many_mib, many_ms) = seen
    name = f"{KNOWN:,} functions known, {ACTIVE} active, against {ACTIVE} known"
    memory, latency = many_mib / few_mib, many_ms / few_ms
    told = f"server {many_mib:.0f} MiB and {few_mib:.0f} MiB, p50 {many_ms:.2f} ms and {few_ms:.2f} ms"
    report.add(name, told, "as with 10", reached=memory < 1.25 and latency < 1.25)


def beside_peers(report: Report, seconds: int) -> None:
    """The same handler on each, by the same load; the ratio is of the calls a second at 16 connections."""
    if peers.SERVERLESS.exists():
        with peers.serverless_offline() as url, headgate() as target:
            ours = target.lambda_proxy("node", peers.NODE_HANDLER, "nodejs20.x")
            _beside(report, "serverless-offline, Node.js", url, ours, seconds)
    else:
        print("serverless-offline is not there, and left out: make bench-peers")
    if peers.MINISTACK.exists():
        with peers.ministack() as other, headgate() as target:
            _beside(report, "MiniStack, Python", other.lambda_proxy("orders"), target.lambda_proxy("orders"), seconds)
    else:
        print("MiniStack is not there, and left out: make bench-peers")


def _beside(report: Report, name: str, their_url: str, our_url: str, seconds: int) -> None:
    for url in (their_url, our_url):
        wait_for(url, 60.0)  # the first call starts the function
        wrk(url, connections=16, seconds=2)
    load_of = partial(wrk, connections=16, seconds=seconds)
    theirs, ours = map(median, by_turns(partial(load_of, their_url), partial(load_of, our_url)))
    report.add(name, str(theirs), "", reached=theirs.failed == 0)
    report.add(f"{name}: Headgate", str(ours), "", reached=ours.failed == 0)
    if theirs.per_s:
        ratio = ours.per_s / theirs.per_s
        report.add(f"{name}: Headgate / it", f"{ratio:.1f}", ">= 20", reached=ratio >= 20)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.functions", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of each run of wrk")
    seconds: int = parser.parse_args().seconds
    report = Report()
    starts(report)
    if "wrk" in missing_tools():
        print("wrk is not installed: apt-get install wrk, for the figures under load")
    else:
        calls(report, seconds)
        saves(report)
        many_known(report, 1)
        beside_peers(report, seconds)
    OUT.mkdir(exist_ok=True)
    (OUT / "functions.md").write_text(report.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
