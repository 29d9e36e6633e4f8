"""`headgate release`: plan releases, start them, drive them from here, play them."""

import hashlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.cli.release_options import (
    Actor,
    AsJson,
    Endpoint,
    File,
    Region,
    app,
    endpoint_of,
    failing_in_a_line,
    printed,
    user,
)
from headgate.cli.release_view import print_event, print_plan, print_simulation
from headgate.cli.release_watch import watch_until_over
from headgate.client.releases import ReleasesApi, ServerReleases

_MOST_BYTES: Final = 50 * 1024 * 1024  # of a zip, as Lambda has it


@app.command()
def plan(
    context: typer.Context,
    file: File,
    endpoint_url: Annotated[
        str | None, typer.Option(help="A Headgate. Default: AWS_ENDPOINT_URL; without either, AWS.")
    ] = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show what a release would do, what stands in its way, and what it could tell apart. Changes nothing."""
    programs: Programs = context.obj
    with failing_in_a_line():
        document, artefacts = _document(programs, file, region, None)
        document["endpointUrl"] = endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
        planned = programs.plan(document, artefacts)
    printed(planned, as_json, print_plan)
    raise SystemExit(2 if planned["problems"] else 0)


@app.command()
def start(
    context: typer.Context,
    file: File,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show it until it ends.")] = False,
    endpoint_url: Endpoint = None,
    region: Region = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Hand a release to a running server, which drives it to its end."""
    with failing_in_a_line():
        releases = ServerReleases(endpoint_of(endpoint_url))
        document, artefacts = _document(context.obj, file, region, actor)
        name = releases.start(document, artefacts)
        if watch:
            raise SystemExit(watch_until_over(releases, name, as_json))
    printed({"release": name}, as_json, lambda _: print(f"{name} is started; headgate release watch {name} shows it"))


@app.command()
def run(
    context: typer.Context,
    file: File,
    state: Annotated[Path, typer.Option(help="Where the release's journal is kept.")] = Path(".headgate/releases.db"),
    endpoint_url: Annotated[
        str | None, typer.Option(help="A Headgate. Default: AWS_ENDPOINT_URL; without either, AWS.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay while it waits for a person, instead of ending with status 3.")
    ] = False,
    region: Region = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Drive a release from here, for CI: against a Headgate, or AWS. A second run of the same file goes on with it.

    Exit status: 0 promoted, 1 rolled back, 3 waits for a person, 2 cannot be done.
    """
    programs: Programs = context.obj
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


@app.command()
def simulate(
    context: typer.Context,
    file: File,
    errors: Annotated[
        str, typer.Option(help="Errors of the change: 2x the stable side's, or a share such as 5%.")
    ] = "1x",
    slow: Annotated[str, typer.Option(help="Latency of the change: 1.5x the stable side's.")] = "1x",
    rps: Annotated[float, typer.Option(help="Requests per second.")] = 20.0,
    base: Annotated[str, typer.Option(help="Share of errors on the stable side.")] = "0.5%",
    runs: Annotated[int, typer.Option(help="How often.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Play a plan against made-up traffic on a clock of its own: how often, and how soon, it would roll back."""
    programs: Programs = context.obj
    with failing_in_a_line():
        asked = {"errors": errors, "slow": slow, "rps": rps, "base": base, "runs": runs, "seed": seed}
        printed(programs.simulate(_text(file), str(file), asked), as_json, print_simulation)


@app.command()
def schema(context: typer.Context) -> None:
    """Print the JSON Schema of release files, for editors."""
    programs: Programs = context.obj
    sys.stdout.write(programs.schema().decode())


@app.command(hidden=True)
def work(
    context: typer.Context, state: Annotated[Path, typer.Option()], endpoint_url: Annotated[str, typer.Option()]
) -> None:
    """Drive a server's releases; the server starts this."""
    programs: Programs = context.obj
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
