"""CloudWatch's operations for metrics, by name. Dashboards are the bridge's; all that would judge metrics is refused:
who answers for it elsewhere would never see them."""

from typing import Final

from headgate.control.cloudwatch import get_metric_data, get_metric_statistics, list_metrics, put_metric_data
from headgate.control.context import Act, OperationTable

OPERATIONS: Final[OperationTable] = {
    "PutMetricData": Act(put_metric_data.put_metric_data),
    "GetMetricStatistics": Act(get_metric_statistics.get_metric_statistics),
    "GetMetricData": Act(get_metric_data.get_metric_data),
    "ListMetrics": Act(list_metrics.list_metrics),
}

BRIDGED: Final = frozenset({"PutDashboard", "GetDashboard", "ListDashboards", "DeleteDashboards"})
