"""CORS of a function URL: preflights are answered without the function, and its answers get the headers.

Where a URL has CORS settings, they count and not what the function says of CORS (Developer Guide, "Cross-origin
resource sharing"). A preflight needs no signature: browsers send none.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from headgate.dataplane.headers import Headers, first
from headgate.model.call import Call
from headgate.model.function_url import Cors


def is_preflight(call: Call) -> bool:
    return (
        call.method == "OPTIONS"
        and first(call.headers, b"origin") is not None
        and first(call.headers, b"access-control-request-method") is not None
    )


def preflight_headers(cors: Cors, call: Call) -> Headers:
    """What the browser may do; nothing where its origin or method may nothing."""
    origin = _allowed_origin(cors, call)
    method = (first(call.headers, b"access-control-request-method") or b"").decode("latin-1")
    methods = cors.allow_methods or ()
    if origin is None or not ("*" in methods or method in methods):
        return []
    headers = _common(cors, origin)
    headers.append((b"Access-Control-Allow-Methods", _joined(methods)))
    if cors.allow_headers:
        headers.append((b"Access-Control-Allow-Headers", _joined(cors.allow_headers)))
    if cors.max_age is not None:
        headers.append((b"Access-Control-Max-Age", str(cors.max_age).encode()))
    return headers


def put_headers(cors: Cors, call: Call, headers: Headers) -> None:
    """Replace an answer's CORS headers by those of the settings."""
    headers[:] = [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]
    origin = _allowed_origin(cors, call)
    if origin is not None:
        headers += _common(cors, origin)
        if cors.expose_headers:
            headers.append((b"Access-Control-Expose-Headers", _joined(cors.expose_headers)))


def _common(cors: Cors, origin: bytes) -> Headers:
    headers = [(b"Access-Control-Allow-Origin", origin)]
    if origin != b"*":
        headers.append((b"Vary", b"Origin"))
    if cors.allow_credentials:
        headers.append((b"Access-Control-Allow-Credentials", b"true"))
    return headers


def _allowed_origin(cors: Cors, call: Call) -> bytes | None:
    """What the answer names as allowed: the caller's origin, or `*` where all are and no credentials go along."""
    origin = first(call.headers, b"origin")
    if origin is None:
        return None
    text = origin.decode("latin-1").lower()
    for allowed in cors.allow_origins or ():
        if allowed == "*":
            return origin if cors.allow_credentials else b"*"
        if fnmatchcase(text, allowed.lower().replace("[", "[[]")):
            return origin
    return None


def _joined(values: Sequence[str]) -> bytes:
    return ",".join(values).encode()
