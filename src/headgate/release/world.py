"""What the loop acts on, and how it learns what is so. `Aws` is the real one: boto3, against Headgate or AWS alike."""

import threading
from typing import Protocol
from urllib.parse import quote

from headgate.model.release import Notify
from headgate.release.drivers.alias import AliasDriver
from headgate.release.drivers.blue_green import BlueGreenDriver
from headgate.release.drivers.calls import Clients, calling
from headgate.release.drivers.driver import Driver
from headgate.release.drivers.stage import StageDriver
from headgate.release.events import SELF
from headgate.release.failures import Refused
from headgate.release.gates.context import GateContext
from headgate.release.gates.gate import run_gate
from headgate.release.migrations.run import run_migration
from headgate.release.notices import Notice, deliver
from headgate.release.plan import is_region, look_interval_s
from headgate.release.rollout import Rollout, Track
from headgate.release.sources.access_logs import AccessLogs
from headgate.release.sources.alias_metrics import AliasMetrics
from headgate.release.sources.headgate_sides import HeadgateSides
from headgate.release.sources.source import Source
from headgate.release.steps import Check, Migration


class World(Protocol):
    """All methods but `close` raise Refused and Unavailable."""

    def driver(self, region: str) -> Driver: ...

    def source(self, region: str) -> Source: ...

    def check(self, track: Track, step: Check, key: str, cancelled: threading.Event) -> str:
        """Run a gate; a sentence of what was seen."""
        ...

    def migrate(self, track: Track, step: Migration, key: str, cancelled: threading.Event) -> str:
        """Run one command of a migration; a sentence of what was seen."""
        ...

    def tell(self, notify: Notify, notice: Notice) -> None: ...

    def close(self) -> None: ...


class Aws:
    """One release's world."""

    def __init__(self, rollout: Rollout, own_url: str = "") -> None:
        """`own_url` is the control plane of the server that this runs in, for releases that say SELF."""
        started = rollout.started
        self._started = started
        self._endpoint_url = own_url if started.endpoint_url == SELF else started.endpoint_url
        self._release = rollout.release
        self._clients: dict[str, Clients] = {}
        self._drivers: dict[str, Driver] = {}
        self._sources: dict[str, Source] = {}

    def driver(self, region: str) -> Driver:
        if region not in self._drivers:
            clients, release, api_id = self._clients_of(region), self._release, self._started.apis.get(region)
            match release.strategy:
                case "rolling":
                    self._drivers[region] = AliasDriver(release, clients)
                case "blue-green":
                    self._drivers[region] = BlueGreenDriver(release, clients, api_id)
                case _:
                    self._drivers[region] = StageDriver(release, clients, api_id)
        return self._drivers[region]

    def source(self, region: str) -> Source:
        if region not in self._sources:
            self._sources[region] = self._new_source(region)
        return self._sources[region]

    def check(self, track: Track, step: Check, key: str, cancelled: threading.Event) -> str:
        def invoke(function: str, payload: bytes) -> bytes:
            client = self._clients_of(track.region).invoker(float(step.gate.timeout))
            with calling(f"function {function}"):
                answer = client.invoke(FunctionName=function, Payload=payload)
                body = answer["Payload"].read()
            if answer.get("FunctionError"):
                raise Refused(f"function {function} failed: {body[:500].decode('utf-8', 'replace')}")
            return body

        return run_gate(step.gate, self._context(track, key), invoke, cancelled)

    def migrate(self, track: Track, step: Migration, key: str, cancelled: threading.Event) -> str:
        context = self._context(track, key)
        return run_migration(step.phase, step.command, context, float(self._release.migrate.timeout), cancelled)

    def tell(self, notify: Notify, notice: Notice) -> None:
        def publish(topic_arn: str, subject: str, message: str) -> None:
            region = topic_arn.split(":")[3] if topic_arn.count(":") >= 5 else notice.region
            with calling(f"topic {topic_arn}"):
                self._clients_of(region).client("sns").publish(TopicArn=topic_arn, Subject=subject, Message=message)

        deliver(notify, notice, publish)

    def close(self) -> None:
        for clients in self._clients.values():
            clients.close()

    def _clients_of(self, region: str) -> Clients:
        if region not in self._clients:
            agent = f"headgate-release/{self._release.release} headgate-actor/{quote(self._started.actor, '')}"
            self._clients[region] = Clients(region, self._endpoint_url, self._started.account_id, agent)
        return self._clients[region]

    def _new_source(self, region: str) -> Source:
        release, clients = self._release, self._clients_of(region)
        interval_s = float(release.analysis.interval) or look_interval_s(release)
        if release.strategy == "rolling" or release.analysis.source == "alias-metrics":
            return AliasMetrics(release, clients, interval_s)
        driver = self.driver(region)
        if not isinstance(driver, StageDriver):
            raise Refused(f"strategy {release.strategy} has no stage to count the requests of")
        if release.analysis.source == "access-logs" or not clients.is_headgate:
            return AccessLogs(release, clients, driver.stage.access_log, interval_s)
        return HeadgateSides(release, clients.endpoint_url, lambda: driver.stage.api_id, interval_s)

    def _context(self, track: Track, key: str) -> GateContext:
        release, region = self._release, track.region
        route = release.route.header.partition("=") if release.route is not None else None
        return GateContext(
            key=key,
            release=release.release,
            region=region,
            stage_url=self._stage_url(region),
            headers={route[0]: route[2]} if route is not None else {},
            folder=self._started.folder,
            environment={},
            artefacts=self._started.artefacts,
        )

    def _stage_url(self, region: str) -> str:
        """Where the change answers: for blue-green the stage that it stands on."""
        if not is_region(region):
            return ""
        driver = self.driver(region)
        if not isinstance(driver, StageDriver):
            return ""
        gateway_url = self._clients_of(region).gateway_url
        if gateway_url:
            return f"{gateway_url}/_aws/execute-api/{driver.stage.api_id}/{driver.checked_stage}"
        return f"https://{driver.stage.api_id}.execute-api.{region}.amazonaws.com/{driver.checked_stage}"
