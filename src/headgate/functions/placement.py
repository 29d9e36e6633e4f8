"""Where a function finds its things, as its processes see them, and the limits that go with the place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from headgate.functions.isolation import Isolation
from headgate.functions.sandbox import (
    LAYERS_ROOT,
    RUNTIME_DIR,
    RUNTIME_ROOT,
    TASK_ROOT,
    TEMPORARY,
    shown_in_temporary,
)
from headgate.model.invocation import FunctionSpec
from headgate.model.value import Value

MAX_PROCESSES: Final = 1024  # Lambda's own limit on processes and threads


class Placement(Value, frozen=True):
    """The paths that hold inside, which in a sandbox are Lambda's own."""

    spec: FunctionSpec  # with the folders that hold inside
    folder: Path  # of the temporary folders: "init" for the import, and one for each environment; or `temporary_mb`
    runtime_dir: Path
    max_processes: int  # 0: not limited
    max_file_bytes: int  # 0: not limited
    temporary_mb: int = 0  # not 0: `folder` itself is the import's, and each environment mounts its own there

    @property
    def temporary_of_import(self) -> Path | None:
        """The folder that TMPDIR names; None where that is not needed."""
        return None if self.temporary_mb else self.folder / "init"

    def temporary_of(self, environment: int) -> Path | None:
        """An environment's own folder; None where it mounts one."""
        return None if self.temporary_mb else self.folder / str(environment)


def place(spec: FunctionSpec, folder: Path, isolation: Isolation, shown: Sequence[str] = ()) -> Placement:
    """The placement of a function; `folder` is its own, outside of a sandbox, and `shown` what one shows for it."""
    if isolation.sandbox is None:
        return Placement(
            spec=spec,
            folder=folder,
            runtime_dir=RUNTIME_DIR,
            # The kernel counts the processes of a user: those of the server's own are not all functions.
            max_processes=0 if isolation.account is None else MAX_PROCESSES,
            max_file_bytes=spec.ephemeral_storage_mb * 1024 * 1024,
        )
    inside = replace(spec, code_dir=TASK_ROOT)
    if spec.layers_dir is not None:
        inside = replace(inside, layers_dir=LAYERS_ROOT)
    mounts = isolation.sandbox.own_temporary and not shown_in_temporary(shown)
    return Placement(
        spec=inside,
        folder=TEMPORARY,
        runtime_dir=RUNTIME_ROOT,
        max_processes=MAX_PROCESSES,
        max_file_bytes=0,
        temporary_mb=spec.ephemeral_storage_mb if mounts else 0,
    )
