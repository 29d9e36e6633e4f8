"""Where an HTTP request goes, and its bytes."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from headgate.model.value import Value
from headgate.release.failures import Refused

_PORTS: Final = {"http": 80, "https": 443}
_KEPT_IN_PATHS: Final = "/%:@!$&'()*+,;=~-._?"


class Target(Value, frozen=True):
    """A URL, taken apart. Its `shown` form has no query and no credentials, for either may be a secret."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    credentials: str = ""  # user:password

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        return self.origin + self.path.partition("?")[0]

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a webhook's answer may echo and nobody should read: such a URL lets whoever has it speak."""
        return self.path, self.credentials


def target_of(url: str) -> Target:
    """Raises Refused, without the URL: it may hold a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"a URL cannot be read: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Refused("a URL must begin with http://HOST or https://HOST")
    path = quote(parts.path or "/", safe=_KEPT_IN_PATHS)
    if parts.query:
        path += "?" + quote(parts.query, safe=_KEPT_IN_PATHS)
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Refused("a URL's host is no valid name") from error
    return Target(
        scheme=parts.scheme,
        host=host,
        port=_PORTS[parts.scheme] if port is None else port,
        path=path,
        credentials=f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else "",
    )


def request_bytes(method: str, target: Target, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A whole HTTP/1.1 request; what `headers` names takes the place of a default. Raises Refused."""
    defaults = {"Host": target.authority, "User-Agent": "headgate", "Accept": "*/*"}
    if target.credentials:
        defaults["Authorization"] = "Basic " + base64.b64encode(target.credentials.encode()).decode("ascii")
    given = {name.lower() for name in headers}
    if own := given & {"content-length", "transfer-encoding", "connection"}:
        raise Refused(f"header {min(own)} is set by the request itself; leave it out")
    lines = [f"{method} {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in defaults.items() if name.lower() not in given]
    for name, value in headers.items():
        if not name.isascii() or not name or any(each in " :\r\n\t\0" for each in name):
            raise Refused(f"{name!r} is no name of a header")
        if any(each in "\r\n\0" for each in value):
            raise Refused(f"the value of header {name} has a line break")
        lines.append(f"{name}: {value}")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
