"""Who is told of a method's requests: its access log and its execution log. A method without either has no witness."""

from headgate.dataplane.access_log import AccessLog
from headgate.dataplane.exchange import Exchange
from headgate.dataplane.execution_log import ExecutionLog


class Witness:
    __slots__ = ("_access_log", "_execution_log", "needs_watch")

    def __init__(self, access_log: AccessLog | None, execution_log: ExecutionLog | None) -> None:
        self._access_log = access_log
        self._execution_log = execution_log
        self.needs_watch = (access_log is not None and access_log.needs_watch) or (
            execution_log is not None and execution_log.needs_watch
        )

    def tell(self, exchange: Exchange) -> None:
        if self._execution_log is not None:
            self._execution_log.write(exchange)
        if self._access_log is not None:
            self._access_log.write(exchange)
