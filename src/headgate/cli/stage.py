"""`headgate history` and `headgate rollback`: what moved a stage, and its way back."""

from collections.abc import Mapping
from typing import Any, Final

import click

from headgate.cli.failure import fail
from headgate.cli.history_view import print_history, print_rollback
from headgate.cli.plane import ENDPOINT, asking, plane_of
from headgate.cli.release_options import AS_JSON, REGION, printed, user
from headgate.client.control_plane import Refused
from headgate.client.deployments import move_stage, read_history

_API: Final = click.argument("api", help="The REST API, by name or id.")
_STAGE: Final = click.argument("stage", help="The stage.")


@click.command()
@_API
@_STAGE
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many moves.")
@ENDPOINT
@REGION
@AS_JSON
def history(api: str, stage: str, limit: int, endpoint_url: str | None, region: str | None, as_json: bool) -> None:
    """Show who moved a stage, when and to what: deployments, canaries, and the names of variables. Newest first."""
    with asking():
        found = read_history(plane_of("apigateway", endpoint_url, region), api, stage, limit)
    printed(found, as_json, print_history)


@click.command()
@_API
@_STAGE
@click.argument("deployment", required=False, help="Its id. Default: the one served before the present one.")
@ENDPOINT
@REGION
@click.option("--as", "actor", help="Who does it, for the history. Default: your user name.")
@AS_JSON
def rollback(
    api: str,
    stage: str,
    deployment: str | None,
    endpoint_url: str | None,
    region: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Bring a stage back to an earlier deployment, in one call; a canary's traffic ends in the same call.

    One roll-back after another goes further back, never to what was rolled back.

    Stage variables and functions stay as they are: what a release moved with
    its deployment, `headgate release rollback` brings back as one.
    """
    plane = plane_of("apigateway", endpoint_url, region, actor or user())
    with asking():
        before = read_history(plane, api, stage, 1)
        changes = _changes(before, api, deployment)
        try:
            after = move_stage(plane, before["apiId"], stage, changes)
        except Refused as error:
            fail(f"stage {stage} goes on serving {before['serves']['deploymentId']}: {error}")
    told = {
        "apiId": before["apiId"],
        "apiName": before["apiName"],
        "stage": stage,
        "from": before["serves"],
        "to": before["previous"] if deployment is None else {"deploymentId": after["deploymentId"]},
        "canaryEnded": "/canarySettings/percentTraffic" in changes,
    }
    printed(told, as_json, print_rollback)


def _changes(found: Mapping[str, Any], api: str, deployment: str | None) -> dict[str, str]:
    """What UpdateStage is to set. Ends the command where nothing can be brought back."""
    stage, serves, previous = found["stage"], found["serves"], found["previous"]
    if serves is None:
        fail(f"stage {stage} of API {api} is deleted")
    if found["openRelease"] is not None:
        fail(
            f"release {found['openRelease']} is on its way on stage {stage}: headgate release abort "
            f"{found['openRelease']} brings back all that it moved"
        )
    if deployment is None and previous is None:
        fail(
            f"stage {stage} has served nothing before {serves['deploymentId']} that is known and still there; "
            f"name a deployment: headgate rollback {api} {stage} DEPLOYMENT"
        )
    canary_has_traffic = serves.get("canary", {}).get("percentTraffic", 0.0) > 0
    wanted = previous["deploymentId"] if deployment is None else deployment
    if wanted == serves["deploymentId"] and not canary_has_traffic:
        fail(f"stage {stage} serves {wanted} already")
    changes = {"/deploymentId": wanted}
    if canary_has_traffic:
        changes["/canarySettings/percentTraffic"] = "0.0"
    return changes
