"""Code that no function or layer version refers to any more: deleted from the store, and from disk."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from headgate.control.function_code import folders_of
from headgate.functions.bundle import discard
from headgate.model.function import FunctionVersion
from headgate.model.layer import LayerVersion
from headgate.store.transaction import Transaction

COLLECT_EVERY_S: Final = 600.0
_GOING: Final = ".old-"  # begins the name of a folder that is being removed


def delete_old_code(tx: Transaction) -> frozenset[str]:
    """Delete the zips that nothing refers to. Gives the names of the folders that are left: digests, in hexadecimal.

    A layer version that was deleted stays for as long as a function version uses it.
    """
    in_use = {name for version in tx.list(FunctionVersion) for name in folders_of(version)}
    in_use.update(layer.code_digest for layer in tx.list(LayerVersion))
    tx.keep_blobs(in_use)
    return frozenset(in_use)


class OldFolders:
    """What was unpacked of old code, below one folder."""

    def __init__(self, code_root: Path) -> None:
        self._root = code_root
        self._unused: AbstractSet[str] = frozenset()  # at the last look

    def __repr__(self) -> str:
        return f"<OldFolders of {self._root}, {len(self._unused)} unused>"

    def discard_all(self, in_use: AbstractSet[str]) -> None:
        """Remove all but these. Blocks; at a start only, when nothing runs and nothing is being unpacked."""
        if self._root.is_dir():
            for folder in self._root.iterdir():
                if folder.name not in in_use:
                    discard(folder)

    async def discard_unused(self, stored: AbstractSet[str], at_work: Callable[[], AbstractSet[str]]) -> None:
        """Remove what neither the store refers to nor functions at work use, now and at the last look.

        Twice, as a request that began before a change may still call what was changed. Between asking what is at work
        and taking a folder's name away nothing else runs; so whoever wants the same code again unpacks it anew.
        """
        names = await asyncio.to_thread(self._names)
        unused = names - stored - at_work()
        going = [(self._root / name).rename(self._root / (_GOING + name)) for name in unused & self._unused]
        self._unused = unused
        for folder in going:
            await asyncio.to_thread(discard, folder)

    def _names(self) -> set[str]:
        """Of the folders that are whole."""
        return {each.name for each in self._root.iterdir() if each.name[0] != "."} if self._root.is_dir() else set()
