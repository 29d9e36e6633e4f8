"""What CloudWatch's operations and its alarms' messages reach the world by."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from headgate.control.cloudwatch.alarm_topics import Services
from headgate.control.lambda_.event_targets import DeliveryFailed
from headgate.dataplane.ports import HttpClient
from headgate.model.arn import FunctionRef
from headgate.server.http_post import NoAnswer, post
from headgate.store.metric_store import MetricStore
from headgate.store.sqlite import SqliteStore


class CloudWatchService:
    """What CloudWatch's operations work on; see `control.cloudwatch.ports`."""

    def __init__(self, store: SqliteStore, metrics: MetricStore, webhooks: Collection[str]) -> None:
        self.store: Final = store
        self.webhooks: Final = webhooks
        self.run: Final = metrics.run
        self.write: Final = metrics.write


class AlarmPorts:
    """See `control.cloudwatch.alarm_targets.TargetPorts`."""

    def __init__(
        self,
        services: Services,
        http: HttpClient,
        webhooks: Mapping[str, str],
        may_call: Callable[[FunctionRef, str, str], bool],
        call_later: Callable[[FunctionRef, bytes], Awaitable[object]],
        *,
        has_own_topics: bool,
    ) -> None:
        self.services: Final = services
        self.webhooks: Final = webhooks
        self.has_own_topics: Final = has_own_topics
        self.may_call: Final = may_call
        self._http = http
        self._call_later = call_later

    async def call_later(self, function: FunctionRef, payload: bytes) -> None:
        await self._call_later(function, payload)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            return await post(self._http, url, headers, body)
        except NoAnswer as error:
            raise DeliveryFailed(str(error)) from error
