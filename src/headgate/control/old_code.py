"""Code that no function or layer version refers to any more: deleted from the store; at the next start, from disk."""

from pathlib import Path
from typing import Final

from headgate.functions.bundle import discard
from headgate.functions.layers import merged_name
from headgate.model.function import FunctionVersion
from headgate.model.layer import LayerVersion
from headgate.store.transaction import Transaction

COLLECT_EVERY_S: Final = 3600.0


def delete_old_code(tx: Transaction) -> frozenset[str]:
    """Delete the zips that nothing refers to. Gives the names of the folders that are left: digests, in hexadecimal.

    A layer version that was deleted stays for as long as a function version uses it.
    """
    versions = tx.list(FunctionVersion)
    in_use = {version.code_digest for version in versions}
    in_use.update(digest for version in versions for digest in version.layer_digests)
    in_use.update(layer.code_digest for layer in tx.list(LayerVersion))
    tx.keep_blobs(in_use)
    return frozenset(in_use | {merged_name(version.layer_digests) for version in versions if version.layers})


def discard_old_folders(code_root: Path, in_use: frozenset[str]) -> None:
    """Remove what was unpacked of other code. Only at a start: an environment that drains may still import from it."""
    if code_root.is_dir():
        for folder in code_root.iterdir():
            if folder.name not in in_use:
                discard(folder)
