"""The control plane as a client sees it, over the standard library alone: rest-json requests, signed as AWS's are.

boto3 takes half a second to import, which is longer than a function takes to reload.
"""

import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from headgate import __version__

TIMEOUT_S: Final = 60.0


class Unreachable(Exception):
    """Nobody answers at the endpoint; the message is one line."""


class Refused(Exception):
    """The control plane answers with an error."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ControlPlane:
    """One service of an endpoint, and who asks it. The key's owner and the region decide whose things are meant."""

    def __init__(
        self, endpoint_url: str, region: str, access_key: str, secret_key: str, service: str, actor: str = ""
    ) -> None:
        """`service` is the signing name, such as lambda; `actor` whoever it is done for, for histories.

        Raises ValueError for what is no http or https URL.
        """
        parts = urlsplit(endpoint_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{endpoint_url!r} is no endpoint; give a URL such as http://127.0.0.1:4566")
        self.endpoint_url: Final = endpoint_url.rstrip("/")
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._region = region
        self._access_key = access_key
        self._secret_key = secret_key
        self._service = service
        self._user_agent = f"headgate/{__version__}" + (f" headgate-actor/{quote(actor, '')}" if actor else "")

    def ask(
        self, method: str, path: str, document: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's JSON; None when it has none. Raises Unreachable and Refused."""
        body = b"" if document is None else json.dumps(document).encode()
        canonical_query = urlencode(sorted((query or {}).items()), quote_via=quote)
        connection = (http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection)(
            self._host, self._port, timeout=TIMEOUT_S
        )
        target = f"{path}?{canonical_query}" if canonical_query else path
        try:
            connection.request(method, target, body, self._headers(method, path, canonical_query, body))
            response = connection.getresponse()
            status, answer = response.status, response.read()
            code = response.headers.get("x-amzn-errortype", "").partition(":")[0]
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"nothing answers at {self.endpoint_url}: {error}") from error
        finally:
            connection.close()
        try:
            read = json.loads(answer) if answer else None
        except ValueError as error:
            raise Unreachable(f"what answers at {self.endpoint_url} is no control plane: status {status}") from error
        if status >= 300:
            told = read if isinstance(read, dict) else {}
            message = told.get("message") or told.get("Message") or f"status {status}"
            raise Refused(code or str(told.get("__type", "")), str(message), status)
        return read

    def _headers(self, method: str, path: str, query: str, body: bytes) -> dict[str, str]:
        """Signature Version 4, with the headers that it takes in."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host = self._host if self._port is None else f"{self._host}:{self._port}"
        signed = {"host": host, "x-amz-date": now}
        names = ";".join(signed)
        canonical = "\n".join(
            (
                method,
                quote(path),
                query,
                *(f"{name}:{value}" for name, value in signed.items()),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{now[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self._secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return {
            "Host": host,
            "X-Amz-Date": now,
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={self._access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
            ),
        }
