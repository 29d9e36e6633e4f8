"""A function of a control plane, as `headgate dev` needs it: made or changed to what is asked for, and its log."""

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from headgate.client.control_plane import ControlPlane, Refused

_FUNCTIONS: Final = "/2015-03-31/functions"
_ROLE: Final = "arn:aws:iam::000000000000:role/headgate-dev"
_LOG_WAIT_S: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a function is to be."""

    name: str
    runtime: str
    handler: str


def put_function(plane: ControlPlane, wanted: Wanted, code: bytes) -> str:
    """Make the function, or change the one there is; its ARN. Raises Unreachable and Refused."""
    path = f"{_FUNCTIONS}/{quote(wanted.name, safe='')}"
    zip_file = base64.b64encode(code).decode()
    try:
        found = plane.ask("GET", f"{path}/configuration")
    except Refused as refused:
        if refused.status != 404:
            raise
        return _create(plane, wanted, zip_file)
    if (found["Runtime"], found["Handler"]) != (wanted.runtime, wanted.handler):
        plane.ask("PUT", f"{path}/configuration", {"Runtime": wanted.runtime, "Handler": wanted.handler})
    arn: str = plane.ask("PUT", f"{path}/code", {"ZipFile": zip_file})["FunctionArn"]
    return arn


def log_group(plane: ControlPlane, name: str) -> str:
    """Where the function's log is."""
    found = plane.ask("GET", f"{_FUNCTIONS}/{quote(name, safe='')}/configuration")
    group: str = found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
    return group


def log_lines(plane: ControlPlane, group: str, after: int | None) -> tuple[list[str], int]:
    """The lines since a place in the log, and the place from which to ask next; waits for some. None is now.

    Raises Unreachable and Refused.
    """
    query = {"group": group, "wait_s": str(_LOG_WAIT_S)} | ({} if after is None else {"after": str(after)})
    answer: dict[str, Any] = plane.ask("GET", "/_headgate/logs", query=query)
    return answer["lines"], answer["next"]


def _create(plane: ControlPlane, wanted: Wanted, zip_file: str) -> str:
    made = plane.ask(
        "POST",
        _FUNCTIONS,
        {
            "FunctionName": wanted.name,
            "Runtime": wanted.runtime,
            "Handler": wanted.handler,
            "Role": _ROLE,
            "Code": {"ZipFile": zip_file},
        },
    )
    arn: str = made["FunctionArn"]
    return arn
