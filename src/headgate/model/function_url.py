"""A function URL: an HTTP address of a function or of one of its aliases."""

import secrets
from typing import Final

from headgate.model.arn import FunctionRef
from headgate.model.value import Value

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH: Final = 32

RESPONSE_STREAM: Final = "RESPONSE_STREAM"


class Cors(Value, frozen=True, rename="pascal"):
    """What a browser may do with it; None where it was not said."""

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] | None = None
    allow_methods: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age: int | None = None  # seconds


class FunctionUrl(Value, frozen=True):
    url_id: str
    function: FunctionRef  # its qualifier is "" or an alias
    auth_type: str  # NONE or AWS_IAM
    created: str  # 2024-10-10T13:55:36.123456Z
    modified: str
    cors: Cors | None = None
    invoke_mode: str = "BUFFERED"  # or RESPONSE_STREAM


def new_url_id() -> str:
    """32 lower-case letters and digits, which also make a valid host label. It is not meant to be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
