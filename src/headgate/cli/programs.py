"""What the commands run that is more than a client: handed over by `__main__`, as a client knows none of it."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from headgate.client.releases import ReleasesApi
from headgate.settings import Settings


class LocalReleases(ReleasesApi, Protocol):
    """The releases of a state file, which can also be driven from here."""

    def run(self, name: str, heard: Callable[[dict[str, Any]], None], stopping: threading.Event, *, waits: bool) -> int:
        """Until the release is over, or waits for a person and `waits` is not set; the exit status."""
        ...


class Programs(NamedTuple):
    """All but `serve` and `work` raise client.releases.ReleaseFailed."""

    serve: Callable[[Settings], None]  # until it is told to stop
    releases: Callable[[Path], LocalReleases]  # of a state file
    work: Callable[[Path, str], None]  # drive a server's releases (state file, its URL) until there is none
    files: Callable[[str, str], list[str]]  # the paths that a release file (text, name) names
    plan: Callable[[Mapping[str, Any], Mapping[str, bytes]], dict[str, Any]]
    simulate: Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
    schema: Callable[[], bytes]  # of release files, as JSON
