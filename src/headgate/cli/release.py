"""`headgate release`: plan releases, start them, drive them from here, play them."""

import hashlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import click

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.cli.release_options import (
    ACTOR,
    AS_JSON,
    DRIVEN_ENDPOINT,
    ENDPOINT,
    FILE,
    REGION,
    endpoint_of,
    failing_in_a_line,
    printed,
    user,
)
from headgate.cli.release_view import print_event, print_plan, print_simulation
from headgate.cli.release_watch import watch_until_over
from headgate.client.releases import ReleasesApi
from headgate.client.server_releases import ServerReleases

_MOST_BYTES: Final = 50 * 1024 * 1024  # of a zip, as Lambda has it


@click.command()
@FILE
@DRIVEN_ENDPOINT
@REGION
@AS_JSON
@click.pass_obj
def plan(programs: Programs, file: Path, endpoint_url: str | None, region: str | None, as_json: bool) -> None:
    """Show what a release would do, what stands in its way, and what it could tell apart. Changes nothing."""
    with failing_in_a_line():
        document, artefacts = _document(programs, file, region, None)
        document["endpointUrl"] = endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
        planned = programs.plan(document, artefacts)
    printed(planned, as_json, print_plan)
    raise SystemExit(2 if planned["problems"] else 0)


@click.command()
@FILE
@click.option("--watch", is_flag=True, help="Stay, and show it until it ends.")
@ENDPOINT
@REGION
@ACTOR
@AS_JSON
@click.pass_obj
def start(
    programs: Programs,
    file: Path,
    watch: bool,
    endpoint_url: str | None,
    region: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Hand a release to a running server, which drives it to its end."""
    with failing_in_a_line():
        releases = ServerReleases(endpoint_of(endpoint_url))
        document, artefacts = _document(programs, file, region, actor)
        name = releases.start(document, artefacts)
        if watch:
            raise SystemExit(watch_until_over(releases, name, as_json))
    printed({"release": name}, as_json, lambda _: print(f"{name} is started; headgate release watch {name} shows it"))


@click.command()
@FILE
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path(".headgate/releases.db"),
    show_default=True,
    help="Where the release's journal is kept.",
)
@DRIVEN_ENDPOINT
@click.option("--wait", is_flag=True, help="Stay while it waits for a person, instead of ending with status 3.")
@REGION
@ACTOR
@AS_JSON
@click.pass_obj
def run(
    programs: Programs,
    file: Path,
    state: Path,
    endpoint_url: str | None,
    wait: bool,
    region: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Drive a release from here, for CI: against a Headgate, or AWS. A second run of the same file goes on with it.

    Exit status: 0 promoted, 1 rolled back, 3 waits for a person, 2 cannot be done.
    """
    with failing_in_a_line():
        releases = programs.releases(state)
        try:
            document, artefacts = _document(programs, file, region, actor)
            document["endpointUrl"] = endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
            name = _started_or_going_on(releases, document, artefacts)
            stopping = _until_signal()
            status = releases.run(name, lambda event: printed(event, as_json, print_event), stopping, waits=wait)
            printed(releases.show(name), as_json, lambda report: _say_end(report, status))
        finally:
            releases.close()
    raise SystemExit(status)


@click.command()
@FILE
@click.option("--errors", default="1x", help="Errors of the change: 2x the stable side's, or a share such as 5%.")
@click.option("--slow", default="1x", help="Latency of the change: 1.5x the stable side's.")
@click.option("--rps", default=20.0, help="Requests per second.")
@click.option("--base", default="0.5%", help="Share of errors on the stable side.")
@click.option("--runs", default=200, help="How often.")
@click.option("--seed", default=7, help="Of the random numbers.")
@AS_JSON
@click.pass_obj
def simulate(programs: Programs, /, file: Path, as_json: bool, **asked: Any) -> None:
    """Play a plan against made-up traffic on a clock of its own: how often, and how soon, it would roll back."""
    with failing_in_a_line():
        printed(programs.simulate(_text(file), str(file), asked), as_json, print_simulation)


@click.command()
@click.pass_obj
def schema(programs: Programs) -> None:
    """Print the JSON Schema of release files, for editors."""
    sys.stdout.write(programs.schema().decode())


@click.command(hidden=True)
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.option("--endpoint-url", required=True)
@click.pass_obj
def work(programs: Programs, state: Path, endpoint_url: str) -> None:
    """Drive a server's releases; the server starts this."""
    programs.work(state, endpoint_url)


def _document(
    programs: Programs, file: Path, region: str | None, actor: str | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a start sends, and the files that it brings along."""
    text = _text(file)
    folder = file.resolve().parent
    artefacts = {}
    for path in programs.files(text, str(file)):
        try:
            artefacts[path] = (folder / path).read_bytes()
        except OSError as error:
            fail(f"{file} names {path}, which cannot be read: {error.strerror}")
        if len(artefacts[path]) > _MOST_BYTES:
            fail(f"{file} names {path}, which has {len(artefacts[path])} bytes; the most is {_MOST_BYTES}")
    environment = os.environ.get
    key = environment("AWS_ACCESS_KEY_ID", "")
    return {
        "text": text,
        "fileName": str(file),
        "folder": str(folder),
        "region": region or environment("AWS_REGION") or environment("AWS_DEFAULT_REGION") or "us-east-1",
        "actor": actor or user(),
        "accountId": key if len(key) == 12 and key.isdigit() else "",
    }, artefacts


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read the release file {file}: {getattr(error, 'strerror', None) or error}")


def _started_or_going_on(releases: ReleasesApi, document: dict[str, Any], artefacts: dict[str, bytes]) -> str:
    """The release of this file where it is on its way already, as after an exit with status 3."""
    for each in releases.all():
        if each["open"] and releases.history(each["release"])[0].get("textSha256") == _digest(document["text"]):
            return str(each["release"])
    return releases.start(document, artefacts)


def _until_signal() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _say_end(report: dict[str, Any], status: int) -> None:
    name = report["release"]
    match status:
        case 0 | 1:
            print(f"{name}: {report['phase']}: {report['why']}")
        case 3:
            print(f"{name} waits: {report['why']}")
            print(f"headgate release approve {name} (or reject), then run the same command again to go on")
        case _:
            print(f"{name} stays where it is: {report['step']}. Run the same command again to go on.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
