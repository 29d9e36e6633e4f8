"""Looks with a default for all that a test is not about."""

from collections.abc import Mapping

from headgate.release.analysis.evidence import AnalysisSettings, Evidence
from headgate.release.analysis.looks import Counts, Look

ERRORS = "errors-5xx"
COMPARED = AnalysisSettings(compare=(ERRORS,))
LIMITED = AnalysisSettings(limits={ERRORS: 0.05})


def a_look(
    base: tuple[int, int] = (0, 0),
    canary: tuple[int, int] = (0, 0),
    *,
    metric: str = ERRORS,
    percent: float = 10.0,
    is_sticky: bool = False,
    more: Mapping[str, tuple[int, int]] = {},
) -> Look:
    """`base` and `canary` are bad units and all units; `more` are bad ones of other metrics, of both sides."""
    return Look(
        since=0.0,
        until=30.0,
        percent=percent,
        base=Counts(requests=base[1], bad={metric: base[0], **{name: bad[0] for name, bad in more.items()}}),
        canary=Counts(requests=canary[1], bad={metric: canary[0], **{name: bad[1] for name, bad in more.items()}}),
        is_sticky=is_sticky,
    )


def evidence_of(*looks: Look, settings: AnalysisSettings = COMPARED) -> Evidence:
    evidence = Evidence()
    for look in looks:
        evidence = evidence.after(look, settings)
    return evidence
