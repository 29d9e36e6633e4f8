"""One statistic of a metric over all of its last hours."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from support.server import RunningServer

_PERIOD: Final = timedelta(hours=2)


def statistic(
    server: RunningServer, namespace: str, name: str, which: str = "Sum", region: str = "us-east-1", **dimensions: str
) -> float:
    """Sum, SampleCount, Average or Maximum of the points from an hour ago on; 0 where there is none.

    A period of CloudWatch ends at a full hour, in the middle of a test perhaps: then there are two points.
    """
    now = datetime.now(UTC)
    points: list[dict[str, Any]] = server.client("cloudwatch", region=region).get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=int(_PERIOD.total_seconds()),
        Statistics=["Sum", "SampleCount", "Maximum"],
    )["Datapoints"]
    if not points:
        return 0.0
    total, count = (sum(point[each] for point in points) for each in ("Sum", "SampleCount"))
    found = {"Sum": total, "SampleCount": count, "Average": total / count}
    return float(found[which] if which in found else max(point[which] for point in points))
