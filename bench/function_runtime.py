"""The function runtime by itself, without gateway and logs: `python -m bench.function_runtime [asyncio]`."""

import asyncio
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from headgate.functions.isolation import Isolation, choose
from headgate.functions.runtime import FunctionRuntime, RuntimeLimits
from headgate.model.invocation import FunctionSpec, Invocation

_NO_SANDBOX = Isolation()
_CODE = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"
_EVENT = (
    b'{"resource":"/pets","path":"/pets","httpMethod":"GET","headers":{'
    + b",".join(b'"x-header-%d":"a value of some length"' % n for n in range(40))
    + b"}}"
)


class NoLogs:
    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        pass


def a_spec(code_dir: Path, key: str) -> FunctionSpec:
    """A function whose handler is `index.handler`, on the interpreter that runs this."""
    return FunctionSpec(
        key=key,
        name="hello",
        version="$LATEST",
        arn="arn:aws:lambda:us-east-1:000000000000:function:hello",
        account_id="000000000000",
        region="us-east-1",
        runtime=f"python3.{sys.version_info.minor}",
        handler="index.handler",
        code_dir=code_dir,
        memory_mb=512,
        timeout_s=30,
        environment={},
        log_group="/aws/lambda/hello",
    )


def _call(number: int) -> Invocation:
    return Invocation(request_id=f"{number:032x}", payload=_EVENT, invoked_arn="arn:hello")


async def _cold(folder: Path, *, spare: bool, isolation: Isolation = _NO_SANDBOX) -> float:
    limits = RuntimeLimits(keep_spare_parent=spare)
    runtime = FunctionRuntime(work_dir=folder / "work", logs=NoLogs(), limits=limits, isolation=isolation)
    times = []
    for number in range(9):
        began = time.perf_counter()
        await runtime.invoke(a_spec(folder, f"cold-{number}"), _call(number))
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.5 if spare else 0.05)
    await runtime.close()
    return statistics.median(times[1:])


async def _throughput(folder: Path, environments: int, callers: int, calls: int) -> str:
    limits = RuntimeLimits(max_environments=environments)
    runtime = FunctionRuntime(work_dir=folder / "work", logs=NoLogs(), limits=limits)
    spec = a_spec(folder, "busy")
    await asyncio.gather(*(runtime.invoke(spec, _call(n)) for n in range(callers)))
    times: list[float] = []

    async def caller(count: int) -> None:
        for number in range(count):
            began = time.perf_counter()
            await runtime.invoke(spec, _call(number))
            times.append(time.perf_counter() - began)

    cpu, began = _cpu_s(), time.perf_counter()
    await asyncio.gather(*(caller(calls // callers) for _ in range(callers)))
    took, cpu = time.perf_counter() - began, _cpu_s() - cpu
    await runtime.close()
    times.sort()
    p50, p99 = times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6
    return (
        f"{environments} environments, {callers} callers: {len(times) / took:,.0f} calls/s, p50 {p50:.0f} us, "
        f"p99 {p99:.0f} us, server CPU {cpu / len(times) * 1e6:.1f} us a call"
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _echo() -> str:
    """What two processes on one socket pair take on this machine at this moment, with nothing else around it."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        while theirs.recv(65_536):
            theirs.send(b"x" * 200)
        os._exit(0)
    theirs.close()
    ours.setblocking(False)
    came: asyncio.Future[None]

    def read() -> None:
        ours.recv(65_536)
        came.set_result(None)

    loop.add_reader(ours.fileno(), read)
    cpu, began = _cpu_s(), time.perf_counter()
    for _ in range(20_000):
        came = loop.create_future()
        ours.send(_EVENT)
        await came
    took, cpu = time.perf_counter() - began, _cpu_s() - cpu
    loop.remove_reader(ours.fileno())
    ours.close()
    os.waitpid(pid, 0)  # noqa: ASYNC222 - it ends with its socket
    return f"echo over a socket pair: {took / 20_000 * 1e6:.0f} us a round trip, CPU {cpu / 20_000 * 1e6:.1f} us"


async def _main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("index.py").write_text(_CODE)
        print(f"cold first call, no spare parent: {await _cold(folder, spare=False):.1f} ms")
        print(f"cold first call, spare parent: {await _cold(folder, spare=True):.1f} ms")
        sandboxed = choose(sandbox="auto", network="host", user="", data=folder)
        for spare in (False, True):
            cold_ms = await _cold(folder, spare=spare, isolation=sandboxed)
            print(f"cold first call, {sandboxed}, {'' if spare else 'no '}spare parent: {cold_ms:.1f} ms")
        for environments, callers in ((1, 1), (1, 8), (2, 2), (2, 32), (10, 32)):
            print(await _echo())
            print("  ", await _throughput(folder, environments, callers, 30_000))


if __name__ == "__main__":
    run = asyncio.run if "asyncio" in sys.argv else uvloop.run
    run(_main())
