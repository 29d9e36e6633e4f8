"""Request targets and Host headers (RFC 9112 sections 3.2 and 3.3): bytes of one line -> host, path, query."""

import re
from typing import Final

from headgate.server.http1_refusal import BAD_REQUEST, HttpRefusal

# What `host_name` gave, to be looked in first: a gateway has few names and needs one per request. When full it begins
# anew.
HOSTS: Final[dict[bytes, str]] = {}


class BadTarget(Exception):
    """The target or Host does not follow its grammar."""

    refusal: HttpRefusal = BAD_REQUEST


def host_name(value: bytes) -> str:
    """The name of a Host header in lower case, without its port. Raises BadTarget.

    An empty value is allowed (RFC 9110 section 7.2) and gives "".
    """
    match = _HOST.fullmatch(value)
    if match is None:
        raise BadTarget
    host = match[1].decode("ascii").lower()
    if len(HOSTS) >= _HOSTS_KEPT:
        HOSTS.clear()
    if len(value) <= _LONGEST_HOST_KEPT:
        HOSTS[value] = host
    return host


def split_target(target: bytes, method: str, host: str) -> tuple[str, str, str]:
    """Path, query, and host: the target's own in absolute form, else the one given. Raises BadTarget.

    The parser has seen to the characters: no space, no control character, nothing beyond ASCII.
    """
    if b"#" in target:
        raise BadTarget
    if target.startswith(b"/"):
        path, _, query = target.decode("ascii").partition("?")
        return path, query, host
    if target == b"*" and method == "OPTIONS":
        return "*", "", host
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadTarget
    path, _, query = (match[2] or b"").decode("ascii").partition("?")
    host = host_name(match[1])
    if not host:
        raise BadTarget
    return path or "/", query, host


# RFC 3986 section 3.2.2, with the brackets of an IP literal; no user name.
_HOST: Final = re.compile(rb"([A-Za-z0-9\-._~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?]*)([/?].*)?", re.DOTALL)

_HOSTS_KEPT: Final = 1_024
_LONGEST_HOST_KEPT: Final = 260  # a DNS name and a port
