"""The bets of a release, each with the counts that it is about: on a comparison of both sides, and on a fixed limit."""

from math import exp, log, log1p
from typing import Final

from headgate.model.value import Value
from headgate.release.analysis.e_process import GRID, LARGEST_LOG, RISES, EProcess, gains, rises_only
from headgate.release.analysis.looks import Look, Tally

_LEAST_USUAL: Final = 0.01  # share of bad units that is no outage
_GUARD_NEEDS: Final = 10  # units of the stable side in a look, for it to excuse the canary
_FALLS: Final = (log(4.0), log(30.0))  # by which a share is bet to lie below the negligible one, in log odds
_SPLIT_DENSITY: Final = [exp(-d * d / (2 * 0.3**2)) for d in GRID]  # shifts of the weight's log odds, deviation 0.3
_SPLIT_PRIOR: Final = [each / sum(_SPLIT_DENSITY) for each in _SPLIT_DENSITY]


class Comparison(Value, frozen=True):
    """One metric on both sides. Likelihoods are logs, against no change: of the grid's ratios, and of the margin.

    `base` and `canary` are what shares are taken of; `usual_*` and `of_margin` leave outages out, see `after`.
    """

    base: Tally = Tally()
    canary: Tally = Tally()
    likelihood: tuple[float, ...] = (0.0,) * len(GRID)
    process: EProcess = EProcess()
    expected: float = 0.01  # share that is usual before anything was seen
    usual_base: Tally = Tally()
    usual_canary: Tally = Tally()
    of_margin: float = 0.0

    def after(
        self, base: Tally, canary: Tally, margin: float, shares: tuple[Tally, Tally] | None = None
    ) -> "Comparison":
        """With the counts of one look; `shares` are both sides' again, where others than these say how frequent it is.

        A look in which the stable side is far worse than usual does not count towards a pass: what fails on both sides
        alike would otherwise drown what fails on the canary. This keeps the bets on a pass valid. Given the stable
        side's bad units, what they are expected to gain rises with them (or does not depend on them); so leaving out
        looks from some count on, fixed before, takes the best from a bet that is expected to gain nothing, or else it
        was expected to lose at each count. The bet on a failure falls with that count, and must not leave a look out.
        """
        bad = base.bad + canary.bad
        usual = self._usual_share(is_measure=shares is None) * base.units
        is_usual = base.bad <= 3 * usual + 10
        # What is not usual once may become so: it counts for twice of what was.
        cut_off = base if is_usual else Tally(bad=min(base.bad, int(max(2 * usual, 10))), units=base.units)
        base_share, canary_share = shares or (base, canary)
        likelihood, process, of_margin = self.likelihood, self.process, self.of_margin
        if bad and base.units and canary.units:
            share = canary.units / (base.units + canary.units)
            grown = gains(canary.bad, bad, share)
            likelihood = tuple([a + b for a, b in zip(likelihood, grown, strict=True)])
            process = process.after(rises_only(grown))
            if is_usual:
                of_margin += canary.bad * log(margin) - bad * log1p(share * (margin - 1))
        return Comparison(
            base=self.base.plus(base_share),
            canary=self.canary.plus(canary_share),
            likelihood=likelihood,
            process=process,
            expected=self.expected,
            usual_base=self.usual_base.plus(cut_off),
            usual_canary=self.usual_canary.plus(canary_share) if is_usual else self.usual_canary,
            of_margin=of_margin,
        )

    def _usual_share(self, *, is_measure: bool) -> float:
        """Of the stable side's units; `is_measure` is whether such a share says how frequent the metric is."""
        seen = self.usual_base.share
        if not is_measure:
            return seen or 0.0
        return self.expected if seen is None else max(seen, _LEAST_USUAL)

    def pass_value(self, negligible: float) -> float:
        """Evidence against "at least `margin` times as frequent on the canary, and not negligible there".

        The average of the evidence against each half, as either refutes the whole: so the two ways to a pass share one
        beta. Where nothing fails, only the second can say anything: 0 bad units of about 900 refute 0.5 %.
        """
        bad, units = self.usual_canary.bad, self.usual_canary.units
        rare = sum(_exp(-bad * d - units * log1p(negligible * (exp(-d) - 1))) for d in _FALLS) / len(_FALLS)
        return (_exp(-self.of_margin) + rare) / 2


class Excess(Value, frozen=True):
    """The canary's share of one metric against a fixed limit."""

    canary: Tally = Tally()
    process: EProcess = EProcess()

    def after(self, canary: Tally, limit: float) -> "Excess":
        """Valid however the share moves, as long as it is not above the limit: the bet gains by bad units alone."""
        if not canary.units:
            return self
        if limit > 0:
            grown = rises_only(gains(canary.bad, canary.units, limit))
        else:
            grown = [LARGEST_LOG if canary.bad else 0.0] * len(RISES)  # one is proof
        return Excess(canary=self.canary.plus(canary), process=self.process.after(grown))


def guard_after(guard: Excess, base: Tally, canary: Tally, limit: float) -> Excess:
    """The hard guard: an excess, but looks in which the stable side fails as well say nothing of the canary.

    Choosing looks by what the stable side did keeps the bet valid: while the canary's requests fail with a chance of at
    most the limit, whatever the other side does, the bet's expectation is at most 1 given the stable side's counts too.
    Without enough traffic on the stable side every look counts.
    """
    if base.units >= _GUARD_NEEDS and base.bad >= base.units * limit / 2:
        return guard
    return guard.after(canary, limit)


def split_after(split: EProcess, look: Look) -> EProcess:
    """Whether requests reach the canary as often as configured. Sessions don't say: a caller draws once."""
    requests = look.base.requests + look.canary.requests
    if look.is_sticky or not 0 < look.percent < 100 or requests <= 0:
        return split
    return split.after(gains(look.canary.requests, requests, look.percent / 100), _SPLIT_PRIOR)


def _exp(log_value: float) -> float:
    return exp(min(log_value, LARGEST_LOG))
