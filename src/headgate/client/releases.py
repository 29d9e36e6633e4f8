"""Releases as a client sees them, wherever they are."""

from collections.abc import Mapping
from typing import Any, Protocol


class ReleaseFailed(Exception):
    """It was refused, or nobody answers; the message says why. It may have several lines, one for each problem."""


class ReleasesApi(Protocol):
    """What both a server and a state file can do. All methods raise ReleaseFailed."""

    def start(self, document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> str:
        """The release's name. `document`: text, fileName, folder, region, actor and accountId."""
        ...

    def retry(self, name: str, actor: str) -> str: ...

    def command(self, name: str, verb: str, actor: str, reason: str = "", region: str | None = None) -> None: ...

    def all(self) -> list[dict[str, Any]]: ...

    def show(self, name: str) -> dict[str, Any]: ...

    def history(self, name: str, after_number: int = 0) -> list[dict[str, Any]]: ...

    def close(self) -> None: ...
