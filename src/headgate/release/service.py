"""What people ask of releases: start one, look at it, tell it something. The controller does the rest.

It writes rows and reads them; of an API it asks for the id alone. Both the server's pages and the commands beside a
state file go through it.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from msgspec.structs import replace

from headgate.model.release import Release
from headgate.model.value import Value
from headgate.release.events import Command, Event, Started
from headgate.release.failures import Refused, Unavailable
from headgate.release.file import FileError, read_release
from headgate.release.fold import after
from headgate.release.journal import CannotStart, Entry, Journals
from headgate.release.report import report, shown_entry, state_of
from headgate.release.rollout import Phase, Rollout, begin
from headgate.release.steps import AskApproval
from headgate.release.targets import FindApi, as_named, regions_of, targets_of

VERBS: Final = ("approve", "reject", "pause", "resume", "abort", "promote", "rollback", "abandon")
_OF_A_REGION: Final = ("approve", "resume", "promote")
MAX_ENTRIES: Final = 1000  # of a journal, answered at once


class ReleaseError(Exception):
    """It cannot be done; the message says why and what could be. `status` is HTTP's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class StartRequest(Value, frozen=True, rename="camel"):
    """What a start brings along. `artefacts` are the contents of the files that the release names, by their paths."""

    text: str
    file_name: str = "release file"
    folder: str = ""
    region: str = "us-east-1"
    actor: str = ""
    endpoint_url: str = ""  # "": AWS
    account_id: str = ""
    artefacts: Mapping[str, bytes] = {}


class ReleaseService:
    def __init__(
        self, journals: Journals, clock: Callable[[], float] = time.time, find_api: FindApi = as_named
    ) -> None:
        self._journals = journals
        self._clock = clock
        self._find_api = find_api
        self._folds: dict[str, _Fold] = {}
        self._folding = threading.Lock()  # callers come on threads, and a row is folded once

    def start(self, request: StartRequest) -> str:
        """The release's name, once it is durable. Raises ReleaseError."""
        try:
            release = read_release(request.text, request.file_name)
        except FileError as error:
            raise ReleaseError(str(error)) from error
        blobs = artefacts_of(release, request.artefacts)
        started = Started(
            at=self._clock(),
            text=request.text,
            region=request.region,
            actor=request.actor or "somebody",
            folder=request.folder,
            artefacts={name: hashlib.sha256(body).hexdigest() for name, body in blobs.items()},
            endpoint_url=request.endpoint_url,
            account_id=request.account_id,
        )
        self._create(release, started, list(blobs.values()))
        return release.release

    def retry(self, name: str, actor: str) -> str:
        """Another attempt of the same file and code. Raises ReleaseError."""
        rollout = self.rollout(name)
        if not rollout.is_over:
            raise ReleaseError(f"release {name} is {state_of(rollout)}; there is nothing to retry before its end", 409)
        if rollout.phase is Phase.PROMOTED:
            raise ReleaseError(f"release {name} was promoted; there is nothing to retry", 409)
        started = replace(rollout.started, at=self._clock(), actor=actor, attempt=rollout.started.attempt + 1)
        self._create(rollout.release, started, [])
        return name

    def command(self, name: str, verb: str, actor: str, reason: str = "", region: str | None = None) -> None:
        """Write down what somebody told the release. Raises ReleaseError where it would mean nothing."""
        if verb not in VERBS:
            raise ReleaseError(f"{verb!r} is none of {', '.join(VERBS)}")
        told = False
        while not told:  # what was checked must be what it is written behind, so that it is obeyed
            rollout, number = self._rollout_at(name)
            _check(rollout, verb, region, actor)
            if rollout.phase is Phase.PROMOTED:
                self._refuse_where_a_later_one_stands(rollout)
            command = Command(at=self._clock(), verb=verb, actor=actor, reason=reason, region=region)
            try:
                told = self._journals.tell(name, command, number)
            except CannotStart as error:
                raise ReleaseError(str(error), 409) from error

    def all(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [
            {
                "release": each.name,
                "open": each.is_open,
                "createdAt": each.created_at,
                "targets": list(each.targets),
                **each.summary,
            }
            for each in self._journals.headers()
        ]

    def show(self, name: str) -> dict[str, Any]:
        """Raises ReleaseError."""
        return report(self.rollout(name), self._clock())

    def history(self, name: str, after_number: int = 0) -> list[dict[str, Any]]:
        """The journal's rows behind a number, at most MAX_ENTRIES. Raises ReleaseError."""
        self.rollout(name)
        return [shown_entry(each) for each in self._journals.entries(name, after_number)[:MAX_ENTRIES]]

    def open_on(self, account_id: str, targets: AbstractSet[str]) -> str | None:
        """The release that is on its way and moves one of these; see `targets`."""
        moving = (each.name for each in self._journals.headers() if each.is_open and targets & set(each.targets))
        return next((name for name in moving if self.rollout(name).started.account_id in {"", account_id}), None)

    def rollout(self, name: str) -> Rollout:
        """The journal's fold. Raises ReleaseError."""
        return self._rollout_at(name)[0]

    def _rollout_at(self, name: str) -> tuple[Rollout, int]:
        """The fold, and the number of its last row."""
        with self._folding:
            fold = self._folds.setdefault(name, _Fold())
            rollout = fold.catch_up(self._journals.entries(name, fold.number))
            number = fold.number
            if rollout is None:
                del self._folds[name]
        if rollout is None:
            known = ", ".join(each.name for each in self._journals.headers()[:10]) or "none"
            raise ReleaseError(f"there is no release {name!r}; the latest are {known}", 404)
        return rollout, number

    def _refuse_where_a_later_one_stands(self, rollout: Rollout) -> None:
        """What came later would be lost with this one. Raises ReleaseError."""
        mine = targets_of(rollout.release, rollout.started)
        for each in self._journals.headers():
            both = sorted(called for target, called in mine.items() if {target, called} & set(each.targets))
            is_later = float(str(each.summary.get("startedAt", 0.0))) > rollout.started.at
            if both and is_later and each.summary.get("phase") == Phase.PROMOTED:
                raise ReleaseError(
                    f"release {each.name} came later and moved {both[0]} too: roll that back first, or all with "
                    f"headgate release rollback {rollout.release.release}",
                    409,
                )

    def _create(self, release: Release, started: Started, blobs: list[bytes]) -> None:
        try:
            apis = {
                region: self._find_api(started, region, release.api)
                for region in regions_of(release, started.region)
                if release.api is not None
            }
            started = replace(started, apis=apis)
            self._journals.create(release.release, started, targets_of(release, started), blobs)
        except CannotStart as error:
            raise ReleaseError(str(error), 409) from error
        except Refused as error:
            raise ReleaseError(str(error)) from error
        except Unavailable as error:
            raise ReleaseError(f"which API {release.api} is cannot be told now: {error}", 503) from error


class _Fold:
    """A journal folded as far as it was read, so that a look at it need not begin at its start."""

    def __init__(self) -> None:
        self.number = 0
        self._rollout: Rollout | None = None

    def catch_up(self, entries: list[Entry]) -> Rollout | None:
        for number, event in entries:
            self._rollout = _folded(self._rollout, event)
            self.number = number
        return self._rollout


def _folded(rollout: Rollout | None, event: Event) -> Rollout | None:
    if isinstance(event, Started):
        return begin(event)
    return None if rollout is None else after(rollout, event)


def files_of(release: Release) -> dict[str, str]:
    """The files that a release brings along: function, or name of the SQL file -> path beside the release file."""
    zips = {function: each.zip for function, each in release.change.functions.items() if each.zip is not None}
    return {**zips, **{name: name for name in release.migrate.sql}}


def artefacts_of(release: Release, given: Mapping[str, bytes]) -> dict[str, bytes]:
    """By function or SQL file. Raises ReleaseError for one that was not brought."""
    found = {}
    for name, path in files_of(release).items():
        if path not in given:
            raise ReleaseError(f"the file {path} that the release names was not brought along")
        found[name] = given[path]
    return found


def _check(rollout: Rollout, verb: str, region: str | None, actor: str) -> None:
    name = rollout.release.release
    if region is not None and region not in rollout.tracks:
        raise ReleaseError(f"release {name} has no region {region!r}; it has {', '.join(rollout.tracks)}")
    if region is not None and verb not in _OF_A_REGION:
        raise ReleaseError(f"{verb} is of the whole release; of one region alone are {', '.join(_OF_A_REGION)}")
    if verb in {"abort", "reject", "rollback"} and rollout.contracted:
        raise ReleaseError(f"release {name} has contracted the schema: from there on it goes forward only", 409)
    if verb == "rollback" and rollout.phase is Phase.PROMOTED:
        return
    if rollout.is_over:
        raise ReleaseError(f"release {name} has ended: {_end_of(rollout)}", 409)
    if verb == "abandon":
        return
    if rollout.rollback is not None:
        raise ReleaseError(f"release {name} is rolling back already: {rollout.rollback}", 409)
    asks = [track.question for track in rollout.tracks.values() if track.question and region in {None, track.region}]
    if verb in {"approve", "promote"} and not asks:
        raise ReleaseError(f"release {name} asks for nothing now: it is {state_of(rollout)}", 409)
    if verb in {"approve", "promote"} and all(each.topic == "approval" for each in asks):
        _check_may_approve(rollout, region, actor)
    if verb == "resume" and not rollout.paused:
        if not asks:
            raise ReleaseError(f"release {name} is not paused", 409)
        if all(each.topic == "approval" for each in asks):
            raise ReleaseError(f"release {name} waits for an approval: approve or reject it", 409)
    if verb == "pause" and rollout.paused:
        raise ReleaseError(f"release {name} is paused already", 409)


def _end_of(rollout: Rollout) -> str:
    """How it ended, why, and what can still be done."""
    told = f"{rollout.phase}{f' ({rollout.ended})' if rollout.ended else ''}"
    name = rollout.release.release
    if rollout.phase is Phase.PROMOTED:
        return told if rollout.contracted else f"{told}; headgate release rollback {name} takes it back"
    return f"{told}; headgate release retry {name} runs it again"


def _check_may_approve(rollout: Rollout, region: str | None, actor: str) -> None:
    """Somebody whose word would not count hears it. Raises ReleaseError."""
    may: set[str] = set()
    for track in rollout.tracks.values():
        if region not in {None, track.region} or track.question is None or not isinstance(track.step, AskApproval):
            continue
        if not track.step.approval.by:
            return
        may |= set(track.step.approval.by)
    if actor not in may:
        raise ReleaseError(
            f"{actor} may not approve release {rollout.release.release}: {', '.join(sorted(may))} may", 403
        )
