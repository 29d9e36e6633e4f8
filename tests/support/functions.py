"""Small functions, as zips."""

import io
import zipfile
from typing import Any

from support.server import RunningServer

ROLE = "arn:aws:iam::000000000000:role/test"


def zipped(source: str, name: str = "handler.py") -> bytes:
    """A zip with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


def create_function(server: RunningServer, name: str, source: str, **options: Any) -> str:
    """A Python function `handler.handle` that API Gateway may call; its ARN.

    It may run for long: a busy machine is no reason to fail.
    """
    client = server.client("lambda")
    created = client.create_function(
        FunctionName=name,
        Code={"ZipFile": zipped(source)},
        **{"Runtime": "python3.13", "Role": ROLE, "Handler": "handler.handle", "Timeout": 30, **options},
    )
    allow_gateway(server, name)
    arn: str = created["FunctionArn"]
    return arn


def allow_gateway(server: RunningServer, name: str, **options: Any) -> None:
    server.client("lambda").add_permission(
        FunctionName=name,
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        **options,
    )


def replying(text: str) -> str:
    """The source of a handler that answers 200 with this text."""
    return f'def handle(event, context):\n    return {{"statusCode": 200, "body": {text!r}}}\n'
