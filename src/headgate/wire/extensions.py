"""What Headgate's answers hold that the service models do not know: extensions, left out while they are not set.

An SDK drops what it does not know, so its users see nothing of these. They are members of answers only: a request that
carries them is a request without them.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from headgate.wire.schema import Model, Reference

EXTENSIONS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "apigateway": {
        "CanarySettings": {
            "functionVersions": "MapOfStringToString",
            "baseFunctionVersions": "MapOfStringToString",
            "routeHeader": "String",
            "stickyHeader": "String",
            "mirrorPercent": "Double",
            "mirrorCompare": "Boolean",
        }
    }
}
"""By service, shape and member: the member's shape."""


def extended(model: Model) -> Model:
    """The model with the extensions of its service."""
    shapes = dict(model.shapes)
    for name, members in EXTENSIONS.get(model.service, {}).items():
        extensions = {member: Reference(shape=shape) for member, shape in members.items()}
        shapes[name] = replace(shapes[name], members={**shapes[name].members, **extensions})
    return replace(model, shapes=shapes)
