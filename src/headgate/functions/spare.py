"""A started interpreter in store, so that the next new function's first call does not wait for one.

In a sandbox it begins with an empty folder at /var/task. Nothing can be mounted there later, but the folder itself can
be filled from outside: with hard links to the function's code, where that has few files. A function with many, with
layers or with storage of another size starts a sandbox of its own.
"""

import os
from pathlib import Path
from typing import Final

from headgate.functions.isolation import Isolation
from headgate.functions.parent import Parent
from headgate.functions.parent_command import ParentCommand
from headgate.functions.sandbox import DEFAULT_STORAGE_MB
from headgate.model.invocation import FunctionSpec

MOST_ENTRIES: Final = 200  # files and folders; some 5 ms


class Spare:
    """One interpreter. `home` is a folder of its own, which its owner removes."""

    def __init__(self, isolation: Isolation, home: Path) -> None:
        self.home = home
        self._sandboxed = isolation.sandbox is not None
        self._task = home / "task"
        if self._sandboxed:
            self._task.mkdir()
            self._task.chmod(0o755)  # whatever the umask: it is read by the function's user
        self.parent = Parent(ParentCommand(isolation, self._task))

    def serves(self, spec: FunctionSpec) -> bool:
        """Whether it is the function's parent from now on. One that does not serve may serve another function."""
        if self.parent.ended:
            return False
        if not self._sandboxed:
            return True
        if spec.ephemeral_storage_mb != DEFAULT_STORAGE_MB or spec.layers_dir is not None:
            return False
        entries = _few_entries(spec.code_dir)
        if entries is None:
            return False
        try:
            for path, is_folder in entries:
                target = self._task / path.relative_to(spec.code_dir)
                if is_folder:
                    target.mkdir()
                    target.chmod(0o755)
                else:
                    os.link(path, target)
        except OSError:  # such as another file system
            self.parent.kill()  # it is of no use to others with a part of this function's code
            return False
        return True


def _few_entries(folder: Path) -> list[tuple[Path, bool]] | None:
    """What is below a folder, with whether it is a folder itself, which then comes before what is in it.

    None when there are too many, or one is neither a file nor a folder.
    """
    found: list[tuple[Path, bool]] = []
    folders = [folder]
    for each in folders:
        with os.scandir(each) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if len(found) == MOST_ENTRIES or not (is_folder or entry.is_file(follow_symlinks=False)):
                    return None
                found.append((Path(entry.path), is_folder))
                if is_folder:
                    folders.append(Path(entry.path))
    return found
