"""The control plane that a command speaks to: from its options and, as the SDKs have it, from the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from headgate.cli.failure import fail
from headgate.client.control_plane import ControlPlane, Refused, Unreachable

_ENDPOINT_VARIABLES: Final = {"lambda": "AWS_ENDPOINT_URL_LAMBDA", "apigateway": "AWS_ENDPOINT_URL_API_GATEWAY"}

ENDPOINT: Final = click.option(
    "--endpoint-url",
    help="Control plane of the running server. Default: AWS_ENDPOINT_URL, else http://127.0.0.1:4566.",
)


def plane_of(service: str, endpoint_url: str | None, region: str | None = None, actor: str = "") -> ControlPlane:
    """Ends the command where the endpoint is no URL."""
    variable = os.environ.get
    try:
        return ControlPlane(
            endpoint_url
            or variable(_ENDPOINT_VARIABLES[service])
            or variable("AWS_ENDPOINT_URL")
            or "http://127.0.0.1:4566",
            region=region or variable("AWS_REGION") or variable("AWS_DEFAULT_REGION") or "us-east-1",
            access_key=variable("AWS_ACCESS_KEY_ID") or "test",
            secret_key=variable("AWS_SECRET_ACCESS_KEY") or "test",
            service=service,
            actor=actor,
        )
    except ValueError as error:
        fail(str(error))


@contextmanager
def asking() -> Iterator[None]:
    """Ends the command, in a line, where the control plane refuses or is not there."""
    try:
        yield
    except (Unreachable, Refused) as error:
        fail(str(error))
