"""Tags of functions, event source mappings and code signing configurations, by ARN. Versions and aliases have none."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid, not_found
from headgate.control.lambda_.lookup import find_function, put_function
from headgate.control.lambda_.qualifiers import named
from headgate.control.tags import Tags, check_limits, untagged
from headgate.model.arn import parse_function_arn
from headgate.model.code_signing import CodeSigningConfig
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import FunctionRecord

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


def list_tags(context: Context, request: "shapes.ListTagsRequest") -> Mapping[str, Any]:
    return {"Tags": _find(context, request["Resource"]).tags or {}}


def tag_resource(context: Context, request: "shapes.TagResourceRequest") -> None:
    tagged = _find(context, request["Resource"])
    _put(context, tagged, {**(tagged.tags or {}), **request["Tags"]})


def untag_resource(context: Context, request: "shapes.UntagResourceRequest") -> None:
    tagged = _find(context, request["Resource"])
    _put(context, tagged, untagged(tagged.tags or {}, request["TagKeys"]))


def check_tags(tags: Tags) -> Tags:
    """The tags as given, refused where the service refuses them."""
    return check_limits(tags, "a function", invalid)


_Tagged = FunctionRecord | EventSourceMapping | CodeSigningConfig
_OTHER_ARN: Final = re.compile(
    r"arn:aws[\w-]*:lambda:(?P<region>[\w-]+):(?P<account>\d{12}):"
    r"(?P<kind>event-source-mapping|code-signing-config):(?P<id>[\w-]+)",
    re.ASCII,
)


def _find(context: Context, arn: str) -> _Tagged:
    """A resource is named by its whole ARN, not by the shorter forms of a FunctionName."""
    if other := _OTHER_ARN.fullmatch(arn):
        kind: type[EventSourceMapping | CodeSigningConfig]
        kind = EventSourceMapping if other["kind"] == "event-source-mapping" else CodeSigningConfig
        known = (other["account"], other["region"]) == (context.scope.account_id, context.scope.region)
        found = context.tx.get(kind, other["account"], other["region"], other["id"]) if known else None
        if found is None:
            raise not_found(f"The resource you requested does not exist: {arn}")
        return found
    if parse_function_arn(arn) is None:
        raise invalid(
            f"Invalid resource {arn}: give the ARN of a function, an event source mapping or a code signing "
            "configuration; no other resource has tags here"
        )
    function = named(context.scope, arn)
    if function.qualifier:
        raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    return find_function(context, function)


def _put(context: Context, tagged: _Tagged, tags: Tags) -> None:
    changed = replace(tagged, tags=check_tags(tags) or None)
    if isinstance(changed, FunctionRecord):
        put_function(context, changed)
    else:
        context.tx.put(changed, *changed.key)
