"""How many batches of a mapping are at work at once."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.control.lambda_.ports import Invoked
from headgate.control.polling.poller import DEFAULT_CONCURRENCY, Functions, Pace, Poller
from headgate.control.polling.queue import Queue
from headgate.model.arn import FunctionRef
from headgate.model.event_source import EventSourceMapping, parse_queue_arn
from headgate.model.invocation import Outcome
from headgate.model.scope import Scope

_FUNCTION = FunctionRef(account_id="000000000000", region="us-east-1", name="fn")


class _Sqs:
    """A queue that always has one more message, and a function whose calls end when a test lets them."""

    def __init__(self) -> None:
        self.running = 0
        self.let_go = asyncio.Event()
        self._received = 0

    async def call(self, service: str, operation: str, members: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        if operation == "ReceiveMessage":
            self._received += 1
            text = str(self._received)
            return {"Messages": [{"MessageId": text, "ReceiptHandle": text, "Body": text, "Attributes": {}}]}
        return {"QueueUrl": "url"}

    async def invoke(self, function: FunctionRef, event: bytes) -> Invoked:
        self.running += 1
        await self.let_go.wait()
        self.running -= 1
        return Invoked(executed_version="1", outcome=Outcome(payload=b"null"))


@pytest.mark.parametrize(
    ("queue", "maximum", "expected"),
    [
        pytest.param("q", None, DEFAULT_CONCURRENCY, id="by default"),
        pytest.param("q", 3, 3, id="ScalingConfig's MaximumConcurrency"),
        pytest.param("q.fifo", None, 1, id="a FIFO queue keeps its order"),
        pytest.param("q.fifo", 3, 1, id="a FIFO queue keeps its order, whatever the maximum"),
    ],
)
def test_so_many_batches_are_at_work_at_once(queue: str, maximum: int | None, expected: int) -> None:
    async def story() -> int:
        sqs = _Sqs()
        arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}"
        mapping = EventSourceMapping(
            uuid="u",
            account_id="000000000000",
            region="us-east-1",
            queue=arn,
            function=_FUNCTION,
            last_modified=0.0,
            maximum_concurrency=maximum,
        )
        ref = parse_queue_arn(arn)
        assert ref is not None
        functions = Functions(is_there=lambda _: True, invoke=sqs.invoke)
        poller = Poller(mapping, Queue(ref, sqs.call), functions, Pace())
        running = asyncio.create_task(poller.run())
        for _ in range(200):  # turns of the loop: far more than it takes to start as many as may
            await asyncio.sleep(0)
        most = sqs.running
        poller.stop()
        sqs.let_go.set()
        await running
        return most

    assert asyncio.run(story()) == expected
