"""How a function's runtime is run on this machine: which interpreter or program, and where it is found.

- `python3.N`: the built-in Python runtime, on the interpreter that is named for it, else on `python3.N` of the PATH,
  else on Headgate's own.
- `nodejsN.x`: the bootstrap in `node_runtime/`, on `node`.
- `provided`, `provided.*`, and any function whose code has an executable `bootstrap`: that program.
"""

import asyncio
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headgate.functions.isolation import Isolation, closed_to_others
from headgate.functions.placement import Placement
from headgate.functions.sandbox import NODE_RUNTIME_DIR, RUNTIME_ROOT
from headgate.model.invocation import FunctionSpec
from headgate.model.value import Value

_log = logging.getLogger(__name__)

_BUILT_IN: Final = re.compile(r"python3\.[0-9]+|nodejs[0-9]+\.x")
_OWN: Final = f"python3.{sys.version_info.minor}"
_OLDEST_PYTHON: Final = 9  # python3.9: what the built-in runtime is written for
_PROBE_S: Final = 30.0  # of a busy machine; it takes milliseconds
# What a program may have for itself beyond the function's memory: code that a compiler makes, stacks of threads that
# are hardly touched, the heap's reserve. Node's own share alone is some 50 MB.
_PROGRAM_MEMORY_MB: Final = 192
_PROBE: Final = "import sys; print(sys.executable, sys.prefix, sys.base_prefix, *sys.version_info[:3], sep='\\n')"
_TASK: Final = "{task}"  # where the function sees its code, its layers and the Node.js runtime
_LAYERS: Final = "{layers}"
_NODE_RUNTIME: Final = "{node_runtime}"


class Launch(Value, frozen=True):
    """How the environments of one function version are started."""

    version: str  # as INIT_START names it
    interpreter: str = ""  # of the parent, and of the handler where there is no program; "" is Headgate's own
    program: tuple[str, ...] = ()  # what each environment becomes, by exec; it speaks the Runtime API
    shown: tuple[str, ...] = ()  # folders that a sandbox shows for it, beside those that it always shows
    extra_memory_mb: int = 0  # beyond the function's own

    @property
    def is_plain(self) -> bool:
        """Whether any parent will do."""
        return not self.interpreter and not self.shown

    def program_at(self, placement: Placement, *, sandboxed: bool) -> list[str]:
        """The program's command line, with the paths that hold where it runs."""
        node_runtime = RUNTIME_ROOT / NODE_RUNTIME_DIR.name if sandboxed else NODE_RUNTIME_DIR
        spec = placement.spec
        paths = {_TASK: spec.code_dir, _LAYERS: spec.layers_dir or "", _NODE_RUNTIME: node_runtime}
        command = list(self.program)
        for sign, path in paths.items():
            command = [part.replace(sign, str(path)) for part in command]
        return command


class Runtimes:
    """The runtimes of one server. `interpreters` maps runtimes, such as `python3.12`, to programs."""

    def __init__(self, interpreters: Mapping[str, str] | None = None, isolation: Isolation | None = None) -> None:
        self._interpreters = interpreters or {}
        # Functions may be another user's, who sees what a sandbox shows, or else what all may read.
        self._must_be_open = isolation is not None and isolation.account is not None and isolation.sandbox is None
        self._told: set[str] = set()
        self._asking: dict[str, asyncio.Future[_Interpreter | str]] = {}  # interpreters, by how they are called

    def supports(self, runtime: str) -> bool:
        """Whether functions of this runtime can run here, given that what they need is installed."""
        return _BUILT_IN.fullmatch(runtime) is not None or is_provided(runtime)

    def missing(self, runtime: str) -> str:
        """What has to be installed before a supported runtime can run; "" when nothing has."""
        if not runtime.startswith("nodejs") or self._node(runtime):
            return ""
        return (
            "there is no program node on the server's PATH; install Node.js (https://nodejs.org, or the package nodejs "
            f'of your system), or name it in headgate.toml: [interpreters] then "{runtime}" = "/path/to/node"'
        )

    async def launch(self, spec: FunctionSpec) -> Launch:
        """How this version is started. Asks an interpreter for its version, away from the event loop, and once."""
        if is_provided(spec.runtime) or _has_bootstrap(spec.code_dir):
            in_layers = not _has_bootstrap(spec.code_dir) and _has_bootstrap(spec.layers_dir)
            return Launch(
                version=spec.runtime,
                program=(f"{_LAYERS if in_layers else _TASK}/bootstrap",),
                extra_memory_mb=_PROGRAM_MEMORY_MB,
            )
        if spec.runtime.startswith("nodejs"):
            return self._node_launch(spec)
        return await self._python_launch(spec)

    def _node_launch(self, spec: FunctionSpec) -> Launch:
        # Of the function's memory, the shares that Lambda gives to the two parts of the heap.
        heap = (f"--max-old-space-size={spec.memory_mb * 9 // 10}", f"--max-semi-space-size={spec.memory_mb // 20}")
        node = os.path.realpath(self._node(spec.runtime) or "node")
        return Launch(
            version=spec.runtime,
            program=(node, *heap, f"{_NODE_RUNTIME}/bootstrap.mjs"),
            shown=_outside_the_system(str(Path(node).parent)),
            extra_memory_mb=_PROGRAM_MEMORY_MB,
        )

    async def _python_launch(self, spec: FunctionSpec) -> Launch:
        named = self._interpreters.get(spec.runtime)
        path = named or (None if spec.runtime == _OWN else shutil.which(spec.runtime))
        why = f"there is no {spec.runtime} on the PATH and [interpreters] names none"
        if path is not None:
            found = await self._asked(path)
            if isinstance(found, str):
                why = f"{path} {found}"
            elif found.minor < _OLDEST_PYTHON:
                why = f"{path} is Python {found.version}, older than 3.{_OLDEST_PYTHON}"
            elif named is None and f"python3.{found.minor}" != spec.runtime:
                why = f"{path} is Python {found.version}"
            elif self._must_be_open and (closed := closed_to_others(found.executable)) is not None:
                why = f"functions' user may not read {closed}, where {path} is"
            else:
                return Launch(
                    version=f"python:{found.version}",
                    interpreter=found.executable,
                    shown=_outside_the_system(*found.prefixes),
                )
        if spec.runtime != _OWN and spec.arn not in self._told:
            self._told.add(spec.arn)
            _log.info("%s: %s, so it runs on Headgate's own Python %s", spec.arn, why, platform.python_version())
        return Launch(version=f"python:{platform.python_version()}")

    async def _asked(self, path: str) -> "_Interpreter | str":
        """What is behind a name, or why it is of no use: asked once, as it starts an interpreter."""
        asking = self._asking.get(path)
        if asking is None:
            asking = self._asking[path] = asyncio.ensure_future(asyncio.to_thread(_ask_version, path))
        try:
            return await asyncio.shield(asking)
        except (OSError, subprocess.TimeoutExpired) as error:
            self._asking.pop(path, None)  # the machine was too busy, or it comes yet: asked again the next time
            return f"cannot be run: {error}"

    def _node(self, runtime: str) -> str | None:
        return shutil.which(self._interpreters.get(runtime, "node"))


class _Interpreter(Value, frozen=True):
    executable: str
    prefixes: tuple[str, ...]  # the folders with its library
    version: str
    minor: int


def is_provided(runtime: str) -> bool:
    """Whether the function brings its own program."""
    return runtime == "provided" or runtime.startswith("provided.")


def _outside_the_system(*folders: str) -> tuple[str, ...]:
    """Those that a sandbox does not show anyhow."""
    return tuple(folder for folder in folders if not Path(folder).is_relative_to("/usr"))


def _has_bootstrap(folder: Path | None) -> bool:
    if folder is None:
        return False
    bootstrap = folder / "bootstrap"
    return bootstrap.is_file() and os.access(bootstrap, os.X_OK)


def _ask_version(path: str) -> _Interpreter | str:
    """What is behind a name, which may be a script that only finds the interpreter; or why it is of no use.

    Raises OSError and subprocess.TimeoutExpired.
    """
    done = subprocess.run(
        [path, "-I", "-S", "-c", _PROBE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PROBE_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 6 or lines[3] != "3":
        return f"is no Python 3: it ends with status {done.returncode}"
    return _Interpreter(
        executable=lines[0], prefixes=tuple(lines[1:3]), version=".".join(lines[3:]), minor=int(lines[4])
    )
