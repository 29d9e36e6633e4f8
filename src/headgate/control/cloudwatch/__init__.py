"""CloudWatch's operations, by name. What is not here is refused by name: who answers for it elsewhere would never see
these metrics."""

from typing import Final

from headgate.control.cloudwatch import (
    alarm_operations,
    dashboards,
    describe_alarms,
    get_metric_data,
    get_metric_statistics,
    list_metrics,
    metric_widget,
    put_composite_alarm,
    put_metric_alarm,
    put_metric_data,
    tags,
)
from headgate.control.context import Act, OperationTable, Read, Write

OPERATIONS: Final[OperationTable] = {
    "PutMetricData": Act(put_metric_data.put_metric_data),
    "GetMetricStatistics": Act(get_metric_statistics.get_metric_statistics),
    "GetMetricData": Act(get_metric_data.get_metric_data),
    "ListMetrics": Act(list_metrics.list_metrics),
    "PutMetricAlarm": Act(put_metric_alarm.put_metric_alarm),
    "PutCompositeAlarm": Act(put_composite_alarm.put_composite_alarm),
    "DescribeAlarms": Read(describe_alarms.describe_alarms),
    "DescribeAlarmsForMetric": Read(describe_alarms.describe_alarms_for_metric),
    "DescribeAlarmHistory": Read(describe_alarms.describe_alarm_history),
    "SetAlarmState": Write(alarm_operations.set_alarm_state),
    "EnableAlarmActions": Write(alarm_operations.enable_alarm_actions),
    "DisableAlarmActions": Write(alarm_operations.disable_alarm_actions),
    "DeleteAlarms": Write(alarm_operations.delete_alarms),
    "TagResource": Write(tags.tag_resource),
    "UntagResource": Write(tags.untag_resource),
    "ListTagsForResource": Read(tags.list_tags),
    "GetMetricWidgetImage": Act(metric_widget.get_metric_widget_image),
    "PutDashboard": Write(dashboards.put_dashboard),
    "GetDashboard": Read(dashboards.get_dashboard),
    "ListDashboards": Read(dashboards.list_dashboards),
    "DeleteDashboards": Write(dashboards.delete_dashboards),
}
