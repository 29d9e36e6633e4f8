"""The key that seals what is secret at rest: found, or made at the first start, and held against the data folder.

It comes from HEADGATE_KEY, else from the file that `key_file` names, else from `key` in the data folder. Only that last
one is ever made here, and only for a data folder that was never sealed: with a new key, what is there could not be
read any more, and with a wrong one new secrets would be lost to the right one.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from headgate.model.key_check import KeyCheck
from headgate.store.folder import DataFolderError
from headgate.store.transaction import Transaction

KEY_BYTES: Final = 32  # AES-256
KEY_FILE: Final = "key"  # in the data folder
_FORMS: Final = "give 32 bytes, in base64 or as 64 hexadecimal digits (openssl rand -base64 32)"


def find_key(tx: Transaction, folder: Path, given: str, key_file: Path | None) -> bytes:
    """The key, held against what the folder was sealed with; the first one is proved in the transaction.

    `given` is HEADGATE_KEY, "" for none. Raises DataFolderError.
    """
    check = tx.get(KeyCheck)
    if given:
        key, source = _read(given, "HEADGATE_KEY"), "HEADGATE_KEY"
    elif key_file is not None:
        key, source = _read_file(key_file), f"the key file {key_file}"
    elif (own := folder / KEY_FILE).exists():
        key, source = _read_file(own), f"the key file {own}"
    elif check is None:
        key, source = _made(own), f"the key file {own}"
    else:
        raise DataFolderError(
            f"the key {own} is missing, and the environment variables of functions are encrypted with it; "
            "put it back, or give it by HEADGATE_KEY or key_file"
        )
    proof = hmac.new(key, b"headgate key check", hashlib.sha256).hexdigest()
    if check is None:
        tx.put(KeyCheck(proof=proof))
    elif not hmac.compare_digest(check.proof, proof):
        raise DataFolderError(
            f"{source} is not the key that the data folder {folder} was encrypted with; give that one by HEADGATE_KEY "
            "or key_file"
        )
    return key


def _read_file(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise DataFolderError(f"cannot read the key file {path}: {why}; {_FORMS}") from error
    return _read(text, f"the key file {path}")


def _read(text: str, source: str) -> bytes:
    """The text is a secret, so no error shows it."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise DataFolderError(f"{source} holds no key: {_FORMS}")
    return key


def _made(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())  # before anything that it seals
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
