"""Sampling by clients: their counts come in, their shares of the rules' reservoirs go out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headgate.control.xray.ports import XrayPorts
from headgate.control.xray.sampling_rules import rules_by_name
from headgate.model.scope import Scope
from headgate.telemetry.traces.sampling import STATISTICS_S

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes


async def get_sampling_targets(
    ports: XrayPorts, scope: Scope, now: float, request: "shapes.GetSamplingTargetsRequest"
) -> Mapping[str, Any]:
    rules = await ports.traces.read(lambda connection: rules_by_name(connection, scope))
    targets: list[dict[str, Any]] = []
    unprocessed: list[dict[str, str]] = []
    for document in request["SamplingStatisticsDocuments"]:
        rule = rules.get(document["RuleName"])
        if rule is None:
            unprocessed.append(_unknown(document["RuleName"]))
            continue
        counts = (document["RequestCount"], document["SampledCount"], document.get("BorrowCount", 0))
        targets.append(
            {
                "RuleName": rule.rule_name,
                "FixedRate": rule.fixed_rate,
                "ReservoirQuota": ports.sampler.report(scope, rule, document["ClientID"], counts),
                "ReservoirQuotaTTL": now + STATISTICS_S,
                "Interval": STATISTICS_S,
            }
        )
    return {
        "SamplingTargetDocuments": targets,
        "LastRuleModification": ports.sampler.modified_at,
        "UnprocessedStatistics": unprocessed,
    }


async def get_sampling_statistic_summaries(
    ports: XrayPorts, scope: Scope, _now: float, _request: "shapes.GetSamplingStatisticSummariesRequest"
) -> Mapping[str, Any]:
    """Of the gateway's own decisions and of what clients report, since the server's start."""
    return {
        "SamplingStatisticSummaries": [
            {
                "RuleName": name,
                "Timestamp": at,
                "RequestCount": tally.requests,
                "SampledCount": tally.samples,
                "BorrowCount": tally.borrows,
            }
            for name, at, tally in ports.sampler.summaries(scope)
        ]
    }


def _unknown(name: str) -> dict[str, str]:
    return {"RuleName": name, "ErrorCode": "400", "Message": f"Sampling rule {name} does not exist."}
