"""One SQS queue, wherever SQS is: received from and deleted from by SQS's own operations."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from headgate.control.polling.sqs_event import Message
from headgate.model.errors import ApiError
from headgate.model.event_source import QueueRef
from headgate.model.scope import Scope

MOST_AT_ONCE: Final = 10  # messages of one receive or delete (SQS's own limit)

Call = Callable[[str, str, Mapping[str, Any], Scope], Awaitable[dict[str, Any]]]
"""One operation of another service: service, operation, members, whose. Raises ApiError."""


class Queue:
    def __init__(self, queue: QueueRef, call: Call) -> None:
        self._queue = queue
        self._call = call
        self._scope = Scope(account_id=queue.account_id, region=queue.region)
        self._url = ""

    def __repr__(self) -> str:
        return f"<Queue {self._queue.name} of {self._queue.account_id} in {self._queue.region}>"

    async def visibility_timeout_s(self) -> int:
        """How long a message that was received stays hidden. Raises ApiError."""
        answer = await self._ask("GetQueueAttributes", {"AttributeNames": ["VisibilityTimeout"]})
        return int((answer.get("Attributes") or {}).get("VisibilityTimeout", 30))

    async def receive(self, most: int, wait_s: int) -> Sequence[Message]:
        """Up to ten messages, waiting for the first. Raises ApiError."""
        members = {
            "MaxNumberOfMessages": min(most, MOST_AT_ONCE),
            "WaitTimeSeconds": wait_s,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        received = (await self._ask("ReceiveMessage", members)).get("Messages") or ()
        return [message for message in received if "MessageId" in message and "ReceiptHandle" in message]

    async def delete(self, receipt_handles: Sequence[str]) -> int:
        """Delete messages; how many of them the queue did not delete. Raises ApiError."""
        left = 0
        for at in range(0, len(receipt_handles), MOST_AT_ONCE):
            some = receipt_handles[at : at + MOST_AT_ONCE]
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(some)]
            left += len((await self._ask("DeleteMessageBatch", {"Entries": entries})).get("Failed") or ())
        return left

    async def _ask(self, operation: str, members: Mapping[str, Any]) -> dict[str, Any]:
        if not self._url:
            named = {"QueueName": self._queue.name, "QueueOwnerAWSAccountId": self._queue.account_id}
            self._url = str((await self._call("sqs", "GetQueueUrl", named, self._scope)).get("QueueUrl", ""))
        try:
            return await self._call("sqs", operation, {"QueueUrl": self._url, **members}, self._scope)
        except ApiError:
            self._url = ""  # the queue may be another's by now
            raise
