"""What Lambda's wire tests share: functions with one file, and the service's refusals."""

import itertools
import json
from typing import Any, Final

from support.apis import Refused
from support.functions import ROLE, zipped
from support.server import RunningServer

ECHO: Final = "def handle(event, context):\n    return event\n"
ACCOUNT: Final = "000000000000"
_numbers: Final = itertools.count(1)


def new_name(prefix: str = "fn") -> str:
    """A name that no other test has."""
    return f"{prefix}-{next(_numbers)}"


def arn_of(name: str, qualifier: str = "") -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}" + (f":{qualifier}" if qualifier else "")


def create(server: RunningServer, name: str, source: str = ECHO, **options: Any) -> Any:
    """CreateFunction of a Python function `handler.handle`; the whole answer."""
    return server.client("lambda").create_function(
        FunctionName=name,
        Code={"ZipFile": zipped(source)},
        **{"Runtime": "python3.13", "Role": ROLE, "Handler": "handler.handle", **options},
    )


def a_function(server: RunningServer, source: str = ECHO, **options: Any) -> str:
    """A new function's name. It may run for long: a busy machine is no reason to fail."""
    name = new_name()
    create(server, name, source, **{"Timeout": 30, **options})
    return name


def a_version(server: RunningServer, name: str, source: str) -> str:
    """New code, published; the version."""
    published = server.client("lambda").update_function_code(FunctionName=name, ZipFile=zipped(source), Publish=True)
    version: str = published["Version"]
    return version


def invoke(server: RunningServer, name: str, event: Any = None, **options: Any) -> Any:
    """What the function answered."""
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
    return json.loads(answer["Payload"].read())


def saying(text: str) -> str:
    """The source of a handler that answers with this text."""
    return f"def handle(event, context):\n    return {text!r}\n"


def invalid(message: str) -> Refused:
    return Refused("InvalidParameterValueException", message, 400)


def missing(message: str) -> Refused:
    return Refused("ResourceNotFoundException", message, 404)


def conflict(message: str) -> Refused:
    return Refused("ResourceConflictException", message, 409)


def stale(told_by: str) -> Refused:
    return Refused(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {told_by} API to retrieve the latest Revision Id",
        412,
    )
