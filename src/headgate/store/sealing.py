"""What is secret in a document goes into the database as ciphertext only: AES-256-GCM, a new nonce each time.

Sealed are a function version's environment variables and the fingerprint made of them. A document's own key is
authenticated with its ciphertext, so that none can be put in another's place. A document from before there was a key is
plain, and is read as it is until it is written again.
"""

import base64
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from headgate.model.function import Environment, FunctionRecord, FunctionVersion
from headgate.model.value import Value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SEALED: Final = ""  # no variable has this name, so what stands under it is the ciphertext of all of them
_PREFIX: Final = "sealed:"
_NONCE_BYTES: Final = 12


class Sealing(Protocol):
    def seal(self, value: Value, key: str) -> Value:
        """The document as it is stored under this key."""
        ...

    def unseal(self, value: Any, key: str) -> Any:
        """The document as it was before `seal`."""
        ...


class Plain:
    """Seals nothing: for a store whose documents leave no process."""

    def seal(self, value: Value, _key: str) -> Value:
        return value

    def unseal(self, value: Any, _key: str) -> Any:
        return value


class Sealed:
    """Seals with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "<Sealed>"  # without the key

    def seal(self, value: Value, key: str) -> Value:
        if isinstance(value, FunctionVersion) and value.environment is not None and value.environment.variables:
            plain = msgspec.json.encode(value.environment.variables)
            return replace(value, environment=Environment(variables={_SEALED: self._encrypted(plain, key)}))
        if isinstance(value, FunctionRecord) and value.published_fingerprint:
            # A digest of the variables: whoever can guess them could tell from it whether the guess is right.
            sealed = self._encrypted(value.published_fingerprint.encode(), key)
            return replace(value, published_fingerprint=_PREFIX + sealed)
        return value

    def unseal(self, value: Any, key: str) -> Any:
        if isinstance(value, FunctionVersion) and value.environment is not None:
            sealed = value.environment.variables.get(_SEALED)
            if sealed is not None:
                plain = msgspec.json.decode(self._decrypted(sealed, key), type=dict[str, str])
                return replace(value, environment=Environment(variables=plain))
        elif isinstance(value, FunctionRecord) and value.published_fingerprint.startswith(_PREFIX):
            plain_text = self._decrypted(value.published_fingerprint.removeprefix(_PREFIX), key).decode()
            return replace(value, published_fingerprint=plain_text)
        return value

    def _encrypted(self, plain: bytes, key: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, plain, key.encode())).decode()

    def _decrypted(self, sealed: str, key: str) -> bytes:
        raw = base64.b64decode(sealed)
        return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], key.encode())

    @cached_property
    def _cipher(self) -> "AESGCM":
        # Imported when first needed: a start without secrets then pays neither its 14 ms nor its 6 MB.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key)
