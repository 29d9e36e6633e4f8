"""A plan played against made-up traffic on a clock of its own: how often, and how soon, would it roll back?

The steps, the decisions and the statistics are the real ones; the API, its callers and the time are made up here.
"""

import math
import random
import threading
from collections.abc import Iterator, Mapping
from statistics import NormalDist, median
from typing import Any, Final

import msgspec

from headgate.model.release import Notify, Release
from headgate.model.value import Value
from headgate.release.actions import Action, Do, LookAt, Note, Undo, Wait
from headgate.release.acts import perform
from headgate.release.analysis.looks import Counts, Look
from headgate.release.decide import decide
from headgate.release.drift import alias_key, variables_of_change, versions_of_change
from headgate.release.events import AliasTarget, Began, Command, Event, Looked, Snapshot, Started, Undid
from headgate.release.fold import after
from headgate.release.judgement import SLOW_SHARE
from headgate.release.notices import Notice
from headgate.release.plan import is_region, look_interval_s
from headgate.release.rollout import Phase, Rollout, Track, begin
from headgate.release.seen import CanarySeen, Seen, StageSeen, Target
from headgate.release.sources.source import Seen as Counted
from headgate.release.sources.source import Traffic
from headgate.release.steps import AskApproval, Bake, Check, Migration, Watch

_BEGIN: Final = 1_800_000_000.0
_OLD, _NEW = "old", "new"
_SPREAD: Final = 0.5  # of the logarithm of a latency
_NORMAL: Final = NormalDist()
_MOST_PASSES: Final = 200_000


class Scenario(Value, frozen=True):
    """Made-up traffic. Shares are within 0 to 1; the change's own are those of its side."""

    requests_per_s: float
    base_errors: float
    change_errors: float
    slower: float = 1.0  # the change's latencies, as a multiple
    drift: float = 0.0  # by how much of itself all errors rise and fall, in waves of an hour


class Outcome(Value, frozen=True):
    """How one release went. `failed` are the requests that the change answered with an error."""

    phase: str  # promoted, rolled-back or waiting
    seconds: float
    percent: float  # the most traffic that the change had
    failed: int
    why: str


def play(text: str, scenario: Scenario, seed: int) -> Outcome:
    """One release from its start to its end, or until it waits for more than an approval."""
    rollout = begin(Started(at=_BEGIN, text=text, region="simulated", actor="simulation"))
    world = SimulatedWorld(rollout.release, scenario, random.Random(seed))
    now, most = _BEGIN, 0.0
    for _ in range(_MOST_PASSES):
        if rollout.is_over or _waits(rollout):
            break
        world.now = now
        actions = decide(rollout, world.seen(rollout), now)
        action = next((each for each in actions if not isinstance(each, Wait)), None)
        if action is None:
            now = _next_time(rollout, world, actions, now)
            continue
        for event in _carried_out(rollout, action, world, now):
            rollout = after(rollout, event)
        if rollout.tracks:
            most = max(most, *(track.percent or 0.0 for track in rollout.tracks.values()))
    phase = str(rollout.phase) if rollout.is_over else "waiting"
    questions = [track.question.why for track in rollout.tracks.values() if track.question]
    why = rollout.rollback or rollout.ended or next(iter(questions), "")
    return Outcome(phase=phase, seconds=now - _BEGIN, percent=most, failed=world.failed, why=why)


def simulated(text: str, scenario: Scenario, runs: int, seed: int) -> dict[str, Any]:
    """Many releases, summed up."""
    outcomes = [play(text, scenario, seed * 1_000_003 + run) for run in range(runs)]
    return {
        "runs": runs,
        "scenario": msgspec.to_builtins(scenario),
        "outcomes": {phase: _summed([each for each in outcomes if each.phase == phase], runs) for phase in _PHASES},
    }


_PHASES: Final = (str(Phase.PROMOTED), str(Phase.ROLLED_BACK), "waiting")


def _summed(outcomes: list[Outcome], runs: int) -> dict[str, Any]:
    if not outcomes:
        return {"share": 0.0}
    return {
        "share": len(outcomes) / runs,
        "medianSeconds": median(each.seconds for each in outcomes),
        "medianFailed": median(each.failed for each in outcomes),
        "why": outcomes[0].why,
    }


def _waits(rollout: Rollout) -> bool:
    return any(track.question and track.question.topic != "approval" for track in rollout.tracks.values())


def _next_time(rollout: Rollout, world: "SimulatedWorld", actions: list[Action], now: float) -> float:
    """When the next thing can happen: the end of a step or a look, never sooner than what is waited for."""
    wait = min(each.until for each in actions if isinstance(each, Wait))
    times = [wait]
    for track in rollout.tracks.values():
        if track.has_traffic:
            times.append(track.looked_until + world.interval_s)
        if isinstance(track.step, Bake | Watch):
            times.append(track.since + track.step.seconds)
    later = [each for each in times if each > now]
    beyond = [each for each in later if each > wait]
    return min(beyond) if beyond and wait - now <= 1.0 else min(later)


def _carried_out(rollout: Rollout, action: Action, world: "SimulatedWorld", now: float) -> Iterator[Event]:
    match action:
        case Note(event=event):
            yield event
            track = rollout.tracks.get(getattr(event, "region", ""))
            if track is not None and isinstance(track.step, AskApproval):
                for number in range(track.step.approval.needed):
                    people = track.step.approval.by or tuple(f"person {each}" for each in range(20))
                    yield Command(at=now, verb="approve", actor=people[number])
        case Do(region=region, key=key, step=step):
            track = rollout.tracks[region]
            yield Began(at=now, region=region, key=key, title=action.title)
            yield perform(rollout, track, step, key, world, lambda _: b"", now, threading.Event())
        case Undo(region=region, part=part):
            world.driver(region).undo(rollout.tracks[region], part, promoted=action.promoted)
            yield Undid(at=now, region=region, part=part)
        case LookAt(region=region, since=since, until=until):
            counted = world.source(region).looks(rollout.tracks[region], since, until)
            yield Looked(at=now, region=region, until=until, looks=counted.looks, thresholds=counted.thresholds)
        case _:
            raise TypeError(f"{action} is not carried out")


class SimulatedWorld:
    """See `world.World`: its own driver and source, one for all regions' time, a stage for each region."""

    lag_s: Final = 0.0
    grain_s: Final = 1.0

    def __init__(self, release: Release, scenario: Scenario, chance: random.Random) -> None:
        self.now = _BEGIN
        self.failed = 0
        self.interval_s: Final = float(release.analysis.interval) or look_interval_s(release)
        self._release = release
        self._scenario = scenario
        self._chance = chance
        self._drivers: dict[str, SimulatedDriver] = {}

    def driver(self, region: str) -> "SimulatedDriver":
        return self._drivers.setdefault(region, SimulatedDriver(self._release))

    def source(self, region: str) -> "SimulatedWorld":  # noqa: ARG002 - all see the same traffic
        return self

    def seen(self, rollout: Rollout) -> Seen:
        targets = {
            region: self.driver(region).read()
            for region, track in rollout.tracks.items()
            if is_region(region) and track.before is not None
        }
        return Seen(targets=targets, lag_s=0.0, interval_s=self.interval_s)

    def check(self, track: Track, step: Check, key: str, cancelled: threading.Event) -> str:  # noqa: ARG002 - the protocol's
        return "taken for passed"

    def migrate(self, track: Track, step: Migration, key: str, cancelled: threading.Event) -> str:  # noqa: ARG002 - the protocol's
        return "taken for done"

    def tell(self, notify: Notify, notice: Notice) -> None:
        """Nobody hears of it."""

    def close(self) -> None:
        """Nothing is open."""

    def problems(self) -> list[str]:
        return []

    def thresholds(self, now: float) -> Mapping[str, float]:  # noqa: ARG002 - the protocol's
        return dict.fromkeys((name for name in self._release.analysis.compare if name in SLOW_SHARE), 1.0)

    def traffic(self, now: float) -> Traffic:  # noqa: ARG002 - the protocol's
        return Traffic(requests_per_s=self._scenario.requests_per_s)

    def looks(self, track: Track, since: float, until: float) -> Counted:
        requests = poisson(self._chance, self._scenario.requests_per_s * (until - since))
        on_change = requests if track.promoted else binomial(self._chance, requests, (track.percent or 0.0) / 100)
        wave = 1.0 + self._scenario.drift * math.sin(2 * math.pi * (since - _BEGIN) / 3600)
        change = self._counts(on_change, self._scenario.change_errors * wave, self._scenario.slower)
        base = self._counts(requests - on_change, self._scenario.base_errors * wave, 1.0)
        self.failed += change.bad["errors-5xx"]
        look = Look(since=since, until=until, percent=track.percent or 0.0, base=base, canary=change)
        return Counted(looks=(look,))

    def _counts(self, requests: int, errors: float, slower: float) -> Counts:
        bad = {"errors-5xx": binomial(self._chance, requests, min(1.0, errors)), "errors-4xx": 0, "throttles": 0}
        left, share_before = requests, 1.0
        for name, share in SLOW_SHARE.items():
            # Who is beyond p99 is beyond p90 and p50 too, so each is drawn of those before.
            beyond = 1 - _NORMAL.cdf(_NORMAL.inv_cdf(1 - share) - math.log(slower) / _SPREAD)
            left = binomial(self._chance, left, min(1.0, beyond / share_before))
            share_before = beyond
            bad[name] = left
            bad[f"limit:{name}"] = 0  # what an absolute limit means for made-up latencies, nobody can say
        return Counts(requests=requests, bad=bad)


class SimulatedDriver:
    """See `drivers.driver.Driver`: a stage and its aliases in memory."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._before = Snapshot(
            deployment_id=_OLD,
            aliases={
                alias_key(function, each.alias): AliasTarget(version="1")
                for function, each in release.change.functions.items()
            },
        )
        self._stage = StageSeen(deployment_id=_OLD)
        self._aliases = dict(self._before.aliases)

    def problems(self) -> list[str]:
        return []

    def read(self) -> Target:
        alarms = dict.fromkeys(self._release.analysis.alarms, "OK")
        return Target(stage=self._stage, aliases=dict(self._aliases), alarms=alarms)

    def snapshot(self) -> Snapshot:
        return self._before

    def publish(self, function: str, code: bytes) -> str:  # noqa: ARG002 - the protocol's
        return "2"

    def deploy(self, key: str) -> str:  # noqa: ARG002 - the protocol's
        return _NEW

    def shift(self, track: Track, percent: float) -> None:
        match self._release.strategy:
            case "canary":
                canary = CanarySeen(
                    deployment_id=track.deployment_id or _OLD,
                    percent=percent,
                    overrides=dict(self._release.change.variables),
                    versions=versions_of_change(self._release, track),
                )
                self._stage = StageSeen(deployment_id=_OLD, canary=canary)
            case "rolling":
                for key, version in versions_of_change(self._release, track).items():
                    weights = {version: percent / 100} if percent else {}
                    self._aliases[key] = AliasTarget(version="1", weights=weights)

    def put_back(self, track: Track) -> None:
        self._stage, self._aliases = StageSeen(deployment_id=_OLD), dict(self._before.aliases)
        if track.promoted:
            self.promote(track, "traffic")
        elif track.percent is not None:
            self.shift(track, track.percent)

    def promote(self, track: Track, part: str) -> None:
        if self._release.strategy != "rolling" and part == "traffic":
            variables = variables_of_change(self._release, self._before)
            self._stage = StageSeen(deployment_id=track.deployment_id or _OLD, variables=variables)
        if part in {"traffic", "aliases"}:
            moved = versions_of_change(self._release, track)
            self._aliases |= {key: AliasTarget(version=version) for key, version in moved.items()}

    def undo(self, track: Track, part: str, *, promoted: bool) -> None:  # noqa: ARG002 - the protocol's
        self._stage = StageSeen(deployment_id=_OLD)
        self._aliases = dict(self._before.aliases)


def poisson(chance: random.Random, mean: float) -> int:
    """Exact where the mean is small, else the rounded normal."""
    if mean > 100:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def binomial(chance: random.Random, trials: int, share: float) -> int:
    """Exact where few are expected, by skipping from one to the next; else the rounded normal."""
    if share <= 0 or trials <= 0:
        return 0
    if share >= 1:
        return trials
    if share > 0.5:
        return trials - binomial(chance, trials, 1 - share)
    if trials * share > 50:
        return min(trials, max(0, round(chance.gauss(trials * share, math.sqrt(trials * share * (1 - share))))))
    count, at, skip = 0, -1, math.log1p(-share)
    while True:
        at += 1 + int(math.log(1 - chance.random()) / skip)
        if at >= trials:
            return count
        count += 1
