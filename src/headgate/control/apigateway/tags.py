"""Tags of APIs and stages, by ARN."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, not_found
from headgate.control.apigateway.lookup import find_api, find_stage
from headgate.control.apigateway.rest_apis import check_tags
from headgate.control.context import Context
from headgate.control.tags import Tags, untagged
from headgate.model.rest_api import RestApi
from headgate.model.stage import Stage

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

_ARN: Final = re.compile(
    r"arn:[\w-]+:apigateway:(?P<region>[\w-]*)::/restapis/(?P<api>[^/]+)(?:/stages/(?P<stage>[^/]+))?"
)


def get_tags(context: Context, request: "shapes.GetTagsRequest") -> Mapping[str, Any]:
    return {"tags": _find(context, request["resourceArn"]).tags or {}}


def tag_resource(context: Context, request: "shapes.TagResourceRequest") -> None:
    tagged = _find(context, request["resourceArn"])
    _put(context, tagged, {**(tagged.tags or {}), **request["tags"]})


def untag_resource(context: Context, request: "shapes.UntagResourceRequest") -> None:
    tagged = _find(context, request["resourceArn"])
    _put(context, tagged, untagged(tagged.tags or {}, request["tagKeys"]))


def _find(context: Context, arn: str) -> RestApi | Stage:
    found = _ARN.fullmatch(arn)
    if found is None:
        if arn.startswith("arn:") and ":apigateway:" in arn:
            raise not_found(f"Invalid resource identifier specified: {arn}; REST APIs and their stages have tags")
        raise bad_request("Invalid Resource ARN specified in the request")
    if found["region"] != context.scope.region:
        raise not_found(f"Invalid API identifier specified {context.scope.account_id}:{found['api']}")
    if found["stage"]:
        return find_stage(context, found["api"], found["stage"])
    return find_api(context, found["api"])


def _put(context: Context, tagged: RestApi | Stage, tags: Tags) -> None:
    checked = check_tags(tags) or None
    match tagged:
        case RestApi():
            context.tx.put(replace(tagged, tags=checked), tagged.account_id, tagged.region, tagged.id)
        case Stage():
            context.tx.put(replace(tagged, tags=checked), tagged.rest_api_id, tagged.stage_name)
