"""Event source mappings: a queue whose messages a function is called with."""

from collections.abc import Mapping

from headgate.model.arn import FunctionRef
from headgate.model.value import Value


class EventSourceMapping(Value, frozen=True):
    uuid: str
    account_id: str
    region: str
    queue: str  # the queue's ARN
    function: FunctionRef
    last_modified: float  # seconds since the epoch
    batch_size: int = 10
    window_s: int = 0  # how long a batch may be gathered
    filters: tuple[str, ...] = ()  # patterns, as JSON; a message that fits any of them is taken
    reports_failures: bool = False  # ReportBatchItemFailures
    maximum_concurrency: int | None = None
    enabled: bool = True
    tags: Mapping[str, str] | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:event-source-mapping:{self.uuid}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account_id, self.region, self.uuid


class QueueRef(Value, frozen=True):
    account_id: str
    region: str
    name: str

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")


def parse_queue_arn(arn: str) -> QueueRef | None:
    """Read an SQS queue's ARN; None when it is not one."""
    match arn.split(":"):
        case ["arn", partition, "sqs", region, account_id, name] if (
            partition.startswith("aws") and region and account_id.isdigit() and name
        ):
            return QueueRef(account_id=account_id, region=region, name=name)
    return None
