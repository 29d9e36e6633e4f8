"""Whether a call is signed with a known key: Signature Version 4, in the Authorization header.

The canonical request is the one of the IAM User Guide ("Create a signed AWS API request"): the path as sent and encoded
once more, the query sorted, the signed headers trimmed. The body's hash is always the body's own, whatever a header
says of it, so a body that was changed on the way is refused. Signatures in a query string are not read.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from headgate.model.call import Call

MAX_SKEW_S: Final = 300.0  # between the client's clock and ours, as AWS allows
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
    r"\s*,\s*SignedHeaders=(?P<headers>[a-z0-9;_.-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


def verifier(access_key: str, secret_key: str, service: str) -> Callable[[Call, str], str | None]:
    """A check that knows one pair of keys; with none ("") it knows nobody.

    It gives the access key of a call that is rightly signed for a region, None for any other.
    """

    def verify(call: Call, region: str) -> str | None:
        return (
            access_key
            if access_key and secret_key and is_signed(call, access_key, secret_key, region, service)
            else None
        )

    return verify


def is_signed(call: Call, access_key: str, secret_key: str, region: str, service: str) -> bool:
    values: dict[str, list[str]] = {}
    for name, value in call.headers:
        values.setdefault(name.lower().decode("latin-1"), []).append(value.decode("latin-1"))
    found = _AUTHORIZATION.fullmatch(",".join(values.get("authorization", ())).strip())
    date = "".join(values.get("x-amz-date", ()))
    if found is None or (found["key"], found["region"], found["service"]) != (access_key, region, service):
        return False
    signed = found["headers"].split(";")
    # What is not signed could have been changed: the date and the host at least have to be.
    if not {"host", "x-amz-date"}.issubset(signed) or not all(name in values for name in signed):
        return False
    if not date.startswith(found["date"]) or not _is_recent(date, call.received_at):
        return False
    payload_hash = hashlib.sha256(call.body).hexdigest()
    if "".join(values.get("x-amz-content-sha256", (payload_hash,))) != payload_hash:
        return False
    canonical = "\n".join(
        (
            call.method,
            quote(call.path, safe="/~"),
            _canonical_query(call.query),
            *(f"{name}:{','.join(_trimmed(value) for value in values[name])}" for name in signed),
            "",
            found["headers"],
            payload_hash,
        )
    )
    scope = f"{found['date']}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (found["date"], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, found["signature"])


def _is_recent(date: str, now: float) -> bool:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return False
    return abs(now - signed_at) <= MAX_SKEW_S


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    return "&".join(f"{name}={value}" for name, _, value in sorted(pairs, key=lambda pair: (pair[0], pair[2])))


def _trimmed(value: str) -> str:
    return " ".join(value.split())
