"""What the commands of releases share: their options, the releases that they speak to, and how they print."""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.client.releases import ReleaseFailed, ReleasesApi, ServerReleases

app = typer.Typer(
    name="release",
    help="Releases: traffic shifted on evidence, and rolled back as one.",
    no_args_is_help=True,
    add_completion=False,
)

File = Annotated[Path, typer.Argument(help="The release file.", metavar="FILE")]
Name = Annotated[str, typer.Argument(help="The release's name.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
State = Annotated[
    Path | None,
    typer.Option(help="State file of a release that was started by `headgate release run`. Default: the server's own."),
]
Endpoint = Annotated[
    str | None, typer.Option(help="The Headgate that runs it. Default: AWS_ENDPOINT_URL, else http://127.0.0.1:4566.")
]
Region = Annotated[str | None, typer.Option(help="Region. Default: AWS_REGION, else us-east-1.")]
Actor = Annotated[str | None, typer.Option("--as", help="Who says it, for the journal. Default: your user name.")]
Reason = Annotated[str, typer.Option(help="Why, for the journal.")]


@contextmanager
def releases_of(context: typer.Context, state: Path | None, endpoint_url: str | None) -> Iterator[ReleasesApi]:
    with failing_in_a_line():
        programs: Programs = context.obj
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
