"""Wires the release controller: for `headgate release run` in the foreground, and for the server's worker process.

Like `app`, it knows the parts; unlike it, it serves nothing.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from headgate.client.releases import ReleaseFailed
from headgate.model.release import Percentage
from headgate.release import simulation
from headgate.release.controller import LEASE_S, Controller
from headgate.release.drivers.calls import Clients
from headgate.release.drivers.stage_calls import find_api
from headgate.release.events import SELF, Started
from headgate.release.file import FileError, read_release
from headgate.release.holder import has_ended, this_process
from headgate.release.journal import Entry, Lease, LeaseLost
from headgate.release.planning import planned as plan_of_request
from headgate.release.report import shown_entry
from headgate.release.rollout import Phase, Rollout
from headgate.release.service import ReleaseError, ReleaseService, StartRequest, files_of
from headgate.release.simulation import Scenario
from headgate.release.world import Aws
from headgate.store.release_store import ReleaseStore, StateFileError

_log = logging.getLogger("headgate.release")

_LOOK_FOR_S: Final = 1.0  # between two looks for releases that nobody drives
EXIT_PROMOTED: Final = 0
EXIT_ROLLED_BACK: Final = 1
EXIT_WAITING: Final = 3
EXIT_INTERRUPTED: Final = 130


class Releases:
    """The releases of one state file; see `cli.programs.LocalReleases`. `own_url` is its server's, where it has one."""

    def __init__(self, state: Path, own_url: str = "", lease_s: float = LEASE_S) -> None:
        """Raises ReleaseFailed."""
        try:
            self._store = ReleaseStore(state, has_ended=has_ended)
        except StateFileError as error:
            raise ReleaseFailed(str(error)) from error
        self._service = ReleaseService(self._store, find_api=partial(_find_api, own_url))
        self._own_url = own_url
        self._lease_s = lease_s

    def close(self) -> None:
        self._store.close()

    def start(self, document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> str:
        with _failing():
            return self._service.start(_request(document, artefacts))

    def retry(self, name: str, actor: str) -> str:
        with _failing():
            return self._service.retry(name, actor)

    def command(self, name: str, verb: str, actor: str, reason: str = "", region: str | None = None) -> None:
        with _failing():
            self._service.command(name, verb, actor, reason, region)

    def all(self) -> list[dict[str, Any]]:
        return self._service.all()

    def show(self, name: str) -> dict[str, Any]:
        with _failing():
            return self._service.show(name)

    def history(self, name: str, after_number: int = 0) -> list[dict[str, Any]]:
        with _failing():
            return self._service.history(name, after_number)

    def run(self, name: str, heard: Callable[[dict[str, Any]], None], stopping: threading.Event, *, waits: bool) -> int:
        """Drive one release from here until it is over, or waits for a person; the exit status."""
        lease = self._store.acquire(name, this_process(), self._lease_s)
        if lease is None:
            raise ReleaseFailed(f"release {name} is driven by another process; headgate release watch {name} shows it")

        def ends(rollout: Rollout) -> bool:
            return rollout.waits_for_people_alone and not waits

        controller = self._controller(lease, lambda entry: heard(shown_entry(entry)))
        try:
            controller.run(threading.Event(), stopping, ends)
        except LeaseLost as error:
            raise ReleaseFailed(f"release {name} was taken over: {error}") from error
        finally:
            controller.close()
        match controller.rollout.phase:
            case Phase.PROMOTED:
                return EXIT_PROMOTED
            case Phase.ROLLED_BACK | Phase.ABANDONED:
                return EXIT_ROLLED_BACK
            case _:
                return EXIT_INTERRUPTED if stopping.is_set() else EXIT_WAITING

    def work(self, poked: threading.Event, stopping: threading.Event) -> None:
        """Drive every open release that nobody else does, each in a thread, until there is none."""
        driven: dict[str, tuple[threading.Thread, threading.Event]] = {}
        while not stopping.is_set():
            driven = {name: each for name, each in driven.items() if each[0].is_alive()}
            for header in self._store.headers():
                if header.is_open and header.name not in driven:
                    self._take_on(header.name, stopping, driven)
            if not driven and not any(header.is_open for header in self._store.headers()):
                return
            if poked.wait(_LOOK_FOR_S):
                poked.clear()
                for _, poke in driven.values():
                    poke.set()
        for thread, poke in driven.values():
            poke.set()
            thread.join()

    def _take_on(
        self, name: str, stopping: threading.Event, driven: dict[str, tuple[threading.Thread, threading.Event]]
    ) -> None:
        lease = self._store.acquire(name, this_process(), self._lease_s)
        if lease is None:
            return  # another process has it, for now
        poke = threading.Event()
        thread = threading.Thread(target=self._drive, args=(lease, poke, stopping), name=f"release-{name}")
        driven[name] = thread, poke
        thread.start()

    def _drive(self, lease: Lease, poke: threading.Event, stopping: threading.Event) -> None:
        try:
            controller = self._controller(lease, partial(_log_entry, lease.name))
            try:
                controller.run(poke, stopping, lambda _: False)
            finally:
                controller.close()
        except LeaseLost as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("release %s: the controller failed; it is taken on again", lease.name)
            self._store.release(lease)
            stopping.wait(_LOOK_FOR_S)

    def _controller(self, lease: Lease, heard: Callable[[Entry], None]) -> Controller:
        world = partial(Aws, own_url=self._own_url)
        return Controller(self._store, lease, world, heard=heard, lease_s=self._lease_s)


def work(state: Path, endpoint_url: str) -> None:
    """The server's worker: until its releases are over, or the server that started it is gone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    poked, stopping = threading.Event(), threading.Event()

    def listen() -> None:
        for _ in sys.stdin:
            poked.set()
        stopping.set()
        poked.set()

    threading.Thread(target=listen, daemon=True).start()
    releases = Releases(state, endpoint_url)
    try:
        releases.work(poked, stopping)
    finally:
        releases.close()


def files(text: str, name: str) -> list[str]:
    """The paths that a release file names. Raises ReleaseFailed."""
    try:
        return list(files_of(read_release(text, name)).values())
    except FileError as error:
        raise ReleaseFailed(str(error)) from error


def planned(document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> dict[str, Any]:
    """What a release would do, what stands in its way, and what it could tell apart. Raises ReleaseFailed."""
    with _failing():
        return plan_of_request(_request(document, artefacts), time.time())


def simulated(text: str, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """See `release.simulation`. Raises ReleaseFailed."""
    try:
        read_release(text, name)
        base = float(Percentage.parse(asked["base"])) / 100
        scenario = Scenario(
            requests_per_s=asked["rps"],
            base_errors=base,
            change_errors=_times(asked["errors"], base),
            slower=_times(asked["slow"], 1.0),
        )
    except (FileError, ValueError) as error:
        raise ReleaseFailed(str(error)) from error
    return simulation.simulated(text, scenario, asked["runs"], asked["seed"])


def _times(text: str, of: float) -> float:
    """`2x` that, or a share such as `5%`. Raises ValueError."""
    if text.endswith("x"):
        return float(text.removesuffix("x")) * of
    return float(Percentage.parse(text)) / 100


def _request(document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> StartRequest:
    return StartRequest(
        text=document["text"],
        file_name=document["fileName"],
        folder=document["folder"],
        region=document["region"],
        actor=document["actor"],
        endpoint_url=document.get("endpointUrl", ""),
        account_id=document.get("accountId", ""),
        artefacts=artefacts,
    )


def _find_api(own_url: str, started: Started, region: str, api: str) -> str:
    endpoint_url = own_url if started.endpoint_url == SELF else started.endpoint_url
    with closing(Clients(region, endpoint_url, started.account_id)) as clients:
        return find_api(clients.apigateway, api)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except ReleaseError as error:
        raise ReleaseFailed(str(error)) from error


def _log_entry(name: str, entry: Entry) -> None:
    shown = shown_entry(entry)
    fields = " ".join(f"{key}={value}" for key, value in shown.items() if key not in {"number", "event", "at", "looks"})
    _log.info("release %s #%d %s %s", name, entry.number, shown["event"], fields)
