"""`headgate diff`: what differs between two deployments, or what somebody forgot to deploy."""

from typing import Final

import click

from headgate.cli.diff_view import print_differences
from headgate.cli.plane import ENDPOINT, asking, plane_of
from headgate.cli.release_options import AS_JSON, REGION, printed
from headgate.client.deployments import read_differences

_REFERENCE: Final = (
    "A deployment's id, a stage (what it serves), STAGE/canary, or current (the resources as they stand)."
)


@click.command()
@click.argument("api", help="The REST API, by name or id.")
@click.argument("a", required=False, help=_REFERENCE)
@click.argument("b", required=False, help="The same. Default: current.")
@ENDPOINT
@REGION
@AS_JSON
def diff(api: str, a: str | None, b: str | None, endpoint_url: str | None, region: str | None, as_json: bool) -> None:
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
