"""CloudWatch Logs' operations, by name. One that is not here is answered as unsupported."""

from typing import Final

from headgate.control.context import Act, OperationTable
from headgate.control.logs import events, groups, metric_filters, queries, streams, subscription_filters, tags

OPERATIONS: Final[OperationTable] = {
    "CreateLogGroup": Act(groups.create_log_group),
    "DeleteLogGroup": Act(groups.delete_log_group),
    "DescribeLogGroups": Act(groups.describe_log_groups),
    "PutRetentionPolicy": Act(groups.put_retention_policy),
    "DeleteRetentionPolicy": Act(groups.delete_retention_policy),
    "PutLogGroupDeletionProtection": Act(groups.put_log_group_deletion_protection),
    "CreateLogStream": Act(streams.create_log_stream),
    "DeleteLogStream": Act(streams.delete_log_stream),
    "DescribeLogStreams": Act(streams.describe_log_streams),
    "PutLogEvents": Act(events.put_log_events),
    "GetLogEvents": Act(events.get_log_events),
    "FilterLogEvents": Act(events.filter_log_events),
    "TagLogGroup": Act(tags.tag_log_group),
    "UntagLogGroup": Act(tags.untag_log_group),
    "ListTagsLogGroup": Act(tags.list_tags_log_group),
    "TagResource": Act(tags.tag_resource),
    "UntagResource": Act(tags.untag_resource),
    "ListTagsForResource": Act(tags.list_tags_for_resource),
    "PutMetricFilter": Act(metric_filters.put_metric_filter),
    "DescribeMetricFilters": Act(metric_filters.describe_metric_filters),
    "DeleteMetricFilter": Act(metric_filters.delete_metric_filter),
    "TestMetricFilter": Act(metric_filters.try_metric_filter),
    "PutSubscriptionFilter": Act(subscription_filters.put_subscription_filter),
    "DescribeSubscriptionFilters": Act(subscription_filters.describe_subscription_filters),
    "DeleteSubscriptionFilter": Act(subscription_filters.delete_subscription_filter),
    "StartQuery": Act(queries.start_query),
    "GetQueryResults": Act(queries.get_query_results),
    "StopQuery": Act(queries.stop_query),
    "DescribeQueries": Act(queries.describe_queries),
    "GetLogRecord": Act(queries.get_log_record),
}
