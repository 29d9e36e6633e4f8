"""Code that no function version refers to any more: deleted from the store, and from disk at the next start."""

from pathlib import Path
from typing import Final

from headgate.functions.bundle import discard
from headgate.model.function import FunctionVersion
from headgate.store.transaction import Transaction

COLLECT_EVERY_S: Final = 3600.0


def delete_old_code(tx: Transaction) -> frozenset[str]:
    """Delete the zips that no version refers to. Gives the digests that are left, in hexadecimal."""
    in_use = frozenset(version.code_digest for version in tx.list(FunctionVersion))
    tx.keep_blobs(in_use)
    return in_use


def discard_old_folders(code_root: Path, in_use: frozenset[str]) -> None:
    """Remove what was unpacked of other code. Only at a start: an environment that drains may still import from it."""
    if code_root.is_dir():
        for folder in code_root.iterdir():
            if folder.name not in in_use:
                discard(folder)
