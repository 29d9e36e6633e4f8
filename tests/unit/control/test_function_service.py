"""Calling a function: its code is fetched and unpacked once, whoever asks and whatever becomes of them."""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from headgate.control.function_service import FunctionService
from headgate.dataplane.ports import BackendTimeout, FunctionMissing, FunctionThrottled
from headgate.functions.directory import FunctionDirectory, PublishedFunction
from headgate.functions.response_stream import ResponseStream
from headgate.model.arn import FunctionRef
from headgate.model.function import FunctionVersion
from headgate.model.invocation import FunctionError, FunctionSpec, Invocation, Outcome
from headgate.telemetry.function_metrics import FunctionMeters
from support.functions import replying, zipped

_ORDERS = FunctionRef(account_id="000000000000", region="us-east-1", name="orders")


class _Runtime:
    """Answers at once with the handler's source."""

    folders: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.retired: list[str] = []

    async def invoke(
        self, spec: FunctionSpec, invocation: Invocation, timeout_s: float | None, stream: ResponseStream | None
    ) -> Outcome:
        return Outcome(payload=(spec.code_dir / "handler.py").read_bytes())

    def retire(self, key: str) -> None:
        self.retired.append(key)


class _Patient(_Runtime):
    """Its calls outlive their callers, until the test ends them."""

    def __init__(self) -> None:
        super().__init__()
        self.running: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()

    async def invoke(
        self, spec: FunctionSpec, invocation: Invocation, timeout_s: float | None, stream: ResponseStream | None
    ) -> Outcome:
        raise TimeoutError

    def runs_on(self, spec: FunctionSpec, invocation: Invocation) -> asyncio.Future[Outcome | None] | None:
        return self.running


class _Full(_Patient):
    """Its calls are given up while they wait."""

    def runs_on(self, spec: FunctionSpec, invocation: Invocation) -> None:
        return None


class _Code:
    """A store of one zip, that gives it when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_there = True
        self.open = asyncio.Event()
        self.zip = zipped(replying("hello"))

    async def fetch(self, sha256: str) -> bytes | None:
        self.asked += 1
        await self.open.wait()
        return self.zip if self.is_there else None


def _service(
    folder: Path, code: _Code, runtime: Any = None, meters: FunctionMeters | None = None, reserved: int | None = None
) -> FunctionService:
    directory = FunctionDirectory()
    version = FunctionVersion(
        function_name="orders",
        function_arn=_ORDERS.arn,
        version="$LATEST",
        runtime="python3.13",
        role="",
        handler="handler.handle",
        code_size=1,
        last_modified="",
        revision_id="a",
        account_id=_ORDERS.account_id,
        region=_ORDERS.region,
        code_sha256=_sha256(code.zip),
    )
    published = PublishedFunction(versions={"$LATEST": version}, aliases={}, policies={}, reserved_concurrency=reserved)
    directory.publish((_ORDERS.account_id, _ORDERS.region, "orders"), published)
    used: Any = runtime or _Runtime()
    return FunctionService(directory, used, folder, code.fetch, meters)


def _sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


async def _call(service: FunctionService) -> bytes:
    return (await service.invoke(_ORDERS, b"{}", "", 1.0)).payload


def test_first_calls_at_the_same_time_fetch_the_code_once(tmp_path: Path) -> None:
    async def story() -> None:
        code = _Code()
        service = _service(tmp_path, code)
        calls = [asyncio.ensure_future(_call(service)) for _ in range(3)]
        code.open.set()

        assert all(b"hello" in payload for payload in await asyncio.gather(*calls))
        assert code.asked == 1

    asyncio.run(story())


def test_a_first_caller_that_leaves_takes_the_code_from_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        code = _Code()
        service = _service(tmp_path, code)
        first, second = (asyncio.ensure_future(_call(service)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        code.open.set()

        assert b"hello" in await second
        with pytest.raises(asyncio.CancelledError):
            await first
        assert code.asked == 1

    asyncio.run(story())


def test_a_call_whose_code_could_not_be_fetched_is_followed_by_one_that_tries_again(tmp_path: Path) -> None:
    async def story() -> None:
        code = _Code()
        code.open.set()
        code.is_there = False
        service = _service(tmp_path, code)

        with pytest.raises(RuntimeError, match="is not in the store"):
            await _call(service)
        code.is_there = True

        assert b"hello" in await _call(service)

    asyncio.run(story())


def test_a_function_that_there_is_not_is_missing(tmp_path: Path) -> None:
    async def story() -> None:
        service = _service(tmp_path, _Code())
        absent = FunctionRef(account_id=_ORDERS.account_id, region=_ORDERS.region, name="absent")

        with pytest.raises(FunctionMissing):
            await service.invoke(absent, b"{}", "", 1.0)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        pytest.param(Outcome(payload=b"1"), (1, 0), id="that succeeds"),
        pytest.param(Outcome(payload=b"1", error=FunctionError.UNHANDLED), (1, 1), id="that fails"),
        pytest.param(None, (0, 0), id="that never reached the function"),
    ],
)
def test_a_call_that_outlives_its_caller_is_counted_until_and_when_it_ends(
    outcome: Outcome | None, counted: tuple[int, int], tmp_path: Path
) -> None:
    async def story() -> None:
        code, runtime, meters = _Code(), _Patient(), FunctionMeters()
        code.open.set()
        service = _service(tmp_path, code, runtime, meters, reserved=1)
        with pytest.raises(BackendTimeout):
            await _call(service)
        with pytest.raises(FunctionThrottled):
            await _call(service)
        meters.take()

        runtime.running.set_result(outcome)
        await asyncio.sleep(0)

        with pytest.raises(BackendTimeout):  # its place is free again
            await _call(service)
        [seen] = [seen for seen in meters.take() if seen.concurrency is None]
        assert (seen.invocations, seen.errors) == counted

    asyncio.run(story())


def test_a_call_that_is_given_up_before_it_ran_is_no_invocation_and_leaves_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        code, meters = _Code(), FunctionMeters()
        code.open.set()
        service = _service(tmp_path, code, _Full(), meters, reserved=1)
        for _ in range(2):
            with pytest.raises(BackendTimeout):
                await _call(service)

        [seen] = [seen for seen in meters.take() if seen.concurrency is None]
        assert (seen.invocations, seen.errors, seen.throttles) == (0, 0, 0)

    asyncio.run(story())


def test_the_folders_of_code_that_may_be_called_are_known_from_before_they_are_there(tmp_path: Path) -> None:
    async def story() -> set[str]:
        code = _Code()
        service = _service(tmp_path, code)
        call = asyncio.ensure_future(_call(service))
        await asyncio.sleep(0)
        before = service.folders
        code.open.set()
        await call

        assert before == service.folders
        return before

    known = asyncio.run(story())

    assert known == {each.name for each in tmp_path.iterdir()}
