"""What a canary can be given here and not on AWS (docs/canaries.md): patches below /canarySettings."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, nothing_to_remove
from headgate.control.apigateway.patching import number, put_entry, required
from headgate.control.context import Context
from headgate.model.function import Alias, FunctionVersion
from headgate.model.stage import CanarySettings, Stage
from headgate.wire.patch import Patch

_PIN: Final = re.compile(r"(?P<function>[A-Za-z0-9_-]{1,64}):(?P<alias>(?!\d+$)[A-Za-z0-9_-]{1,128})", re.ASCII)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}"  # a header's name (RFC 9110, section 5.6.2)
_ROUTE_HEADER: Final = re.compile(rf"{_TOKEN}=[!-~](?:[ -~]{{0,254}}[!-~])?", re.ASCII)
_STICKY_HEADER: Final = re.compile(rf"(?:cookie:)?{_TOKEN}", re.ASCII)
_PERCENTAGE: Final = "a percentage from 0.0 to 100.0"
MAX_PINS: Final = 100  # of a side

_Change = Callable[[CanarySettings, Patch], CanarySettings]


def check_pins(context: Context, before: Stage, canary: CanarySettings) -> None:
    """Refuse a new pin of an alias or a version that is not there, in the stage's account and region."""
    held = before.canary_settings
    for field in _PINS:
        pins, known = _pins(canary, field), {} if held is None else _pins(held, field)
        for name, version in pins.items():
            if known.get(name) == version:
                continue  # checked when it was made; versions that are pinned are not deleted
            function, _, alias = name.partition(":")
            key = (before.account_id, before.region, function)
            if context.tx.get(Alias, *key, alias) is None:
                raise bad_request(f"Invalid pin {name}={version}: there is no alias {alias} of a function {function}")
            if context.tx.get(FunctionVersion, *key, version) is None:
                raise bad_request(f"Invalid pin {name}={version}: function {function} has no version {version}")


def _pins(canary: CanarySettings, field: str) -> Mapping[str, str]:
    return getattr(canary, field) or {}


def _pin(field: str) -> _Change:
    def pinned(canary: CanarySettings, patch: Patch) -> CanarySettings:
        name, version = patch.names["name"], required(patch)
        if not _PIN.fullmatch(name):
            raise bad_request(f"Invalid pin {name} for path {patch.path}: give function:alias, both by name")
        if not _VERSION.fullmatch(version):
            raise bad_request(
                f"Invalid version {version} for path {patch.path}: give the number of a published version"
            )
        pins = put_entry(_pins(canary, field), name, version)
        if len(pins) > MAX_PINS:
            raise bad_request(f"{len(pins)} pins given; a side of a canary can have at most {MAX_PINS}")
        return replace(canary, **{field: pins})

    return pinned


def _set_route_header(canary: CanarySettings, patch: Patch) -> CanarySettings:
    value = required(patch)
    if not _ROUTE_HEADER.fullmatch(value):
        raise bad_request(f"Invalid value {value!r} for path {patch.path}: give name=value, a header and its value")
    return replace(canary, route_header=value)


def _set_sticky_header(canary: CanarySettings, patch: Patch) -> CanarySettings:
    value = required(patch)
    if not _STICKY_HEADER.fullmatch(value):
        raise bad_request(
            f"Invalid value {value!r} for path {patch.path}: give the name of a header, or cookie:name of a cookie"
        )
    return replace(canary, sticky_header=value)


def _set_mirror_percent(canary: CanarySettings, patch: Patch) -> CanarySettings:
    percent = number(patch, _PERCENTAGE)
    if not 0.0 <= percent <= 100.0:  # NaN fails it too
        raise bad_request(f"Invalid value {patch.value!r} for path {patch.path}: give {_PERCENTAGE}")
    return replace(canary, mirror_percent=percent)


def _set_mirror_compare(canary: CanarySettings, patch: Patch) -> CanarySettings:
    if patch.value not in {"true", "false"}:
        raise bad_request(f"Invalid value {patch.value!r} for path {patch.path}: give true or false")
    return replace(canary, mirror_compare=patch.value == "true")


def _unpin(field: str) -> _Change:
    def unpinned(canary: CanarySettings, patch: Patch) -> CanarySettings:
        pins = _pins(canary, field)
        name = patch.names["name"]
        if name not in pins:
            raise nothing_to_remove(patch)
        return replace(canary, **{field: {each: pins[each] for each in pins if each != name} or None})

    return unpinned


def _remove(field: str) -> _Change:
    def removed(canary: CanarySettings, patch: Patch) -> CanarySettings:
        if getattr(canary, field) is None:
            raise nothing_to_remove(patch)
        return replace(canary, **{field: None})

    return removed


_PINS: Final = {"function_versions": "functionVersions", "base_function_versions": "baseFunctionVersions"}
_SINGLE: Final = {
    "route_header": "routeHeader",
    "sticky_header": "stickyHeader",
    "mirror_percent": "mirrorPercent",
    "mirror_compare": "mirrorCompare",
}

REPLACEMENTS: Final[Mapping[str, _Change]] = {
    **{f"/canarySettings/{path}/{{name}}": _pin(field) for field, path in _PINS.items()},
    "/canarySettings/routeHeader": _set_route_header,
    "/canarySettings/stickyHeader": _set_sticky_header,
    "/canarySettings/mirrorPercent": _set_mirror_percent,
    "/canarySettings/mirrorCompare": _set_mirror_compare,
}
"""By path: a stage without a canary gets one."""

REMOVALS: Final[Mapping[str, _Change]] = {
    **{f"/canarySettings/{path}/{{name}}": _unpin(field) for field, path in _PINS.items()},
    **{f"/canarySettings/{path}": _remove(field) for field, path in _PINS.items()},
    **{f"/canarySettings/{path}": _remove(field) for field, path in _SINGLE.items()},
}
