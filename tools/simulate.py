"""How often a release is rolled back, rightly and wrongly, and how soon: the real analysis on simulated traffic.

    make simulate

Each scenario is played many times, in looks of 30 s: 10 %, 25 % and 50 % of the traffic for 20 looks each, judged at
every look. Beside the real assessment stand the rules that other tools use: a threshold on each look's success rate
(Flagger: five failed looks in all; Argo Rollouts: a failure limit of three) and a z-test of the totals at every look.
The table is that of docs/statistics.md. `RUNS=200 make simulate` is faster and less exact.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import erf, log, sqrt
from statistics import mean, median
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator

from headgate.release.analysis.evidence import AnalysisSettings, Evidence, Verdict, assess
from headgate.release.analysis.looks import ERROR_RATE, Counts, Look, Tally

SEED: Final = 7
LOOK_S: Final = 30.0
WEIGHTS: Final = (10,) * 20 + (25,) * 20 + (50,) * 20
ERRORS: Final = "errors-5xx"
LATENCIES: Final = ("latency-p50", "latency-p90", "latency-p99")
JUDGES: Final = ("0.05", "0.01", "z", "flagger", "argo")  # the analysis at these alphas; the other rules

Traffic = Callable[[Generator], Iterator[Look]]
"""Draws the looks of one release."""


class Scenario(NamedTuple):
    name: str
    traffic: Traffic
    is_good: bool
    compare: tuple[str, ...] = (ERRORS,)
    is_for_all: bool = True  # the other rules judge requests, and these by their errors


class Outcome(NamedTuple):
    """What became of one release; looks are counted from 1."""

    failed_at: dict[str, int]  # by judge
    served: dict[str, int]  # bad requests of the canary up to then
    passed_at: int | None  # by the analysis with its default alpha


# Traffic


def steady(ratio: float, share: float, rps: float = 20.0) -> Traffic:
    return lambda chance: _errors(chance, rps, lambda _: (share, min(1.0, share * ratio)))


def drifting(ratio: float, share: float = 0.005, rps: float = 20.0) -> Traffic:
    """Errors come and go as over a day, and the backend of both sides is out for 90 s."""

    def traffic(chance: Generator) -> Iterator[Look]:
        phase, outage = chance.uniform(0, 60), int(chance.integers(0, 58))

        def risks(at: int) -> tuple[float, float]:
            base = share * (1 + 0.8 * np.sin(2 * np.pi * (at + phase) / 60))
            if outage <= at < outage + 3:
                return 0.3, 0.3
            return base, min(1.0, base * ratio)

        return _errors(chance, rps, risks)

    return traffic


def late(ratio: float, share: float = 0.005, rps: float = 20.0, begins_at: int = 40) -> Traffic:
    """A canary that is well until a leak, say, has filled something."""
    return lambda chance: _errors(chance, rps, lambda at: (share, share * ratio if at >= begins_at else share))


def _errors(chance: Generator, rps: float, risks: Callable[[int], tuple[float, float]]) -> Iterator[Look]:
    for at, weight in enumerate(WEIGHTS):
        canary, base = chance.poisson(rps * LOOK_S * np.array([weight, 100 - weight]) / 100)
        base_risk, canary_risk = risks(at)
        yield _look(
            at,
            weight,
            Counts(requests=int(base), bad={ERRORS: int(chance.binomial(base, base_risk))}),
            Counts(requests=int(canary), bad={ERRORS: int(chance.binomial(canary, canary_risk))}),
        )


def sticky(unit: str, ratio: float = 1.0) -> Traffic:
    """2000 callers who stay on their side, at 20 requests/s. One in 40 is troubled: four of ten of his requests fail.

    On the canary there are `ratio` times as many of these. Units are requests, or as `dataplane.sessions` counts: the
    callers who have not failed before, and for shares the first request of each.
    """
    callers = 2000

    def traffic(chance: Generator) -> Iterator[Look]:
        place, trouble = chance.uniform(0, 100, callers), chance.uniform(0, 1, callers)
        at_risk, new = np.ones(callers, dtype=bool), np.ones(callers, dtype=bool)
        for at, weight in enumerate(WEIGHTS):
            on_canary = place < weight
            requests = chance.poisson(20.0 * LOOK_S / callers, callers)
            risk = np.where(trouble < np.where(on_canary, ratio, 1.0) / 40, 0.4, 0.0)
            first_failed = chance.uniform(0, 1, callers) < risk
            first = new & (requests > 0)
            failed = first & first_failed | (chance.binomial(np.maximum(0, requests - first), risk) > 0)
            if unit == "request":
                all_failed = chance.binomial(requests, risk)
                sides = [
                    Counts(requests=int(requests[side].sum()), bad={ERRORS: int(all_failed[side].sum())})
                    for side in (~on_canary, on_canary)
                ]
            else:
                sides = [
                    Counts(
                        requests=int(first[side].sum()),
                        bad={
                            ERRORS: int((failed & at_risk)[side].sum()),
                            ERROR_RATE: int((first & first_failed)[side].sum()),
                        },
                        of={ERRORS: int(at_risk[side].sum())},
                    )
                    for side in (~on_canary, on_canary)
                ]
            yield _look(at, weight, *sides, is_sticky=True)
            at_risk, new = at_risk & ~failed, new & (requests == 0)

    return traffic


def latency(factor: float = 1.0, stalled: float = 0.0, drift: float = 0.0) -> Traffic:
    """600 requests a look, log-normal around 100 ms; `stalled` is the share of the canary's that take 1 s more.

    "Slow" is slower than the stable side's percentiles before the release; `drift` moves the latency of both sides.
    """
    deviation = 0.5
    thresholds = [deviation * z for z in (0.0, 1.2816, 2.3263)]  # of p50, p90 and p99, in logs

    def buckets(shift: float, stalled: float) -> list[float]:
        slower = [1 - _normal_cdf((each - shift) / deviation) for each in thresholds]
        slower = [stalled + (1 - stalled) * each for each in slower]
        return [1 - slower[0], slower[0] - slower[1], slower[1] - slower[2], slower[2]]

    def traffic(chance: Generator) -> Iterator[Look]:
        phase = chance.uniform(0, 60)
        for at, weight in enumerate(WEIGHTS):
            moved = drift * np.sin(2 * np.pi * (at + phase) / 60)
            sides = []
            for percent, shift, part in ((100 - weight, 0.0, 0.0), (weight, log(factor), stalled)):
                count = int(chance.poisson(20.0 * LOOK_S * percent / 100))
                drawn = chance.multinomial(count, buckets(moved + shift, part))
                slow = {name: int(drawn[j + 1 :].sum()) for j, name in enumerate(LATENCIES)}
                sides.append(Counts(requests=count, bad=slow))
            yield _look(at, weight, *sides)

    return traffic


def _look(at: int, weight: int, base: Counts, canary: Counts, *, is_sticky: bool = False) -> Look:
    return Look(
        since=at * LOOK_S, until=(at + 1) * LOOK_S, percent=weight, base=base, canary=canary, is_sticky=is_sticky
    )


def _normal_cdf(z: float) -> float:
    return (1 + erf(z / sqrt(2))) / 2


SCENARIOS: Final = (
    Scenario("good: 20 requests/s, 0.5 % fail", steady(1, 0.005), is_good=True),
    Scenario("good: 0.5 requests/s, 1 % fail", steady(1, 0.01, rps=0.5), is_good=True),
    Scenario("good: 20 requests/s, none fails", steady(1, 0.0), is_good=True),
    Scenario("good, while errors drift and the backend is out for 90 s", drifting(1), is_good=True),
    Scenario("1.5 times the errors", steady(1.5, 0.005), is_good=False),
    Scenario("2 times", steady(2, 0.005), is_good=False),
    Scenario("3 times", steady(3, 0.005), is_good=False),
    Scenario("4 times", steady(4, 0.005), is_good=False),
    Scenario("10 times", steady(10, 0.005), is_good=False),
    Scenario("3 times, while errors drift and the backend is out", drifting(3), is_good=False),
    Scenario("5 times, from look 41 on", late(5), is_good=False),
    Scenario("half of the requests fail, 0.5 requests/s", steady(50, 0.01, rps=0.5), is_good=False),
    Scenario("good, sticky callers, counted by request", sticky("request"), is_good=True),
    Scenario("good, sticky callers, counted by caller", sticky("caller"), is_good=True, is_for_all=False),
    Scenario(
        "3 times as many troubled callers, counted by caller",
        sticky("caller", ratio=3),
        is_good=False,
        is_for_all=False,
    ),
    Scenario("good latency", latency(), is_good=True, compare=LATENCIES, is_for_all=False),
    Scenario(
        "good latency that drifts on both sides", latency(drift=0.3), is_good=True, compare=LATENCIES, is_for_all=False
    ),
    Scenario("all requests 1.1 times slower", latency(1.1), is_good=False, compare=LATENCIES, is_for_all=False),
    Scenario("all requests 1.25 times slower", latency(1.25), is_good=False, compare=LATENCIES, is_for_all=False),
    Scenario(
        "2 % of the requests 1 s slower", latency(stalled=0.02), is_good=False, compare=LATENCIES, is_for_all=False
    ),
)


# Judges


def play(scenario: Scenario, chance: Generator) -> Outcome:
    """One release, seen by all judges at each look, until all have stopped it or it is over."""
    outcome = Outcome(failed_at={}, served={}, passed_at=None)
    settings = AnalysisSettings(compare=scenario.compare)
    evidence, served, failed_looks = Evidence(), 0, 0
    base, canary = Tally(), Tally()
    for number, look in enumerate(scenario.traffic(chance), start=1):
        evidence = evidence.after(look, settings)
        tallies = look.tallies(scenario.compare[-1])
        assert tallies is not None
        base, canary = base.plus(tallies[0]), canary.plus(tallies[1])
        served += tallies[1].bad
        failed_looks += tallies[1].bad > 0.01 * tallies[1].units
        assessment = assess(evidence, settings, horizon_reached=False)
        if assessment.verdict is Verdict.PASS and outcome.passed_at is None:
            outcome = outcome._replace(passed_at=number)
        stops = {
            "0.01": assessment.verdict is Verdict.FAIL,
            "0.05": assessment.peak >= 1 / 0.05,  # alpha is in nothing else
            "z": _z(base, canary) > 1.6449,
            "flagger": failed_looks >= 5,
            "argo": failed_looks >= 4,
        }
        for judge in JUDGES:
            if stops[judge] and judge not in outcome.failed_at:
                outcome.failed_at[judge] = number
                outcome.served[judge] = served
        if len(outcome.failed_at) == len(JUDGES):
            break
    return outcome


def _z(base: Tally, canary: Tally) -> float:
    """Of two proportions, pooled."""
    units, bad = base.units + canary.units, base.bad + canary.bad
    if not (base.units and canary.units and 0 < bad < units):
        return 0.0
    share = bad / units
    spread = sqrt(share * (1 - share) * (1 / base.units + 1 / canary.units))
    return (canary.bad / canary.units - base.bad / base.units) / spread


# The report


class Summary(NamedTuple):
    """Of one judge in one scenario: the share of the runs that failed, and in these the look and what was served."""

    failed: float
    look: float | None
    served: float | None


class Result(NamedTuple):
    by: dict[str, Summary]
    passed: float  # share of the runs
    passed_look: float | None


def simulate(scenario: Scenario, runs: int, seed: int = SEED) -> Result:
    chance = np.random.default_rng([seed, *scenario.name.encode()])
    outcomes = [play(scenario, chance) for _ in range(runs)]
    passed = [each.passed_at for each in outcomes if each.passed_at is not None]
    return Result(
        by={judge: _summary(judge, outcomes) for judge in JUDGES},
        passed=len(passed) / runs,
        passed_look=median(passed) if passed else None,
    )


def _summary(judge: str, outcomes: Sequence[Outcome]) -> Summary:
    failed = [each.failed_at[judge] for each in outcomes if judge in each.failed_at]
    return Summary(
        failed=len(failed) / len(outcomes),
        look=median(failed) if failed else None,
        served=mean(each.served[judge] for each in outcomes if judge in each.failed_at) if failed else None,
    )


def _cell(summary: Summary) -> str:
    if summary.look is None:
        return "0"
    share = f"{100 * summary.failed:.1f} %".replace(".0 %", " %")
    return f"{share}, look {summary.look:.0f}"


def _row(scenario: Scenario, runs: int) -> str:
    found = simulate(scenario, runs)
    judges = JUDGES if scenario.is_for_all else JUDGES[:2]
    cells = [_cell(found.by[judge]) if judge in judges else "-" for judge in JUDGES]
    served = found.by["0.01"].served
    cells.append("-" if scenario.is_good or served is None else f"{served:.0f}")
    cells.append(f"{100 * found.passed:.0f} %" + (f", look {found.passed_look:.0f}" if found.passed_look else ""))
    return f"| {scenario.name} | {' | '.join(cells)} |"


def _job(number: int) -> str:
    scenario, runs = SCENARIOS[number], int(os.environ.get("RUNS", "1000"))
    return _row(scenario, runs if scenario.is_good else max(1, runs // 4))


def main() -> None:
    print(
        "| Release | Headgate, alpha 5 % | Headgate, alpha 1 % | z-test at each look | Flagger's rule | Argo's rule "
        "| bad requests served | passed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor() as pool:
        for row in pool.map(_job, range(len(SCENARIOS))):
            print(row, flush=True)


if __name__ == "__main__":
    main()
