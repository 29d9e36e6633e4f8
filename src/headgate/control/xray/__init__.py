"""X-Ray's operations, by name. One that is not here is answered as unsupported."""

from typing import Final

from headgate.control.context import Act, OperationTable
from headgate.control.xray import encryption, graphs, groups, sampling, sampling_rules, segments, tags, traces

OPERATIONS: Final[OperationTable] = {
    "PutTraceSegments": Act(segments.put_trace_segments),
    "PutTelemetryRecords": Act(segments.put_telemetry_records),
    "GetTraceSummaries": Act(traces.get_trace_summaries),
    "BatchGetTraces": Act(traces.batch_get_traces),
    "GetServiceGraph": Act(graphs.get_service_graph),
    "GetTraceGraph": Act(graphs.get_trace_graph),
    "CreateSamplingRule": Act(sampling_rules.create_sampling_rule),
    "UpdateSamplingRule": Act(sampling_rules.update_sampling_rule),
    "DeleteSamplingRule": Act(sampling_rules.delete_sampling_rule),
    "GetSamplingRules": Act(sampling_rules.get_sampling_rules),
    "GetSamplingTargets": Act(sampling.get_sampling_targets),
    "GetSamplingStatisticSummaries": Act(sampling.get_sampling_statistic_summaries),
    "CreateGroup": Act(groups.create_group),
    "GetGroup": Act(groups.get_group),
    "GetGroups": Act(groups.get_groups),
    "UpdateGroup": Act(groups.update_group),
    "DeleteGroup": Act(groups.delete_group),
    "PutEncryptionConfig": Act(encryption.put_encryption_config),
    "GetEncryptionConfig": Act(encryption.get_encryption_config),
    "TagResource": Act(tags.tag_resource),
    "UntagResource": Act(tags.untag_resource),
    "ListTagsForResource": Act(tags.list_tags_for_resource),
}
