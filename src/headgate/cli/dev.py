"""`headgate dev`: a folder as a function of a running server, renewed whenever a file is saved, with its log."""

import re
import sys
import threading
import time
from pathlib import Path
from typing import Final

import click

from headgate.cli.failure import fail
from headgate.cli.plane import ENDPOINT, plane_of
from headgate.client.control_plane import ControlPlane, Refused, Unreachable
from headgate.client.folder import Stamps, guess, stamps, zip_of
from headgate.client.functions import Wanted, log_group, log_lines, put_function

_LOOK_S: Final = 0.05  # between two looks at the folder
_TRY_AGAIN_S: Final = 1.0  # after the server did not answer
_UNPACKED: Final = re.compile(r"""(/var/task|[^\s"'(]*/code/[0-9a-f]{64})(?=[/"'\s]|$)""")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), help="Folder with the function's code.")
@click.option("--name", help="Name of the function. Default: the folder's.")
@click.option("--handler", help="Handler, such as app.handler. Default: what the folder's files speak of.")
@click.option("--runtime", help="Runtime, such as python3.13. Default: what the folder's files speak of.")
@ENDPOINT
def dev(folder: Path, name: str | None, handler: str | None, runtime: str | None, endpoint_url: str | None) -> None:
    """Run a folder as a function of a running server: renewed on every save, with its log here. Ctrl-C ends it.

    The function stays when this ends. Account and region are those of AWS_ACCESS_KEY_ID and AWS_REGION.
    """
    if not folder.is_dir():
        fail(f"{folder} is no folder; give one with a function's code")
    plane = plane_of("lambda", endpoint_url)
    wanted = _wanted(folder.resolve(), name, handler, runtime)
    session = _Session(plane, folder.resolve(), wanted)
    try:
        session.begin()
    except (Unreachable, Refused) as error:
        fail(str(error))
    try:
        session.watch()
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _wanted(folder: Path, name: str | None, handler: str | None, runtime: str | None) -> Wanted:
    guessed_runtime, guessed_handler = guess(folder)
    name = name or re.sub(r"[^a-zA-Z0-9-_]", "-", folder.name)[:64]
    runtime = runtime or guessed_runtime
    handler = handler or guessed_handler
    if not runtime:
        fail(f"{folder} has no index.js, *.py or bootstrap; name the runtime: --runtime")
    if not handler:
        fail(f"no file of {folder} looks like a handler; name it: --handler module.function")
    return Wanted(name=name, runtime=runtime, handler=handler)


class _Session:
    """One folder on its server."""

    def __init__(self, plane: ControlPlane, folder: Path, wanted: Wanted) -> None:
        self._plane = plane
        self._folder = folder
        self._wanted = wanted
        self._sent: Stamps = {}
        self._group = ""

    def begin(self) -> None:
        """Make the function. Raises Unreachable and Refused."""
        now = stamps(self._folder)
        arn = self._put(now)
        self._group = log_group(self._plane, self._wanted.name)
        # Its lines are asked for before anybody can know that it is there.
        _, place = log_lines(self._plane, self._group, None)
        threading.Thread(target=self._follow, args=(place,), daemon=True).start()
        _say(f"{arn}  {self._wanted.runtime}  {self._wanted.handler}")
        _say(f"serving {self._folder}; save a file to renew it, Ctrl-C ends")

    def watch(self) -> None:
        """Renew the function at every change, without end."""
        refused: Stamps | None = None
        unreachable = False
        while True:
            time.sleep(_LOOK_S)
            now = stamps(self._folder)
            if now in (self._sent, refused):
                continue
            began = time.perf_counter()
            try:
                self._put(now)
            except Refused as error:
                refused = now  # the next save is the next try
                _say(f"not renewed: {error}")
            except Unreachable as error:
                if not unreachable:
                    _say(f"not renewed: {error}; trying again")
                unreachable = True
                time.sleep(_TRY_AGAIN_S)
            else:
                unreachable = False
                _say(f"renewed in {(time.perf_counter() - began) * 1000:.0f} ms")

    def _put(self, now: Stamps) -> str:
        arn = put_function(self._plane, self._wanted, zip_of(self._folder, now))
        self._sent = now
        return arn

    def _follow(self, place: int | None) -> None:
        while True:
            try:
                lines, place = log_lines(self._plane, self._group, place)
            except Unreachable:
                # The server that comes next may hold nothing of what this one held.
                place = None
                self._sent = {}
                time.sleep(_TRY_AGAIN_S)
                continue
            except Refused as error:
                _say(f"the log cannot be followed: {error}")
                return
            for line in lines:
                # Where the function sees its code is of no use to whoever edits it.
                print(_UNPACKED.sub(lambda _: str(self._folder), line), flush=True)


def _say(what: str) -> None:
    print(f"headgate: {what}", file=sys.stderr, flush=True)
