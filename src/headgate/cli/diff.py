"""`headgate diff`: what differs between two deployments, or what somebody forgot to deploy."""

from typing import Annotated

import typer

from headgate.cli.diff_view import print_differences
from headgate.cli.plane import Endpoint, asking, plane_of
from headgate.cli.release_options import AsJson, Region, printed
from headgate.client.deployments import read_differences

_REFERENCE = "A deployment's id, a stage (what it serves), STAGE/canary, or current (the resources as they stand)."


def diff(
    api: Annotated[str, typer.Argument(help="The REST API, by name or id.", metavar="API")],
    a: Annotated[str | None, typer.Argument(help=_REFERENCE, metavar="A")] = None,
    b: Annotated[str | None, typer.Argument(help="The same. Default: current.", metavar="B")] = None,
    endpoint_url: Endpoint = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two deployments of an API, or what is not deployed yet.

    With A alone: what has changed since. With neither: of each stage, what it
    does not serve yet of the resources as they stand. Stage variables, and
    what else a stage has of its own, are not compared.

    Exit status: 0 no difference, 1 differences, 2 cannot be done.
    """
    with asking():
        found = read_differences(plane_of("apigateway", endpoint_url, region), api, a, b)
    printed(found, as_json, print_differences)
    raise SystemExit(1 if any(each["differences"] for each in found["comparisons"]) else 0)
