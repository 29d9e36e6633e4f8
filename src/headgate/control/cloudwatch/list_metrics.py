"""ListMetrics: the metrics that have had points in the last two weeks."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.cloudwatch.errors import invalid
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.errors import ApiError
from headgate.model.metric import MetricKey
from headgate.model.scope import Scope
from headgate.store.metric_database import MetricDatabase
from headgate.telemetry.retention import DAY_S, HOUR_S
from headgate.wire.paging import page

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

PAGE: Final = 500
LISTED_S: Final = 14 * DAY_S
MAX_FILTERS: Final = 30


async def list_metrics(
    ports: MetricPorts, scope: Scope, now: float, request: "shapes.ListMetricsInput"
) -> Mapping[str, Any]:
    namespace, name = request.get("Namespace"), request.get("MetricName")
    filters = [(each["Name"], each.get("Value")) for each in request.get("Dimensions", ())]
    if len(filters) > MAX_FILTERS:
        raise invalid(f"The collection Dimensions must not have a size greater than {MAX_FILTERS}.")
    since = now - (3 * HOUR_S if request.get("RecentlyActive") == "PT3H" else LISTED_S)

    def wanted(key: MetricKey) -> bool:
        return (
            (namespace is None or key.namespace == namespace)
            and (name is None or key.name == name)
            and (key.account_id, key.region) == (scope.account_id, scope.region)
            and all(_has(key, *each) for each in filters)
        )

    def read(database: MetricDatabase, _: float) -> set[tuple[str, str, str]]:
        # Units are no part of what is listed.
        return {_listed(known.key) for known in database.find(wanted) if known.last_at >= since}

    found = await ports.run(read)
    try:
        shown, position = page(list(found), None, request.get("NextToken"), lambda key: key, default=PAGE, most=PAGE)
    except ApiError as error:
        raise invalid("Request parameter NextToken is invalid") from error
    answer: dict[str, Any] = {"Metrics": [_shown(key) for key in shown]}
    if position is not None:
        answer["NextToken"] = position
    return answer


def _has(key: MetricKey, name: str, value: str | None) -> bool:
    return any(each == name and (value is None or found == value) for each, found in key.dimensions)


def _listed(key: MetricKey) -> tuple[str, str, str]:
    return key.namespace, key.name, json.dumps(key.dimensions)


def _shown(key: tuple[str, str, str]) -> Mapping[str, Any]:
    namespace, name, dimensions = key
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": each, "Value": value} for each, value in json.loads(dimensions)],
    }
