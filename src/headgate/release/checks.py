"""What a release file says that cannot be meant: rules over several fields, each problem with its path in the file."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from headgate.model.release import COMPARED, LIMITED, Duration, Gate, Percentage, Release
from headgate.release import freeze

Problem = tuple[tuple[str | int, ...], str]

_VARIABLE_VALUE: Final = re.compile(r"[A-Za-z0-9\-._~:/?#&=, ]*")
_CANARY_ONLY: Final = ("mirror", "route", "sticky")


def problems(release: Release) -> Iterator[Problem]:
    """Every problem of a file whose fields are each right by themselves."""
    yield from _of_strategy(release)
    yield from _of_change(release)
    yield from _of_steps(release)
    yield from _of_analysis(release)
    for place, gates in (
        ("before", release.gates.before),
        ("step", release.gates.step),
        ("after", release.gates.after),
    ):
        for number, gate in enumerate(gates):
            yield from _of_gate(gate, ("gates", place, number))
    yield from _of_the_rest(release)


def _of_strategy(release: Release) -> Iterator[Problem]:
    strategy = release.strategy
    if strategy == "rolling":
        for name in ("api", "stage"):
            if getattr(release, name) is not None:
                yield (name,), "strategy rolling moves the aliases of functions and no stage; leave it out"
        if not release.change.functions:
            yield ("change",), "strategy rolling needs functions to change"
    else:
        for name in ("api", "stage"):
            if getattr(release, name) is None:
                yield (), f"{name} is missing: strategy {strategy} changes a stage of an API"
    if strategy == "blue-green":
        if release.green is None:
            yield (), "green is missing: the stage that takes the change while nobody calls it"
        elif release.green == release.stage:
            yield ("green",), f"it must be another stage than {release.stage}, which is the one that serves now"
    elif release.green is not None:
        yield ("green",), f"strategy {strategy} has no second stage; leave it out, or use strategy blue-green"
    if strategy != "canary":
        for name in _CANARY_ONLY:
            if getattr(release, name) is not None:
                yield (name,), f"it needs a canary; strategy {strategy} has none"


def _of_change(release: Release) -> Iterator[Problem]:
    change = release.change
    if change.deployment is None and not change.variables and not change.functions:
        yield ("change",), "nothing is changed; give a deployment, variables or functions"
    if release.strategy == "rolling" and (change.deployment is not None or change.variables):
        yield ("change",), "strategy rolling changes functions alone"
    for name, value in change.variables.items():
        if not re.fullmatch(r"\w+", name, re.ASCII):
            yield ("change", "variables", name), "a variable's name has letters, digits and underscores alone"
        if not _VARIABLE_VALUE.fullmatch(value):
            # The value may be a secret, so it is not shown.
            yield ("change", "variables", name), "its value may have letters, digits and - . _ ~ : / ? # & = , alone"
    for function, each in change.functions.items():
        at = ("change", "functions", function)
        if (each.zip is None) == (each.version is None):
            yield at, "give one of zip (code to publish) and version (one that is published)"
        if each.version is not None and not re.fullmatch(r"[1-9]\d*", each.version):
            yield (*at, "version"), f"{each.version!r} is no published version; write its number, such as 12"


def _of_steps(release: Release) -> Iterator[Problem]:
    steps = release.steps
    if not steps:
        return
    for number, (before, step) in enumerate(pairwise(steps), 1):
        if step.weight <= before.weight:
            yield ("steps", number, "weight"), f"{step.weight} is not above {before.weight} of the step before"
    if steps[-1].weight < 100:
        yield ("steps", len(steps) - 1, "weight"), "the last step must be weight: 100, which promotes"
    if steps[0].weight <= 0:
        yield ("steps", 0, "weight"), "a step must send some of the traffic"
    if release.strategy in {"blue-green", "all-at-once"} and len(steps) > 1:
        yield ("steps",), f"strategy {release.strategy} moves all traffic at once: its one step is weight: 100"
    settle = release.analysis.settle
    for number, step in enumerate(steps):
        if 0 < step.bake <= settle:
            yield ("steps", number, "bake"), f"{step.bake} is no longer than analysis.settle, {settle}: nothing is seen"
        is_last = step.weight >= 100
        if step.bake and is_last:
            yield ("steps", number, "bake"), "at 100 % it is promoted; write watch: for the time that it is looked at"
        if step.watch and not is_last:
            yield ("steps", number, "watch"), "only the last step, weight: 100, is watched; write bake:"
        if step.approval is not None and 0 < len(step.approval.by) < step.approval.needed:
            yield (
                ("steps", number, "approval", "needed"),
                f"{step.approval.needed} people are needed, and by: names {len(step.approval.by)}",
            )


def _of_analysis(release: Release) -> Iterator[Problem]:
    analysis = release.analysis
    for number, name in enumerate(analysis.compare):
        if name not in COMPARED:
            yield ("analysis", "compare", number), f"{name!r} is none of {', '.join(COMPARED)}"
    for name, value in analysis.limits.items():
        at = ("analysis", "limits", name)
        if name not in LIMITED:
            yield at, f"there is no such limit; known are {', '.join(LIMITED)}"
            continue
        kind = Duration if name.startswith("latency") else Percentage
        try:
            limit = kind.parse(value)
        except ValueError as error:
            yield at, str(error)
        else:
            if not 0 < limit < (float("inf") if kind is Duration else 100):
                yield at, f"{value!r} limits nothing"
    if release.sticky is not None:
        for number, name in enumerate(analysis.compare):
            if name in {"errors-4xx", "throttles"}:
                yield (
                    ("analysis", "compare", number),
                    f"{name} is not counted by caller, and sticky makes callers the unit",
                )
    if release.strategy == "rolling" and analysis.source in {"headgate", "access-logs"}:
        yield ("analysis", "source"), "a release of aliases is judged by alias-metrics"


def _of_gate(gate: Gate, at: tuple[str | int, ...]) -> Iterator[Problem]:
    given = [name for name in ("http", "run", "load", "function", "webhook") if getattr(gate, name) is not None]
    if len(given) != 1:
        yield (
            at,
            f"a gate is exactly one of http, run, load, function and webhook; this is {' and '.join(given) or 'none'}",
        )
    if gate.http is not None and (gate.http.get is None) == (gate.http.post is None):
        yield (*at, "http"), "give one of get and post"
    if gate.load is not None and gate.load.for_ >= gate.timeout:
        yield (*at, "load", "for"), f"{gate.load.for_} is not within the gate's timeout, {gate.timeout}"
    if gate.webhook is not None and not _is_url(gate.webhook):
        yield (*at, "webhook"), f"{gate.webhook!r} is no URL; write http:// or https://"


def _of_the_rest(release: Release) -> Iterator[Problem]:
    if release.sticky is not None and (release.sticky.header is None) == (release.sticky.cookie is None):
        yield ("sticky",), "give one of header and cookie"
    for number, each in enumerate(release.notify):
        if (each.webhook is None) == (each.sns is None):
            yield ("notify", number), "give one of webhook and sns"
        elif each.webhook is not None and not _is_url(each.webhook):
            yield ("notify", number, "webhook"), f"{each.webhook!r} is no URL; write http:// or https://"
    for number, window in enumerate(release.freeze):
        wrong = freeze.problem(window)
        if wrong is not None:
            yield ("freeze", number), wrong
    regions: list[str] = []
    for number, place in enumerate(release.regions):
        for region in (place,) if isinstance(place, str) else place.wave:
            if region in regions:
                yield ("regions", number), f"{region} stands here a second time"
            regions.append(region)
    if release.migrate.contract and not release.migrate.expand:
        yield ("migrate", "contract"), "there is nothing to contract without expand"
    yield from _of_files(release.migrate.sql)


def _of_files(files: Sequence[str]) -> Iterator[Problem]:
    for number, file in enumerate(files):
        if file.startswith("/") or ".." in file.split("/"):
            yield ("migrate", "sql", number), f"{file!r} must lie beside the release file or below it"


def _is_url(text: str) -> bool:
    return re.match(r"https?://[^/\s]+", text) is not None
