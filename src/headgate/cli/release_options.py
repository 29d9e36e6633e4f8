"""What the commands of releases share: their options, the releases that they speak to, and how they print."""

import getpass
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.client.releases import ReleaseFailed, ReleasesApi
from headgate.client.server_releases import ServerReleases

FILE: Final = click.argument("file", type=click.Path(path_type=Path), help="The release file.")
NAME: Final = click.argument("name", help="The release's name.")
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STATE: Final = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="State file of a release that was started by `headgate release run`. Default: the server's own.",
)
ENDPOINT: Final = click.option(
    "--endpoint-url", help="The Headgate that runs it. Default: AWS_ENDPOINT_URL, else http://127.0.0.1:4566."
)
DRIVEN_ENDPOINT: Final = click.option(
    "--endpoint-url", help="A Headgate. Default: AWS_ENDPOINT_URL; without either, AWS."
)
REGION: Final = click.option("--region", help="Region. Default: AWS_REGION, else us-east-1.")
ACTOR: Final = click.option("--as", "actor", help="Who says it, for the journal. Default: your user name.")
REASON: Final = click.option("--reason", default="", help="Why, for the journal.")


def about_releases(command: Callable[..., None]) -> Callable[..., None]:
    """Options of which releases a command is about, and of how it prints; its first argument is the programs."""
    return _STATE(ENDPOINT(AS_JSON(click.pass_obj(command))))


@contextmanager
def releases_of(programs: Programs, state: Path | None, endpoint_url: str | None) -> Iterator[ReleasesApi]:
    with failing_in_a_line():
        if state is not None and not state.exists():
            fail(f"there is no state file {state}")
        releases: ReleasesApi = ServerReleases(endpoint_of(endpoint_url)) if state is None else programs.releases(state)
        try:
            yield releases
        finally:
            releases.close()


@contextmanager
def failing_in_a_line() -> Iterator[None]:
    try:
        yield
    except ReleaseFailed as error:
        fail(str(error))


def printed(document: dict[str, Any], as_json: bool, view: Any) -> None:
    if as_json:
        print(json.dumps(document), flush=True)
    else:
        view(document)


def endpoint_of(given: str | None) -> str:
    return given or os.environ.get("AWS_ENDPOINT_URL") or "http://127.0.0.1:4566"


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
