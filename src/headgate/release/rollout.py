"""The state of a release: the fold of its journal, which `fold` makes."""

import sys
from collections.abc import Mapping
from enum import StrEnum

from headgate.model.release import Release
from headgate.model.value import Value
from headgate.release.analysis.evidence import Evidence
from headgate.release.events import Command, Snapshot, Started
from headgate.release.file import read_release
from headgate.release.plan import Plan, plan_of
from headgate.release.steps import Step


class Phase(StrEnum):
    RUNNING = "running"
    ROLLING_BACK = "rolling-back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    ABANDONED = "abandoned"  # a person takes over: all stays as it is


class Question(Value, frozen=True):
    """What a track waits for a person about."""

    topic: str  # approval, drift, evidence or progress
    why: str
    since: float


class Track(Value, frozen=True):
    """One region's way through its leg's steps."""

    region: str
    steps: tuple[Step, ...]
    at: int = 0
    since: float = 0.0  # of the step it is at
    begun: bool = False  # the act of this step, perhaps not its end
    done: bool = False  # the act of this step
    message: str = ""  # of the last act
    refused: str | None = None  # why the act cannot be
    failures: int = 0  # of the act, the provider not answering
    failing_since: float = 0.0
    retry_at: float = 0.0
    question: Question | None = None
    answered: tuple[str, ...] = ()  # topics a person has decided at this step
    approvals: tuple[str, ...] = ()  # who has approved at this step
    set_again: bool = False  # after a drift: put what the release wants
    before: Snapshot | None = None
    deployment_id: str | None = None  # of the change
    versions: Mapping[str, str] = {}  # by function, of the change
    percent: float | None = None  # that the change gets, once it stands beside
    promoting: bool = False  # the promotion's act on traffic has begun
    promoted: bool = False
    evidence: Evidence = Evidence()
    looked_until: float = 0.0
    look_failures: int = 0
    look_failing_since: float = 0.0
    look_error: str = ""
    differences: tuple[str, ...] = ()  # of mirrored answers
    undone: tuple[str, ...] = ()

    @property
    def step(self) -> Step | None:
        """None once all are done."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def has_traffic(self) -> bool:
        return self.promoted or bool(self.percent)


class Rollout(Value, frozen=True):
    """A release on its way. `rollback` is why it goes back, once that is decided."""

    release: Release
    plan: Plan
    started: Started
    tracks: Mapping[str, Track]
    leg: int = 0
    leg_since: float = 0.0
    leg_before_ended: float = 0.0
    phase: Phase = Phase.RUNNING
    paused: bool = False
    rollback: str | None = None
    order: Command | None = None  # the last reject or abort
    contracted: bool = False  # nothing can be rolled back
    ended: str | None = None  # why
    ended_at: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.phase in {Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ABANDONED}

    @property
    def waits_for_person(self) -> bool:
        """A rollback waits for nobody, whatever was asked before it."""
        asks = self.paused or any(track.question for track in self.tracks.values())
        return self.phase is Phase.RUNNING and asks

    @property
    def waits_for_people_alone(self) -> bool:
        """Nothing goes on until somebody says something: no region of this wave is still at work."""
        tracks = [self.tracks[region] for region in self.plan.legs[self.leg].regions]
        at_work = [track for track in tracks if track.step is not None and track.question is None]
        return self.waits_for_person and (self.paused or not at_work)


def begin(started: Started) -> Rollout:
    """Raises release.file's error for a file that cannot be read."""
    release = read_release(started.text, "release file")
    plan = plan_of(release, started.region)
    tracks = {
        sys.intern(region): Track(region=region, steps=leg.steps, since=started.at)
        for leg in plan.legs
        for region in leg.regions
    }
    return Rollout(
        release=release,
        plan=plan,
        started=started,
        tracks=tracks,
        leg_since=started.at,
        leg_before_ended=started.at,
    )
