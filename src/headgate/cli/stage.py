"""`headgate history` and `headgate rollback`: what moved a stage, and its way back."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from headgate.cli.failure import fail
from headgate.cli.history_view import print_history, print_rollback
from headgate.cli.plane import Endpoint, asking, plane_of
from headgate.cli.release_options import AsJson, Region, printed, user
from headgate.client.control_plane import Refused
from headgate.client.deployments import move_stage, read_history

Api = Annotated[str, typer.Argument(help="The REST API, by name or id.", metavar="API")]
StageName = Annotated[str, typer.Argument(help="The stage.", metavar="STAGE")]


def history(
    api: Api,
    stage: StageName,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many moves.", min=1, max=1000)] = 20,
    endpoint_url: Endpoint = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show who moved a stage, when and to what: deployments, canaries, and the names of variables. Newest first."""
    with asking():
        found = read_history(plane_of("apigateway", endpoint_url, region), api, stage, limit)
    printed(found, as_json, print_history)


def rollback(
    api: Api,
    stage: StageName,
    deployment: Annotated[
        str | None,
        typer.Argument(help="Its id. Default: the one served before the present one.", metavar="DEPLOYMENT"),
    ] = None,
    endpoint_url: Endpoint = None,
    region: Region = None,
    actor: Annotated[
        str | None, typer.Option("--as", help="Who does it, for the history. Default: your user name.")
    ] = None,
    as_json: AsJson = False,
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
