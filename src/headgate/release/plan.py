"""A release file as legs of steps: what will happen, in order, before anything does.

Waves of regions are legs one after another; within one, the regions go side by side, each along the same steps.
Everything a strategy does differently is in this module and in its driver.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from headgate.model.release import Duration, Gate, Percentage, Release, Wave
from headgate.model.release import Step as Weight
from headgate.model.value import Value
from headgate.release.steps import (
    AskApproval,
    Bake,
    Check,
    Deploy,
    Migration,
    Preflight,
    Promote,
    Publish,
    Shift,
    Step,
    TakeSnapshot,
    Watch,
)

_PHASES: Final = ("expand", "verify", "contract")  # of a migration: done once for all, in a leg of its own

_LONGEST_LOOK_S: Final = 30.0
_LOOKS_A_BAKE: Final = 30

_PROMOTE: Final = Weight(weight=Percentage(100), watch=Duration(600))


def _bakes(*weights: int) -> tuple[Weight, ...]:
    return (*(Weight(weight=Percentage(each), bake=Duration(600)) for each in weights), _PROMOTE)


_DEFAULT_STEPS: Final = {
    "canary": _bakes(10, 25, 50),
    "rolling": _bakes(10, 50),
    "blue-green": (_PROMOTE,),
    "all-at-once": (_PROMOTE,),
}


class Leg(Value, frozen=True):
    """Regions that go side by side along the same steps. `after` are seconds since the leg before ended."""

    regions: tuple[str, ...]
    steps: tuple[Step, ...]
    after: float = 0.0


class Plan(Value, frozen=True):
    legs: tuple[Leg, ...]

    def steps_of(self, region: str) -> tuple[Step, ...]:
        return next(leg.steps for leg in self.legs if region in leg.regions)


def plan_of(release: Release, region: str) -> Plan:
    """The plan; `region` is the caller's, used where the file names none."""
    legs = []
    migrate = release.migrate
    if migrate.expand:
        # All that could refuse the release does so before the schema is touched.
        legs.append(Leg(regions=("expand",), steps=(Preflight(), Migration(phase="expand", command=migrate.expand))))
    steps = tuple(_steps(release))
    legs += [Leg(regions=wave.wave, steps=steps, after=float(wave.after)) for wave in _waves(release, region)]
    if migrate.verify:
        legs.append(_migration("verify", migrate.verify))
    if migrate.contract:
        # As long as a rollback is promised, the old code must find its schema.
        legs.append(_migration("contract", migrate.contract, after=float(release.rollback_window)))
    return Plan(legs=tuple(legs))


def is_region(name: str) -> bool:
    """Whether a track is one of a region, and not a migration's."""
    return name not in _PHASES


def _migration(phase: str, command: str, after: float = 0.0) -> Leg:
    return Leg(regions=(phase,), steps=(Migration(phase=phase, command=command),), after=after)


def weights_of(release: Release) -> tuple[Weight, ...]:
    return release.steps or _DEFAULT_STEPS[release.strategy]


def look_interval_s(release: Release) -> float:
    """Often enough to end a bad release early, seldom enough that a day's bake is not a journal of 17,000 rows."""
    bakes = [float(each.bake) for each in weights_of(release) if each.bake]
    return min(_LONGEST_LOOK_S, max(1.0, min(bakes, default=_LONGEST_LOOK_S) // _LOOKS_A_BAKE))


def promotion_parts(release: Release) -> tuple[str, ...]:
    """What promotion does, in its order. Traffic moves in the first of them, in one call."""
    functions = bool(release.change.functions)
    match release.strategy:
        case "rolling":
            return ("traffic",)
        case "canary":
            return ("traffic", "aliases", "clean") if functions else ("traffic", "clean")
        case "all-at-once":
            return ("traffic", "aliases", "clean") if functions else ("traffic",)
        case "blue-green":
            return ("traffic", "aliases", "clean", "idle") if functions else ("traffic", "idle")


def undo_parts(release: Release, *, promoted: bool) -> tuple[str, ...]:
    """What a rollback does, in its order: traffic first, then variables, aliases and deployment in reverse."""
    functions = bool(release.change.functions)
    match release.strategy:
        case "rolling":
            return ("traffic",)
        case "canary" if not promoted:
            return ("traffic", "clean")
        case "blue-green" if not promoted:
            return ("idle",)
        case "all-at-once" if not promoted:
            return ()
        case "blue-green":
            return ("traffic", "aliases", "clean", "idle") if functions else ("traffic", "clean", "idle")
        case _:
            return ("traffic", "aliases", "clean") if functions else ("traffic", "clean")


def _waves(release: Release, region: str) -> Iterator[Wave]:
    if not release.regions:
        yield Wave(wave=(region,))
    for each in release.regions:
        yield each if isinstance(each, Wave) else Wave(wave=(each,))


def _steps(release: Release) -> Iterator[Step]:
    yield Preflight()
    yield TakeSnapshot()
    for function, change in release.change.functions.items():
        if change.zip is not None:
            yield Publish(function=function)
    if release.change.deployment == "current":
        yield Deploy()
    if release.strategy in {"canary", "blue-green"}:
        yield Shift(percent=0.0)
    yield from _checks(release.gates.before, "before any traffic")
    weights = weights_of(release)
    below = [each for each in weights if each.weight < 100]
    for each in below:
        at = f"at {each.weight:g} %"
        yield Shift(percent=float(each.weight))
        yield Bake(seconds=float(each.bake), is_last=each is below[-1])
        yield from _checks(release.gates.step, at)
        if each.approval is not None:
            yield AskApproval(approval=each.approval, label=f"approval {at}")
    last = weights[-1]
    if last.approval is not None:
        yield AskApproval(approval=last.approval, label="approval of the promotion")
    for part in promotion_parts(release):
        yield Promote(part=part)
    yield from _checks(release.gates.after, "after promotion")
    if last.watch:
        yield Watch(seconds=float(last.watch))


def _checks(gates: Sequence[Gate], at: str) -> Iterator[Step]:
    for number, gate in enumerate(gates, 1):
        yield Check(gate=gate, label=f"gate {gate.name or number} {at}")
