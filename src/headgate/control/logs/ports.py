"""What CloudWatch Logs' operations work on."""

from typing import Protocol

from headgate.model.arn import FunctionRef
from headgate.telemetry.insights.queries import Queries
from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_store import LogStore


class LogsPorts(Protocol):
    @property
    def logs(self) -> LogStore: ...

    @property
    def buffer(self) -> LogBuffer: ...

    @property
    def queries(self) -> Queries: ...

    def may_deliver(self, function: FunctionRef, log_group_arn: str) -> bool:
        """Whether the function is there and its policy lets CloudWatch Logs call it for this group."""
        ...
