"""How a warmed parent is started, and what it is told first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from headgate.functions.isolation import Isolation
from headgate.functions.sandbox import DEFAULT_STORAGE_MB, RUNTIME_DIR, RUNTIME_ROOT
from headgate.model.invocation import FunctionSpec

# By its path, not as `headgate.functions...`: the process imports nothing of the server's package.
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, {root!r}); import python_runtime.main; "
    "del sys.path[0]; python_runtime.main.main({fd})"
)
_NOWHERE: Final = Path("/nowhere")


class ParentCommand:
    """How a parent is started: the interpreter by itself, or in a sandbox, which shows what it shows from then on."""

    def __init__(
        self,
        isolation: Isolation,
        code_dir: Path = _NOWHERE,
        layers_dir: Path | None = None,
        storage_mb: int = DEFAULT_STORAGE_MB,
        interpreter: str = "",
        shown: Sequence[str] = (),
    ) -> None:
        self._isolation = isolation
        self._code_dir = code_dir
        self._layers_dir = layers_dir
        self._storage_mb = storage_mb
        self._python = interpreter or isolation.python
        self._shown = shown

    @classmethod
    def of(cls, spec: FunctionSpec, isolation: Isolation, interpreter: str, shown: Sequence[str]) -> "ParentCommand":
        """For one function, on this interpreter ("" is Headgate's own), with these folders to be seen in a sandbox."""
        return cls(isolation, spec.code_dir, spec.layers_dir, spec.ephemeral_storage_mb, interpreter, shown)

    @property
    def sandboxed(self) -> bool:
        return self._isolation.sandbox is not None

    def with_control(self, fd: int) -> Sequence[str]:
        """The command line, for a control socket with this descriptor."""
        isolation = self._isolation
        root = RUNTIME_DIR.parent if isolation.sandbox is None else RUNTIME_ROOT
        program = _PROGRAM.format(root=str(root), fd=fd)
        python = [self._python, "-I", "-S", "-X", "utf8", "-c", program]
        if isolation.sandbox is None:
            return python
        return isolation.sandbox.command(
            python,
            code_dir=self._code_dir,
            layers_dir=self._layers_dir,
            storage_mb=self._storage_mb,
            switches_user=isolation.account is not None,
            shown=self._shown,
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame: all that the process needs to know."""

    code_dir: str
    handler: str
    memory_mb: int
    import_first: bool
    variables: dict[str, str]
    folder: str  # holds the temporary folders, or is where they are mounted; it is removed with the process
    site_packages: list[str]
    layer_paths: list[str]  # on `sys.path` after the code
    server_pid: int  # 0 in a sandbox, where it has none
    user: tuple[int, int] | None = None  # user and group to become, of a server that runs as root
    max_processes: int = 0  # of its user, or of its sandbox; 0 where neither is its own
    max_file_bytes: int = 0  # 0 where the temporary folder has a size
    temporary_mb: int = 0  # of what each environment mounts at `folder`; 0 where it has a folder below that
    program: list[str] = []  # what environments become by exec; empty for the built-in runtime
