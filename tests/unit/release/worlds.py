"""A release in memory: a made-up stage and its callers, a clock that is turned, and crashes where they are wanted."""

import random
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headgate.release.controller import Controller
from headgate.release.events import Event, Started
from headgate.release.journal import Lease
from headgate.release.rollout import Rollout, Track
from headgate.release.service import ReleaseService, StartRequest
from headgate.release.simulation import Scenario, SimulatedDriver, SimulatedWorld
from headgate.store.release_store import ReleaseStore

BEGIN = 1_800_000_000.0
HEALTHY = Scenario(requests_per_s=50, base_errors=0.01, change_errors=0.01)
BROKEN = Scenario(requests_per_s=50, base_errors=0.01, change_errors=0.5)

CANARY = textwrap.dedent("""
    release: orders-2
    api: orders
    stage: prod
    change: {deployment: current, variables: {pricing: v2}}
    steps:
      - {weight: 10, bake: 1m}
      - {weight: 50, bake: 2m}
      - {weight: 100, watch: 1m}
    analysis: {compare: [errors-5xx], negligible: 5%, interval: 20s}
""")


class Crash(BaseException):
    """The process is no more."""


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> float:
        return self.now


class CrashingWorld(SimulatedWorld):
    """Counts what touches it; before or after the one that is named, the process dies. Regions have traffic each."""

    def __init__(self, rollout: Rollout, scenario: Scenario, crash_at: int = -1) -> None:
        super().__init__(rollout.release, scenario, random.Random(7))
        self.release = rollout.release
        self._crashing: dict[str, CrashingDriver] = {}
        self.touches = 0
        self.crash_at = crash_at
        self.weights: list[float] = []  # that the change had, in order
        self.moves: list[tuple[str, float]] = []  # region and weight
        self.scenarios: dict[str, Scenario] = {}  # of regions that have another
        self.meanwhile: dict[int, Callable[[], None]] = {}  # what somebody does at one of the touches

    def driver(self, region: str) -> "CrashingDriver":
        if region not in self._crashing:
            self._crashing[region] = CrashingDriver(self, region)
        return self._crashing[region]

    def source(self, region: str) -> SimulatedWorld:
        if region not in self.scenarios:
            return self
        return SimulatedWorld(self.release, self.scenarios[region], random.Random(7))

    def touch(self) -> None:
        self.touches += 1
        self.meanwhile.pop(self.touches, lambda: None)()
        if self.touches == self.crash_at:
            raise Crash


class CrashingDriver(SimulatedDriver):
    """Dies before its act, or right after it."""

    def __init__(self, world: CrashingWorld, region: str) -> None:
        super().__init__(world.release)
        self._world = world
        self._region = region

    def deploy(self, key: str) -> str:
        with self._touched():
            return super().deploy(key)

    def shift(self, track: Track, percent: float) -> None:
        with self._touched():
            super().shift(track, percent)

    def promote(self, track: Track, part: str) -> None:
        with self._touched():
            super().promote(track, part)

    def undo(self, track: Track, part: str, *, promoted: bool) -> None:
        with self._touched():
            super().undo(track, part, promoted=promoted)

    @contextmanager
    def _touched(self) -> Iterator[None]:
        self._world.touch()
        yield
        self._world.weights.append(self.weight)
        self._world.moves.append((self._region, self.weight))
        self._world.touch()

    @property
    def weight(self) -> float:
        stage = self.read().stage
        assert stage is not None
        if stage.deployment_id == "new":
            return 100.0
        return stage.canary.percent if stage.canary is not None else 0.0


class CrashingStore(ReleaseStore):
    """Dies before or after the write of a row that is named by its count."""

    world: CrashingWorld | None = None

    def append(
        self, name: str, event: Event, lease: Lease | None = None, summary: Any = None, after: int | None = None
    ) -> int | None:
        if self.world is not None and lease is not None:
            self.world.touch()
        number = super().append(name, event, lease, summary, after)
        if self.world is not None and lease is not None:
            self.world.touch()
        return number


class Play:
    """One release from its start on: controllers come and go, the store and the world stay."""

    def __init__(
        self, text: str = CANARY, scenario: Scenario = HEALTHY, crash_at: int = -1, of: "Play | None" = None
    ) -> None:
        """`of`: a release before it, in the same state file."""
        self.clock: Clock = Clock() if of is None else of.clock
        self.store: CrashingStore = CrashingStore(Path(":memory:"), self.clock) if of is None else of.store
        self.service = ReleaseService(self.store, self.clock)
        self.name = self.service.start(StartRequest(text=text, actor="ann"))
        self.world = CrashingWorld(self.rollout, scenario, crash_at)
        self.store.world = self.world
        self.crashes = 0
        self._holders = 0

    @property
    def rollout(self) -> Rollout:
        return self.service.rollout(self.name)

    @property
    def track(self) -> Track:
        (track,) = self.rollout.tracks.values()
        return track

    @property
    def weight(self) -> float:
        return self.world.driver(self.track.region).weight

    def run(self, until: Callable[[Rollout], bool] = lambda _: False, most_s: float = 100_000.0) -> Rollout:
        """Turn the clock until the release is over, or `until` says so; a controller that dies has another after it."""
        ends = self.clock.now + most_s
        while True:
            try:
                if self._drive(until, ends):
                    return self.rollout
            except Crash:
                self.crashes += 1
                self.world.crash_at = -1
                self.clock.now += 1

    def controller(self) -> Controller:
        self._holders += 1
        lease = self.store.acquire(self.name, f"holder {self._holders}", 15.0)
        if lease is None:  # of one that died: it runs out
            self.clock.now += 15.0
            lease = self.store.acquire(self.name, f"holder {self._holders}", 15.0)
        assert lease is not None
        return Controller(self.store, lease, lambda _: self.world, clock=self.clock, lease_s=1e6)

    def close(self) -> None:
        self.store.close()

    def _drive(self, until: Callable[[Rollout], bool], ends: float) -> bool:
        controller = self.controller()
        died = True
        try:
            while self.clock.now < ends:
                self.world.now = self.clock.now
                wake_at = controller.step()
                if wake_at is None or until(controller.rollout):
                    died = False
                    return True
                self.clock.now = max(wake_at, self.clock.now)
            raise AssertionError(f"the release is not over after all that time: {controller.rollout.tracks}")
        finally:
            if died:
                controller.die()
            else:
                controller.close()


def started(text: str = CANARY, at: float = BEGIN) -> Started:
    return Started(at=at, text=text, region="us-east-1", actor="ann")
