"""Links from which code can be fetched without a signature: unguessable, and good for ten minutes.

They stand where Lambda gives presigned URLs of S3. A link is made for one blob and one moment, and holds in the server
that made it: its secret is drawn at the start.
"""

import hashlib
import hmac
import secrets
from typing import Final

from headgate.wire.http import query_pairs

PREFIX: Final = "/_headgate/code/"
VALID_S: Final = 600  # as Lambda's own


class CodeLinks:
    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def path(self, digest: str, now: float) -> str:
        """Path and query for the blob of this name."""
        expires = str(int(now) + VALID_S)
        return f"{PREFIX}{digest}?expires={expires}&token={self._token(digest, expires)}"

    def opened_by(self, path: str, query: str, now: float) -> str | None:
        """The blob that a request may fetch; None where its link was not made here, or is too old."""
        digest = path.removeprefix(PREFIX)
        given = dict(query_pairs(query))
        expires, token = given.get("expires", ""), given.get("token", "")
        if not hmac.compare_digest(token.encode(), self._token(digest, expires).encode()):
            return None
        return digest if now <= int(expires) else None

    def _token(self, digest: str, expires: str) -> str:
        return hmac.new(self._secret, f"{digest} {expires}".encode(), hashlib.sha256).hexdigest()
