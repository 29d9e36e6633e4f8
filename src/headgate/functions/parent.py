"""The server's side of a warmed parent: starts the process, has it fork environments, notices its end."""

import array
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final, Protocol

import msgspec

from headgate.functions.python_runtime import frames

RUNTIME_DIR: Final = Path(__file__).parent / "python_runtime"

# By its path, not as `headgate.functions...`: the process imports nothing of the server's package.
# Where the server's own dependencies are, boto3 among them when it is installed.
SITE_PACKAGES: Final = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

_PROGRAM: Final = (
    f"import sys; sys.path.insert(0, {str(RUNTIME_DIR.parent)!r}); import python_runtime.main; "
    "del sys.path[0]; python_runtime.main.main(%d)"
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame: all that the process needs to know."""

    code_dir: str
    handler: str
    memory_mb: int
    import_first: bool
    variables: dict[str, str]
    folder: str  # holds its environments' temporary folders, and is removed with the process
    site_packages: list[str]
    server_pid: int
    program: list[str] = []  # what environments become by exec; empty for the built-in runtime


class ParentOwner(Protocol):
    """Whom a parent tells what happens to it."""

    def parent_ready(self) -> None: ...

    def parent_unforkable(self, why: str) -> None: ...

    def parent_failed(self, error_document: bytes) -> None:
        """The import failed; the process ends."""
        ...

    def parent_output(self, output: bytes) -> None:
        """The import printed something."""
        ...

    def parent_ended(self, parent: "Parent", exit_code: int) -> None:
        """The process is gone, with or without reason; `exit_code` as subprocess has it."""
        ...

    def environment_exited(self, number: int, wait_status: int) -> None: ...


class Parent:
    """One process. Made without an owner and not yet anybody's parent, so that one can be kept in store."""

    def __init__(self, interpreter: str = sys.executable) -> None:
        self._loop = asyncio.get_running_loop()
        self._control, theirs = socket.socketpair()
        output, their_output = os.pipe()
        try:
            self._process = subprocess.Popen(
                [interpreter, "-I", "-S", "-X", "utf8", "-c", _PROGRAM % theirs.fileno()],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=their_output,
                stderr=their_output,
                env={},
                cwd="/",
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(their_output)
        self._control.setblocking(False)
        os.set_blocking(output, False)
        self._output: int | None = output
        self._reader = frames.FrameReader()
        self._owner: ParentOwner | None = None
        self._pids: dict[int, int | None] = {}  # of environments that live; None until the process says it
        self._doomed: set[int] = set()  # environments to be killed as soon as their process id is known
        self._ended = self._loop.create_future()
        self._exit_fd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._exit_fd, self._on_exit)
        self._loop.add_reader(self._control.fileno(), self._on_control)
        self._loop.add_reader(output, self._on_output)

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._ended.done()

    def __repr__(self) -> str:
        return f"<Parent {self._process.pid} with environments {sorted(self._pids)}>"

    def become(self, owner: ParentOwner, settings: Settings) -> None:
        """Have it become the parent of a function: import the handler, then say that it is ready."""
        self._owner = owner
        self._send(frames.frame(frames.SETTINGS, msgspec.json.encode(settings)), [])

    def fork(
        self, number: int, stream: str, folder: Path, socket_fd: int, output_fd: int, runtime_api: str = ""
    ) -> None:
        """Have it fork an environment with these two descriptors, which the caller closes after this."""
        self._pids[number] = None
        asked = json.dumps(
            {"number": number, "stream": stream, "folder": str(folder), "runtime_api": runtime_api}
        ).encode()
        self._send(frames.frame(frames.FORK, asked), [socket_fd, output_fd])

    def kill_environment(self, number: int) -> None:
        """Kill an environment and its process group. No effect on one that is gone."""
        if number not in self._pids:
            return
        pid = self._pids[number]
        if pid is None:
            self._doomed.add(number)
            return
        # The number cannot be another's: it is this process's until the parent has reaped it, which it says at once.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.killpg(pid, signal.SIGKILL)  # fails where it had no time yet to become a group's leader

    def peak_memory_mb(self, number: int) -> int:
        """The most memory that a living environment has used; 0 for one that is gone."""
        try:
            status = Path(f"/proc/{self._pids[number]}/status").read_text()
        except (KeyError, OSError):
            return 0
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return 0

    def drain_output(self) -> None:
        """Read what the import has printed so far."""
        while self._output is not None and self._on_output():
            pass

    def kill(self) -> None:
        """End the process now. Its environments end with it; those that have left their group may not."""
        if self._process.returncode is None:
            self._process.kill()

    async def close(self, deadline_s: float) -> None:
        """End the process and all its descendants; kill it when that takes longer."""
        self.hang_up()
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), deadline_s)
        except TimeoutError:
            self.kill()
            await self._ended

    def hang_up(self) -> None:
        """End the process and all its descendants, soon."""
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()

    def _send(self, message: bytes, fds: list[int]) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self._control.sendmsg([message], ancillary)
        except OSError:
            sent = 0  # it is gone, or has stopped reading: messages are short and it reads at once
        if sent < len(message):
            self.kill()

    def _on_control(self) -> bool:
        """Read what is there once. False when there is nothing."""
        try:
            received = self._control.recv(65_536)
            messages = self._reader.feed(received)
        except BlockingIOError:
            return False
        except (OSError, frames.FrameError):
            received, messages = b"", []
        if not received:
            # Its end follows. A process that only closed the socket is of no more use.
            self.hang_up()
            self.kill()
            return False
        for kind, payload in messages:
            self._on_message(kind, payload)
        return True

    def _on_message(self, kind: int, payload: bytes) -> None:
        owner = self._owner
        if owner is None:
            self.kill()
            return
        match kind:
            case frames.READY:
                self._stop_output()
                owner.parent_ready()
            case frames.UNFORKABLE:
                self._stop_output()
                owner.parent_unforkable(payload.decode("utf-8", "replace"))
            case frames.INIT_ERROR:
                self._stop_output()
                owner.parent_failed(payload)
            case frames.FORKED:
                number, pid = frames.NUMBER_AND_VALUE.unpack(payload)
                self._pids[number] = pid
                if number in self._doomed:
                    self._doomed.discard(number)
                    self.kill_environment(number)
            case frames.EXITED:
                number, status = frames.NUMBER_AND_VALUE.unpack(payload)
                self._pids.pop(number, None)
                self._doomed.discard(number)
                owner.environment_exited(number, status)
            case _:
                self.kill()

    def _on_output(self) -> bool:
        if self._output is None:
            return False
        try:
            output = os.read(self._output, 65_536)
        except BlockingIOError:
            return False
        if not output:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = None
            return False
        if self._owner is not None:
            self._owner.parent_output(output)
        return True

    def _stop_output(self) -> None:
        self.drain_output()
        if self._output is not None:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = None

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._exit_fd)
        os.close(self._exit_fd)
        exit_code = self._process.wait()  # it has ended, so this does not wait
        while self._control.fileno() >= 0 and self._on_control():
            pass  # its last words
        self.hang_up()
        self._stop_output()
        for number in list(self._pids):
            # The kernel has killed each with its parent, but not what they started.
            self.kill_environment(number)
        self._pids.clear()
        self._ended.set_result(None)
        if self._owner is not None:
            self._owner.parent_ended(self, exit_code)
