"""One POST to a URL of the settings or of a subscription."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from headgate.dataplane.ports import BackendReplyTooLarge, BackendTimeout, BackendUnreachable, HttpClient, Origin

TIMEOUT_S = 20.0


class NoAnswer(Exception):
    """The other side gave none. The message does not show the URL: it may hold a secret."""


async def post(http: HttpClient, url: str, headers: Mapping[str, str], body: bytes) -> int:
    """The status of the answer. Raises NoAnswer."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise NoAnswer("its port is no number") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""])
    if not head.isascii() or any(each in target + host for each in " \r\n\t"):
        raise NoAnswer("its URL has characters that must be percent-encoded")
    try:
        reply = await http.send(
            Origin(parts.scheme, parts.hostname or "", port), b"POST", head.encode("ascii"), body, TIMEOUT_S
        )
    except (BackendTimeout, BackendUnreachable, BackendReplyTooLarge) as error:
        raise NoAnswer(str(error) or "it gave no answer in time") from error
    return reply.status
