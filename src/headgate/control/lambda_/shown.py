"""Function versions as the operations answer them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from headgate.model.function import FunctionVersion


def shown(version: FunctionVersion, qualifier: str = "") -> Mapping[str, Any]:
    """A version's whole configuration; its ARN carries the qualifier that the caller used, if any."""
    answer: dict[str, Any] = msgspec.to_builtins(version)
    if qualifier:
        answer["FunctionArn"] = f"{version.function_arn}:{qualifier}"
    return answer


def listed(version: FunctionVersion, *, qualified: bool = False) -> Mapping[str, Any]:
    """A version in a list, where Lambda leaves its state out (service model, ListFunctions)."""
    answer = shown(version, version.version if qualified else "")
    return {**answer, "State": None, "LastUpdateStatus": None}


def timestamp(now: float) -> str:
    """Lambda's LastModified: `2024-10-10T13:55:36.000+0000`. `now` is seconds since the epoch."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def by_age(version: FunctionVersion) -> tuple[str, int]:
    """The order of lists: by function, $LATEST first, then as published."""
    return version.function_name, int(version.version) if version.version.isdigit() else 0
