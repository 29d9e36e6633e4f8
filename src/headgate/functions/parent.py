"""The server's side of a warmed parent: starts the process, has it fork environments, notices its end."""

import array
import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from headgate.functions.parent_command import ParentCommand, Settings
from headgate.functions.python_runtime import frames

_SIGNALLED: Final = 128  # what bubblewrap adds to the number of the signal that ended its program
_ENDED: Final = -1  # what /proc says in place of a process id
_MOST_DESCRIPTORS: Final = 16  # with one message of the process; it sends one


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

    def environment_exited(self, number: int, wait_status: int, peak_kib: int) -> None:
        """An environment ended; `peak_kib` is the most memory that its process used."""
        ...


class Parent:
    """One process. Made without an owner and not yet anybody's parent, so that one can be kept in store."""

    def __init__(self, command: ParentCommand) -> None:
        """Raises OSError where no process can be started."""
        self._loop = asyncio.get_running_loop()
        self._sandboxed = command.sandboxed
        self._control, theirs = socket.socketpair()
        try:
            output, their_output = os.pipe()
        except OSError:
            self._control.close()
            theirs.close()
            raise
        try:
            self._process = subprocess.Popen(
                command.with_control(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=their_output,
                stderr=their_output,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            self._control.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(their_output)
        self._control.setblocking(False)
        os.set_blocking(output, False)
        self._output: int | None = output
        self._reader = frames.FrameReader()
        self._owner: ParentOwner | None = None
        self._main_fd: int | None = None  # the process itself, where the one that was started is bubblewrap
        self._children: dict[int, _Child | None] = {}  # environments that live; None until the process says it
        self._passed: deque[int] = deque()  # descriptors that came with messages not yet read
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
        return f"<Parent {self._process.pid} with environments {sorted(self._children)}>"

    def become(self, owner: ParentOwner, settings: Settings) -> None:
        """Have it become the parent of a function: import the handler, then say that it is ready."""
        self._owner = owner
        self._send(frames.frame(frames.SETTINGS, msgspec.json.encode(settings)), [])

    def fork(self, number: int, stream: str, folder: Path | None, socket_fd: int, output_fd: int) -> None:
        """Have it fork an environment with these two descriptors, which the caller closes after this.

        `folder` is its temporary folder; None where it mounts its own.
        """
        self._children[number] = None
        asked = json.dumps({"number": number, "stream": stream, "folder": str(folder or "")}).encode()
        self._send(frames.frame(frames.FORK, asked), [socket_fd, output_fd])

    def kill_environment(self, number: int) -> None:
        """Kill an environment and its process group. No effect on one that is gone."""
        if number not in self._children:
            return
        child = self._children[number]
        if child is None:
            self._doomed.add(number)
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(child.fd, signal.SIGKILL)
            # The number cannot be another's: it is its own until the parent has reaped it, which it says at once.
            os.killpg(child.pid, signal.SIGKILL)  # fails where it had no time yet to become a group's leader

    def is_running(self, number: int) -> bool:
        """Whether an environment runs or waits for a core; one that is not there yet is counted as if it did."""
        child = self._children.get(number)
        if child is None:
            return number in self._children
        try:
            status = Path(f"/proc/{child.pid}/stat").read_bytes()
        except OSError:
            return False
        return status[status.rindex(b")") + 2 :].startswith(b"R")

    def peak_memory_mb(self, number: int) -> int:
        """The most memory that a living environment has used; 0 for one that is gone."""
        child = self._children.get(number)
        if child is None:
            return 0
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
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
            self._kill_main()
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
            received, fds, _, _ = socket.recv_fds(self._control, 65_536, _MOST_DESCRIPTORS)
            self._passed += fds
            messages = self._reader.feed(received)
        except BlockingIOError:
            return False
        except (OSError, frames.FrameError):
            received, messages = b"", []
        if not received:
            # Its end follows. A process that only closed the socket is of no more use.
            self.hang_up()
            if self._sandboxed:
                self._kill_main()  # bubblewrap then ends by itself, and says how the process ended
            else:
                self.kill()
            return False
        try:
            for kind, payload in messages:
                self._on_message(kind, payload)
        except struct.error:  # the function's code has got hold of the socket
            self.kill()
        self._close_passed()  # what came with no message is no use
        return True

    def _on_message(self, kind: int, payload: bytes) -> None:
        owner = self._owner
        if owner is None:
            self.kill()
            return
        match kind:
            case frames.READY:
                self._stop_output()
                if self._sandboxed and self._main_fd is None:
                    self._main_fd = next((os.pidfd_open(pid) for pid in self._main_pids()), None)
                owner.parent_ready()
            case frames.UNFORKABLE:
                self._stop_output()
                owner.parent_unforkable(payload.decode("utf-8", "replace"))
            case frames.INIT_ERROR:
                self._stop_output()
                owner.parent_failed(payload)
            case frames.FORKED:
                number, _ = frames.NUMBER_AND_PROCESS.unpack(payload)
                self._adopt(number)
                if number in self._doomed:
                    self._doomed.discard(number)
                    self.kill_environment(number)
            case frames.EXITED:
                number, status, peak_kib = frames.END.unpack(payload)
                self._forget(number)
                owner.environment_exited(number, status, peak_kib)
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
        for number in list(self._children):
            # The kernel has killed each with its parent, but not what they started.
            self.kill_environment(number)
            self._forget(number)
        if self._main_fd is not None:
            # Ended already, but where a function kept process 1 from ending with bubblewrap.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._main_fd, signal.SIGKILL)
            os.close(self._main_fd)
        self._close_passed()
        self._ended.set_result(None)
        if self._owner is not None:
            if self._sandboxed and exit_code > _SIGNALLED:
                exit_code = _SIGNALLED - exit_code
            self._owner.parent_ended(self, exit_code)

    def _kill_main(self) -> None:
        """In a sandbox kill process 1, with which all others end."""
        for pid in self._main_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _main_pids(self) -> list[int]:
        """The process id of the program, where it runs and is not what was started but in it; at most one."""
        if not self._sandboxed:
            return []
        pid = self._process.pid
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def _adopt(self, number: int) -> None:
        """Know an environment's process, by the descriptor of it that came with the message.

        Not by the number that the message says: in a sandbox it counts for itself. And what is told may be a lie of the
        function's code, which has got hold of the socket: the server will kill what it is told of here.
        """
        fd = self._passed.popleft() if self._passed else -1
        pid = _pid_of(fd)
        told = _parent_of(pid) in (self._main_pids() or [self._process.pid])
        if self._children.get(number, ()) is None and (told or pid == _ENDED):
            self._children[number] = _Child(pid, fd)
            return
        if fd >= 0:
            os.close(fd)
        self.kill()

    def _forget(self, number: int) -> None:
        child = self._children.pop(number, None)
        if child is not None:
            os.close(child.fd)
        self._doomed.discard(number)

    def _close_passed(self) -> None:
        while self._passed:
            os.close(self._passed.popleft())


class _Child(NamedTuple):
    """An environment's process, by its number as the server sees it and by a descriptor that stays its own."""

    pid: int
    fd: int


def _pid_of(pidfd: int) -> int:
    """The process that a descriptor stands for, by its number here; _ENDED when it has ended, 0 when it is none."""
    try:
        lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pid:")), 0)


def _parent_of(pid: int) -> int:
    """The parent of a process; -1 when it has ended."""
    try:
        # The name before it, in brackets, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1
