"""The queue of asynchronous calls, with functions and targets in the test's hands and a store of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import uvloop

from headgate.control.lambda_.event_queue import EventLimits, EventQueue
from headgate.control.lambda_.ports import Invoked
from headgate.functions.errors import ReservedLimitReached, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.event import EventHead, EventPolicy
from headgate.model.invocation import FunctionError, Outcome
from headgate.model.scope import Scope
from headgate.store.sqlite import SqliteStore
from headgate.telemetry.event_metrics import EventMeters, samples_of
from headgate.wire.http import HttpRequest, HttpResponse

from .account import ACCOUNT, NOON, QUEUE, REGION, arn

HELLO: Final = FunctionRef(account_id=ACCOUNT, region=REGION, name="hello")
DONE: Final = Outcome(payload=b'"done"')
FAILED: Final = Outcome(payload=b'{"errorMessage":"no"}', error=FunctionError.UNHANDLED)
LIMITS: Final = EventLimits(
    first_hold_s=0.001,
    retry_delays_s=(0.001, 0.002),
    delivery_delays_s=(0.001, 0.001),
    defect_delay_s=0.001,
    delivery_timeout_s=5,
)


class World:
    """Functions that answer as they are told; services that keep what they are sent. A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOON
        self.policy = EventPolicy()
        self.missing: set[str] = set()
        self.answers: list[Outcome | Exception | None] = []  # what the next calls give; then DONE
        self.calls: list[tuple[str, str, bytes]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.refused_sends = 0
        self.held: asyncio.Event | None = None
        self.running = 0

    def exists(self, function: FunctionRef) -> bool:
        return function.name not in self.missing

    def event_policy(self, function: FunctionRef) -> EventPolicy:
        return self.policy if function.name == "hello" else EventPolicy()

    async def run(
        self,
        function: FunctionRef,
        payload: bytes,
        *,
        request_id: str,
        client_context: str = "",
        want_log_tail: bool = False,
    ) -> Invoked | None:
        self.calls.append((function.name, request_id, payload))
        self.running += 1
        try:
            if self.held is not None:
                await self.held.wait()
        finally:
            self.running -= 1
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else Invoked(executed_version="1", outcome=answer)

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        target = request.headers.get("x-amz-target", "")
        members = orjson.loads(request.body) if target else {"form": request.body.decode()}
        if self.refused_sends:
            self.refused_sends -= 1
            return HttpResponse(status=400, headers=[], body=b"no such queue")
        if target == "AmazonSQS.GetQueueUrl":
            return HttpResponse(status=200, headers=[], body=b'{"QueueUrl":"http://queue"}')
        self.sent.append((service, members))
        return HttpResponse(status=200, headers=[], body=b"{}")


class Story:
    def __init__(self, store: SqliteStore, limits: EventLimits) -> None:
        self.world = World()
        self.store = store
        self.meters = EventMeters()
        self.queue = EventQueue(store, self.world, self.world, limits, clock=self._clock, meters=self.meters)
        self._began = 0.0

    def _clock(self) -> float:
        """Real time goes on from the hand-set one, so that timers of milliseconds go off."""
        loop_time = asyncio.get_running_loop().time()
        self._began = self._began or loop_time
        return self.world.now + loop_time - self._began

    async def stored(self) -> list[EventHead]:
        return list(await self.store.read(lambda tx: tx.event_heads()))

    async def settled(self) -> None:
        """Until no event is left: none stored, and none counted, which comes a moment later."""
        async with asyncio.timeout(30):
            while await self.stored() or not repr(self.queue).startswith("<EventQueue 0 events"):
                pass

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until something is so."""
        async with asyncio.timeout(30):
            while not holds():
                await self.stored()


Scenario = Callable[[Story], Awaitable[None]]
Tell = Callable[..., None]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    def told(scenario: Scenario, *, limits: EventLimits = LIMITS, start: bool = True) -> None:
        async def played() -> None:
            store = SqliteStore(tmp_path / "state.db", lambda _tx, _changes: lambda: None, durable=False)
            story = Story(store, limits)
            try:
                await story.queue.load()
                if start:
                    story.queue.start()
                await scenario(story)
                await story.queue.stop(0)
            finally:
                store.close()

        uvloop.run(played())

    return told


def test_an_event_is_in_the_store_when_its_caller_is_answered(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        request_id = await story.queue.put(HELLO, b'{"a":1}', client_context='{"custom":{}}')

        (head,) = await story.stored()
        event = await story.store.read(lambda tx: tx.get_event(request_id))

        assert head == EventHead(id=request_id, function=HELLO, due_at=head.due_at, size=7)
        assert event is not None
        assert (event.payload, event.client_context, event.attempts) == (b'{"a":1}', '{"custom":{}}', 0)
        assert story.world.calls == []

    tell(scenario, start=False)


def test_an_event_calls_its_function_once_and_is_gone(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        request_id = await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert story.world.calls == [("hello", request_id, b"{}")]

    tell(scenario)


def test_what_an_earlier_process_left_is_delivered(tell: Tell) -> None:
    ids: list[str] = []

    async def left(story: Story) -> None:
        ids.extend([await story.queue.put(HELLO, b"%d" % number) for number in range(20)])

    async def found(story: Story) -> None:
        await story.settled()

        assert sorted(call[1] for call in story.world.calls) == sorted(ids)

    tell(left, start=False)
    tell(found)


def test_a_call_that_is_cut_off_is_made_again_by_the_next_process(tell: Tell) -> None:
    async def cut_off(story: Story) -> None:
        story.world.held = asyncio.Event()
        await story.queue.put(HELLO, b"{}")
        await story.until(lambda: story.world.running == 1)

    async def again(story: Story) -> None:
        await story.settled()

        assert len(story.world.calls) == 1

    tell(cut_off)
    tell(again)


def test_a_call_that_fails_is_made_three_times_with_one_request_id_and_then_told(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [FAILED, FAILED, FAILED]
        story.world.policy = EventPolicy(on_failure=QUEUE)
        request_id = await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert [call[1] for call in story.world.calls] == [request_id] * 3
        ((service, message),) = story.world.sent
        assert service == "sqs"
        assert message["QueueUrl"] == "http://queue"
        context = json.loads(message["MessageBody"])["requestContext"]
        assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 3)

    tell(scenario)


def test_a_retry_that_was_decided_on_survives_a_restart_with_its_count(tell: Tell) -> None:
    async def fails(story: Story) -> None:
        story.world.answers = [FAILED]
        request_id = await story.queue.put(HELLO, b"{}")
        async with asyncio.timeout(30):
            while (event := await story.store.read(lambda tx: tx.get_event(request_id))) and not event.attempts:
                pass
        assert event is not None
        assert event.due_at >= NOON + 3600

    async def later(story: Story) -> None:
        story.world.answers = [FAILED, FAILED, FAILED]
        assert story.world.calls == []
        (head,) = await story.stored()
        story.world.now = head.due_at
        story.queue.start()

        await story.settled()

        assert len(story.world.calls) == 2

    tell(fails, limits=EventLimits(retry_delays_s=(3600, 0.001)))
    tell(later, start=False, limits=LIMITS)


def test_throttled_calls_are_made_again_and_count_as_none(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [Throttled("full"), Throttled("full"), DONE]
        story.world.policy = EventPolicy(on_success=QUEUE)
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert len(story.world.calls) == 3
        assert json.loads(story.world.sent[0][1]["MessageBody"])["requestContext"]["approximateInvokeCount"] == 1

    tell(scenario)


def test_without_any_concurrency_the_failure_is_told_at_once(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [ReservedLimitReached(0)]
        story.world.policy = EventPolicy(on_failure=QUEUE, dead_letter=QUEUE)
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        record, letter = [message for _, message in story.world.sent]
        assert json.loads(record["MessageBody"])["requestContext"]["condition"] == "ZeroReservedConcurrency"
        assert letter["MessageAttributes"]["ErrorCode"] == {"DataType": "Number", "StringValue": "429"}

    tell(scenario)


def test_an_event_that_is_too_old_is_told_and_not_run(tell: Tell) -> None:
    async def put(story: Story) -> None:
        await story.queue.put(HELLO, b"{}")

    async def late(story: Story) -> None:
        story.world.now = NOON + 61
        story.world.policy = EventPolicy(max_age_s=60, on_failure=QUEUE)
        story.queue.start()

        await story.settled()

        assert story.world.calls == []
        record = json.loads(story.world.sent[0][1]["MessageBody"])
        assert record["requestContext"]["condition"] == "EventAgeExceeded"

    tell(put, start=False)
    tell(late, start=False)


def test_a_function_that_was_deleted_counts_as_one_that_failed(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [None, None, None]
        story.world.policy = EventPolicy(dead_letter=QUEUE)
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        attributes = story.world.sent[0][1]["MessageAttributes"]
        assert attributes["ErrorMessage"]["StringValue"] == f"Function not found: {arn()}"
        assert len(story.world.calls) == 3

    tell(scenario)


def test_an_outcome_that_cannot_be_sent_is_sent_later_without_another_call(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.policy = EventPolicy(on_success=QUEUE)
        story.world.refused_sends = 2
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert len(story.world.calls) == 1
        assert len(story.world.sent) == 1

    tell(scenario)


def test_an_outcome_that_can_never_be_sent_is_given_up(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.policy = EventPolicy(on_success=QUEUE)
        story.world.refused_sends = 100
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert story.world.refused_sends == 97
        assert story.world.sent == []

    tell(scenario)


def test_a_function_as_a_destination_is_called_with_the_record(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.policy = EventPolicy(on_success=arn("next"))
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert [call[0] for call in story.world.calls] == ["hello", "next"]
        assert json.loads(story.world.calls[1][2])["requestContext"]["condition"] == "Success"

    tell(scenario)


def test_functions_that_pass_an_event_on_to_each_other_are_stopped(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.policy = EventPolicy(on_success=arn("hello"))
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert len(story.world.calls) == 17

    tell(scenario)


@pytest.mark.parametrize(
    "limits", [EventLimits(max_events=2), EventLimits(max_bytes=20)], ids=["as many as may wait", "as much as may wait"]
)
def test_a_full_queue_refuses_and_says_what_it_holds(tell: Tell, limits: EventLimits) -> None:
    async def scenario(story: Story) -> None:
        await story.queue.put(HELLO, b'"01234567"')
        await story.queue.put(HELLO, b'"01234567"')

        with pytest.raises(ApiError) as refused:
            await story.queue.put(HELLO, b'"01234567"')

        assert (refused.value.code, refused.value.status) == ("TooManyRequestsException", 429)
        assert refused.value.message.startswith("Rate Exceeded. 2 events with 20 bytes wait to be delivered")
        assert len(await story.stored()) == 2

        story.queue.start()
        await story.settled()
        await story.queue.put(HELLO, b'"01234567"')

    tell(scenario, limits=limits, start=False)


def test_a_function_that_is_not_there_is_no_event(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.missing = {"hello"}

        with pytest.raises(ApiError) as refused:
            await story.queue.put(HELLO, b"{}")

        assert (refused.value.status, refused.value.message) == (404, f"Function not found: {arn()}")
        assert await story.stored() == []

    tell(scenario)


def test_a_defect_of_the_server_costs_no_event_and_no_attempt(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [OSError("the disk is full"), FAILED, FAILED, DONE]
        story.world.policy = EventPolicy(on_success=QUEUE)
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        assert len(story.world.calls) == 4
        assert json.loads(story.world.sent[0][1]["MessageBody"])["requestContext"]["approximateInvokeCount"] == 3

    tell(scenario)


def test_so_many_events_are_delivered_at_a_time_and_no_more(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.held = asyncio.Event()
        for name in "abc":
            for _ in range(4):
                await story.queue.put(FunctionRef(account_id=ACCOUNT, region=REGION, name=name), b"{}")
        await story.until(lambda: story.world.running == 5)
        await story.stored()

        called = [call[0] for call in story.world.calls]
        assert story.world.running == 5
        assert max(map(called.count, "abc")) <= 2
        story.world.held.set()
        await story.settled()
        assert len(story.world.calls) == 12

    tell(scenario, limits=EventLimits(parallel=5, parallel_per_function=2))


def test_a_store_that_is_emptied_leaves_nothing_to_deliver(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        await story.queue.put(HELLO, b"{}")
        await story.store.write(lambda tx: tx.clear())
        story.queue.clear()

        story.queue.start()
        await story.queue.put(HELLO, b"1")
        await story.settled()

        assert [call[2] for call in story.world.calls] == [b"1"]

    tell(scenario, start=False)


def test_events_are_counted_with_their_age_and_what_could_not_be_sent(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.answers = [FAILED, FAILED, FAILED]
        story.world.policy = EventPolicy(dead_letter=QUEUE)
        story.world.refused_sends = 1
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        seen = {name: (point.count, point.sum) for (_, name), point in story.meters.take().items()}
        assert seen.pop("AsyncEventAge")[0] == 3
        assert seen == {"AsyncEventsReceived": (1, 1.0), "AsyncEventsDropped": (1, 1.0), "DeadLetterErrors": (1, 1.0)}

    tell(scenario)


def test_a_destination_that_refuses_is_counted_at_each_try(tell: Tell) -> None:
    async def scenario(story: Story) -> None:
        story.world.policy = EventPolicy(on_success=QUEUE)
        story.world.refused_sends = 100
        await story.queue.put(HELLO, b"{}")

        await story.settled()

        samples = samples_of(story.meters.take(), 0)
        failures = {each.key.dimensions: each.point.sum for each in samples if each.key.name.startswith("Dest")}
        function = ("FunctionName", "hello")
        assert failures == {(): 3.0, (function,): 3.0, (function, ("Resource", "hello")): 3.0}

    tell(scenario)
