"""Small functions, as zips."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from support.server import RunningServer

ROLE = "arn:aws:iam::000000000000:role/test"


def zipped(source: str, name: str = "handler.py") -> bytes:
    """A zip with one file."""
    return archive({name: source})


def archive(files: Mapping[str, str]) -> bytes:
    """A zip, the same for the same files: an entry without a date would be of now, in steps of two seconds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o600 << 16
            writer.writestr(entry, text, zipfile.ZIP_DEFLATED)
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
