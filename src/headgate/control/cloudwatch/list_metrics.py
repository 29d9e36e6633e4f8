"""ListMetrics: the metrics that have had points in the last two weeks."""

import base64
from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.cloudwatch.errors import invalid
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.metric import Dimensions
from headgate.model.scope import Scope
from headgate.store.metric_database import MetricDatabase
from headgate.telemetry.retention import DAY_S, HOUR_S

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

PAGE: Final = 500
LISTED_S: Final = 14 * DAY_S
MAX_FILTERS: Final = 30

_Metric = tuple[str, str, str, str, Dimensions]


async def list_metrics(
    ports: MetricPorts, scope: Scope, now: float, request: "shapes.ListMetricsInput"
) -> Mapping[str, Any]:
    namespace, name = request.get("Namespace"), request.get("MetricName")
    filters = [(each["Name"], each.get("Value")) for each in request.get("Dimensions", ())]
    if len(filters) > MAX_FILTERS:
        raise invalid(f"The collection Dimensions must not have a size greater than {MAX_FILTERS}.")
    since = now - (3 * HOUR_S if request.get("RecentlyActive") == "PT3H" else LISTED_S)
    asker = (scope.account_id, scope.region)
    token = request.get("NextToken")
    # A page begins behind the last metric of the one before, whatever has come or gone since.
    position: tuple[Any, ...] = (*asker, namespace or "") if token is None else (*asker, *_decoded(token))

    def read(database: MetricDatabase, _: float) -> list[_Metric]:
        found: list[_Metric] = []
        listed = database.listed()
        for at in range(bisect_right(listed, position), len(listed)):
            metric = listed[at]
            if metric[:2] != asker or (namespace is not None and metric[2] != namespace):
                break
            if name is not None and metric[3] != name:
                continue
            if all(_has(metric[4], *each) for each in filters) and database.had_point_since(metric, since):
                found.append(metric)
                if len(found) > PAGE:
                    break
        return found

    found = await ports.run(read)
    answer: dict[str, Any] = {"Metrics": [_shown(metric) for metric in found[:PAGE]]}
    if len(found) > PAGE:
        answer["NextToken"] = _encoded(found[PAGE - 1])
    return answer


def _has(dimensions: Dimensions, name: str, value: str | None) -> bool:
    return any(each == name and (value is None or found == value) for each, found in dimensions)


def _shown(metric: _Metric) -> Mapping[str, Any]:
    _, _, namespace, name, dimensions = metric
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": each, "Value": value} for each, value in dimensions],
    }


def _encoded(metric: _Metric) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(metric[2:])).decode("ascii")


def _decoded(token: str) -> tuple[str, str, Dimensions]:
    try:
        namespace, name, dimensions = orjson.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        pairs = tuple((str(each), str(value)) for each, value in dimensions)
    except (ValueError, TypeError) as error:
        raise invalid("Request parameter NextToken is invalid") from error
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise invalid("Request parameter NextToken is invalid")
    return namespace, name, pairs
