"""A server's releases as a client sees them: the pages below `/_headgate/releases`."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from headgate.client.releases import ReleaseFailed

_TIMEOUT_S: Final = 60.0


class ServerReleases:
    """See `client.releases.ReleasesApi`."""

    def __init__(self, endpoint_url: str) -> None:
        self._url = f"{endpoint_url.rstrip('/')}/_headgate/releases"

    def start(self, document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> str:
        files = {path: base64.b64encode(body).decode() for path, body in artefacts.items()}
        return str(self._ask("POST", "", {**document, "artefacts": files})["release"])

    def retry(self, name: str, actor: str) -> str:
        return str(self._ask("POST", f"/{quote(name, '')}/retry", {"actor": actor})["release"])

    def command(self, name: str, verb: str, actor: str, reason: str = "", region: str | None = None) -> None:
        self._ask("POST", f"/{quote(name, '')}/{verb}", {"actor": actor, "reason": reason, "region": region})

    def all(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "")["releases"])

    def show(self, name: str) -> dict[str, Any]:
        return dict(self._ask("GET", f"/{quote(name, '')}"))

    def history(self, name: str, after_number: int = 0) -> list[dict[str, Any]]:
        return list(self._ask("GET", f"/{quote(name, '')}/events?after={after_number}")["events"])

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            self._url + path, data=body, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ReleaseFailed(_message(error.read(), self._url, error.code)) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ReleaseFailed(
                f"no Headgate answers at {self._url.removesuffix('/_headgate/releases')}: {reason}"
            ) from error


def _message(body: bytes, url: str, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"what answers at {url} is no Headgate: status {status}"
