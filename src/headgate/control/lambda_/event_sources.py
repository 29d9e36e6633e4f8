"""Event source mappings: create, get, list, update, delete. What they do is in `control.polling`.

A mapping is at work, or no more, when the change is answered. The answer says Creating, Enabling or Deleting all the
same, as Lambda's does, and the next Get says what is so.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import conflict, invalid, not_found
from headgate.control.lambda_.lookup import find_version
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named
from headgate.control.lambda_.tags import check_tags
from headgate.control.polling.queue import Queue
from headgate.functions.event_pattern import BadPattern, parse_pattern
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.event_source import EventSourceMapping, QueueRef, parse_queue_arn
from headgate.model.scope import Scope
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_FILTERS: Final = 10
_LARGE_BATCH: Final = 10  # what one receive can give; a larger batch needs a window to be gathered in
_REPORT: Final = "ReportBatchItemFailures"


async def create_event_source_mapping(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.CreateEventSourceMappingRequest"
) -> Mapping[str, Any]:
    arn = request.get("EventSourceArn")
    if not arn:
        raise invalid("Unrecognized event source. Give EventSourceArn, the ARN of an SQS queue")
    queue = parse_queue_arn(arn)
    if queue is None:
        raise invalid(f"Event source {arn} is not supported by Headgate: give the ARN of an SQS queue")
    if queue.region != scope.region:
        raise invalid(f"The queue {arn} is not in the region of the function, {scope.region}")
    function = named(scope, request["FunctionName"])
    _check_supported(request)
    tags = check_tags(request.get("Tags") or {})
    mapping = _changed(
        EventSourceMapping(
            uuid=str(uuid.uuid4()),
            account_id=scope.account_id,
            region=scope.region,
            queue=arn,
            function=function,
            last_modified=now,
            tags=tags or None,
        ),
        queue,
        request,
    )
    timeout_s = await ports.store.read(lambda tx: _function_timeout_s(Context(tx, scope, now), function))
    await _check_queue(ports, queue, timeout_s)

    def create(context: Context) -> None:
        _function_timeout_s(context, function)
        for known in context.tx.list(EventSourceMapping, scope.account_id, scope.region):
            if (known.queue, known.function) == (arn, function):
                raise conflict(
                    f'An event source mapping with SQS arn (" {arn} ") and function (" {function.name} ") already '
                    f"exists. Please update or delete the existing mapping with UUID {known.uuid}"
                )
        context.tx.put(mapping, *mapping.key)

    await ports.store.write(lambda tx: create(Context(tx, scope, now)))
    return _shown(mapping, "Creating")


def get_event_source_mapping(context: Context, request: "shapes.GetEventSourceMappingRequest") -> Mapping[str, Any]:
    return _shown(_find(context, request["UUID"]))


def list_event_source_mappings(context: Context, request: "shapes.ListEventSourceMappingsRequest") -> Mapping[str, Any]:
    """All, or those of one queue, or those of one function as it is named: with its qualifier, or without."""
    queue = request.get("EventSourceArn")
    function = named(context.scope, request["FunctionName"]) if request.get("FunctionName") else None
    mappings = [
        mapping
        for mapping in context.tx.list(EventSourceMapping, context.scope.account_id, context.scope.region)
        if (not queue or mapping.queue == queue) and (function is None or mapping.function == function)
    ]
    found, marker = page_by_marker(
        mappings, request.get("MaxItems"), request.get("Marker"), key=lambda each: each.uuid, most=100
    )
    return {"EventSourceMappings": [_shown(mapping) for mapping in found], "NextMarker": marker}


def update_event_source_mapping(
    context: Context, request: "shapes.UpdateEventSourceMappingRequest"
) -> Mapping[str, Any]:
    """Change what the request names; the queue stays."""
    mapping = _find(context, request["UUID"])
    _check_supported(request)
    queue = parse_queue_arn(mapping.queue)
    assert queue is not None  # checked when it was made
    if name := request.get("FunctionName"):
        mapping = replace(mapping, function=named(context.scope, name))
        _function_timeout_s(context, mapping.function)
    changed = _changed(replace(mapping, last_modified=context.now), queue, request)
    context.tx.put(changed, *changed.key)
    if changed.enabled is mapping.enabled:
        return _shown(changed, "Updating")
    return _shown(changed, "Enabling" if changed.enabled else "Disabling")


def delete_event_source_mapping(
    context: Context, request: "shapes.DeleteEventSourceMappingRequest"
) -> Mapping[str, Any]:
    mapping = _find(context, request["UUID"])
    context.tx.delete(EventSourceMapping, *mapping.key)
    return _shown(mapping, "Deleting")


def _find(context: Context, given: str) -> EventSourceMapping:
    mapping = context.tx.get(EventSourceMapping, context.scope.account_id, context.scope.region, given)
    if mapping is None:
        raise not_found("The resource you requested does not exist.")
    return mapping


def _function_timeout_s(context: Context, function: FunctionRef) -> int:
    try:
        return find_version(context, function).timeout
    except ApiError as error:
        raise invalid(f"Function does not exist: {function.arn}") from error


async def _check_queue(ports: LambdaPorts, queue: QueueRef, timeout_s: int) -> None:
    try:
        visibility_s = await Queue(queue, ports.call_aws).visibility_timeout_s()
    except ApiError as error:
        raise invalid(
            f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
        ) from error
    if visibility_s < timeout_s:
        # Else a message would be received again while the function still works on it.
        raise invalid(
            f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
        )


def _check_supported(request: Mapping[str, Any]) -> None:
    for member in _NOT_FOR_QUEUES:
        if request.get(member):
            raise invalid(f"{member} is not supported for an SQS queue, which is the event source here: leave it out")


def _changed(mapping: EventSourceMapping, queue: QueueRef, request: Mapping[str, Any]) -> EventSourceMapping:
    """The mapping with what the request names. Empty FilterCriteria and ScalingConfig take theirs away."""
    changes: dict[str, Any] = {}
    for member, field in (
        ("BatchSize", "batch_size"),
        ("MaximumBatchingWindowInSeconds", "window_s"),
        ("Enabled", "enabled"),
    ):
        if (given := request.get(member)) is not None:
            changes[field] = given
    if (criteria := request.get("FilterCriteria")) is not None:
        changes["filters"] = _filters(criteria.get("Filters") or ())
    if (types := request.get("FunctionResponseTypes")) is not None:
        changes["reports_failures"] = _REPORT in types
    if (scaling := request.get("ScalingConfig")) is not None:
        changes["maximum_concurrency"] = scaling.get("MaximumConcurrency")
    changed = replace(mapping, **changes)
    if queue.is_fifo and (changed.batch_size > _LARGE_BATCH or changed.window_s):
        raise invalid(
            f"The queue {queue.name} is a FIFO queue: its batches have at most {_LARGE_BATCH} messages and no batching "
            "window"
        )
    if changed.batch_size > _LARGE_BATCH and not changed.window_s:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    return changed


def _filters(given: Sequence["shapes.Filter"]) -> tuple[str, ...]:
    if len(given) > MAX_FILTERS:
        raise invalid(f"{len(given)} filters given; an event source mapping can have at most {MAX_FILTERS}")
    patterns = tuple(each.get("Pattern") or "{}" for each in given)
    for pattern in patterns:
        try:
            parse_pattern(pattern)
        except BadPattern as error:
            raise invalid(f"Invalid filter pattern definition. {error}") from error
    return patterns


def _shown(mapping: EventSourceMapping, state: str = "") -> Mapping[str, Any]:
    """`state` is what the answer to a change says; later it is what is so."""
    scaling = mapping.maximum_concurrency
    return {
        "UUID": mapping.uuid,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window_s,
        "EventSourceArn": mapping.queue,
        "FilterCriteria": {"Filters": [{"Pattern": text} for text in mapping.filters]} if mapping.filters else None,
        "FunctionArn": mapping.function.arn,
        "LastModified": mapping.last_modified,
        "State": state or ("Enabled" if mapping.enabled else "Disabled"),
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [_REPORT] if mapping.reports_failures else [],
        "ScalingConfig": {"MaximumConcurrency": scaling} if scaling is not None else None,
        "EventSourceMappingArn": mapping.arn,
    }


_NOT_FOR_QUEUES: Final = (
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "DestinationConfig",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "ProvisionedPollerConfig",
    "KMSKeyArn",
    "MetricsConfig",
    "LoggingConfig",
)
