"""Code signing configurations: whose signatures code is to have. Kept and shown; no signature is checked."""

import secrets
from collections.abc import Mapping
from typing import Final

from headgate.model.value import Value

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class CodeSigningConfig(Value, frozen=True):
    id: str
    account_id: str
    region: str
    publishers: tuple[str, ...]  # ARNs of signing profile versions
    last_modified: str  # 2024-10-10T13:55:36.000+0000
    description: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:code-signing-config:{self.id}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account_id, self.region, self.id


def new_code_signing_id() -> str:
    return "csc-" + "".join(secrets.choice(_ALPHABET) for _ in range(17))
