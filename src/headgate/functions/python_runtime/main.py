"""The warmed parent of one function version: imports the handler once, then forks an execution environment on request.

It is started by exec and so holds nothing of the server; what it needs to know comes as the first frame of its control
socket, never as an argument or a variable that another process could read.

A fork copies memory, but one thread only, and it shares what descriptors stand for. Idle event loops of asyncio are
given new ones in each fork (`event_loops`). Where the import left threads,
open descriptors or files in its temporary folder, the parent says UNFORKABLE and ends; the server starts another that
imports nothing (`import_first` false), whose environments each import for themselves, as on Lambda.

When the control socket ends, however the server ended, the parent kills all its descendants and exits. It adopts those
that lose their parents (PR_SET_CHILD_SUBREAPER), so a process that left its session is found too.
"""

from __future__ import annotations

# Importing pathlib would take a tenth of the time to start:
# ruff: noqa: PTH102, PTH103, PTH106, PTH108, PTH115, PTH119, PTH123, PTH208
import _socket
import array
import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

from . import confinement, event_loops, frames, logs, program, serving
from .faults import as_json, error_document, log_error
from .handler import Handler, load_handler


def main(control_fd: int) -> NoReturn:
    """Run until the control socket ends. Never returns; a Python exit would run what the function registered for it."""
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, control_fd)
    reader = frames.FrameReader()
    received: list[tuple[int, bytes]] = []
    while not received:
        some = control.recv(65_536)
        if not some:
            os._exit(0)
        received = reader.feed(some)
    settings = json.loads(received.pop(0)[1])
    if settings["user"] is not None:
        # A sandbox hides it from others already.
        confinement.become_user(*settings["user"], hidden=bool(settings["server_pid"]))
    confinement.die_with(settings["server_pid"])  # after the change of user, which undoes it
    confinement.adopt_orphans()
    _become_the_function(settings)

    handler: Handler | None = None
    loops: list[Any] = []
    if settings["import_first"]:
        handler, loops = _import(control_fd, settings)
    _silence()
    # The parent reports how the end of its children is, so the import must not have taken that over.
    signal.set_wakeup_fd(-1)
    gc.freeze()  # what is there now is never garbage: a collection in a child would only unshare its pages
    serving.write(control_fd, frames.frame(frames.READY, b""))
    if settings["server_pid"]:
        confinement.outlive_the_server_for_a_moment()
    _Parent(control, reader, handler, loops, settings).run()
    _remove(settings["folder"])
    os._exit(0)


def _become_the_function(settings: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(settings["variables"])
    time.tzset()
    if not settings["temporary_mb"]:
        os.makedirs(settings["variables"]["TMPDIR"], 0o700, exist_ok=True)
    os.chdir(settings["code_dir"])
    # The server's packages come last: boto3 can be imported where the function brings none.
    sys.path[:] = [settings["code_dir"], *settings["layer_paths"], *sys.path, *settings["site_packages"]]
    sys.dont_write_bytecode = True  # the code is read only, which does not stop root
    logs.set_up_output()
    logs.set_up_logging()
    confinement.limit_resources(settings["memory_mb"], settings["max_processes"], settings["max_file_bytes"])
    confinement.give_way()


def _import(control_fd: int, settings: dict[str, Any]) -> tuple[Handler, list[Any]]:
    """Import the handler, or say what is wrong and end. With it the event loops to be renewed in each fork."""
    before = _descriptors()
    handler = import_handler(control_fd, settings["handler"])
    opened = _descriptors() - before
    loops = event_loops.idle_loops() if opened else []  # looked for where there can be one: it takes milliseconds
    renewed = {str(fd) for loop in loops for fd in event_loops.descriptors_of(loop)}
    opened = {(fd, target) for fd, target in opened if fd not in renewed}
    left = _left_by_the_import(opened, settings)
    if left:
        serving.write(control_fd, frames.frame(frames.UNFORKABLE, left.encode()))
        os._exit(0)
    return handler, loops


def import_handler(report_fd: int, name: str) -> Handler:
    """Import the handler; where that fails, send INIT_ERROR and end this process."""
    try:
        handler = load_handler(name)
    except SystemExit as asked:
        status = serving.exit_status(asked)
        logs.flush()
        os._exit(status)
    except BaseException as error:  # whatever the module's code raises is the answer
        document = error_document(error, "")
        log_error(document, logs.RECORD_LINE_BREAK)
        logs.flush()
        serving.write(report_fd, frames.frame(frames.INIT_ERROR, as_json(document, frames.MAX_ANSWER_BYTES)))
        os._exit(1)
    logs.flush()
    return handler


def _left_by_the_import(opened: set[tuple[str, str]], settings: dict[str, Any]) -> str:
    """What the import left that a fork would not carry over, or would share; "" when there is nothing."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "threads"
    if opened:
        return "open descriptors: " + ", ".join(sorted(target for _, target in opened))
    found = os.listdir(settings["folder"])
    if not settings["temporary_mb"]:
        temporary = settings["variables"]["TMPDIR"]
        found = [*os.listdir(temporary), *(name for name in found if name != os.path.basename(temporary))]
    return "files in its temporary folder" if found else ""


def _descriptors() -> set[tuple[str, str]]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return found


def _silence() -> None:
    """Let go of the pipe that carried the import's output: what comes later is an environment's, on its own."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


class _Parent:
    """Forks environments and reaps them."""

    def __init__(
        self,
        control: _socket.socket,
        reader: frames.FrameReader,
        handler: Handler | None,
        loops: list[Any],
        settings: dict[str, Any],
    ) -> None:
        self._control = control
        self._reader = reader
        self._handler = handler
        self._loops = loops  # that the import made
        self._settings = settings
        self._pid = os.getpid()
        self._environments: dict[int, tuple[int, str]] = {}  # process id -> number, folder
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._passed: list[int] = []  # descriptors that came with frames not yet carried out

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                    self._reap()
                elif not self._obey():
                    self._end_all()
                    return

    def _obey(self) -> bool:
        """Carry out what the server asks. False when it is gone."""
        try:
            data, ancillary, _, _ = self._control.recvmsg(65_536, _socket.CMSG_SPACE(8), _socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return False
        for _, _, passed in ancillary:
            fds = array.array("i")
            fds.frombytes(passed)
            self._passed += fds
        for _, payload in self._reader.feed(data):
            self._fork(json.loads(payload), self._passed.pop(0), self._passed.pop(0))
        return bool(data)

    def _fork(self, asked: dict[str, Any], socket_fd: int, output_fd: int) -> None:
        if asked["folder"]:
            os.mkdir(asked["folder"], 0o700)
        pid = os.fork()
        if pid == 0:
            try:
                self._live(asked, socket_fd, output_fd)
            finally:
                os._exit(1)
        os.close(socket_fd)
        os.close(output_fd)
        self._environments[pid] = (asked["number"], asked["folder"])
        # The server may not know the child by this number: a descriptor is good everywhere.
        child = os.pidfd_open(pid)
        self._tell(frames.frame(frames.FORKED, frames.NUMBER_AND_PROCESS.pack(asked["number"], pid)), child)
        os.close(child)

    def _live(self, asked: dict[str, Any], socket_fd: int, output_fd: int) -> NoReturn:
        """Be the environment: in the child, after the fork."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._control.detach(), self._wake_read, self._wake_write):
            os.close(fd)
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        os.close(output_fd)
        os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = asked["stream"]
        if asked["folder"]:
            _use_temporary(asked["folder"])
        else:
            _mount_temporary(self._settings["folder"], self._settings["temporary_mb"])
        confinement.die_with(self._pid)  # after the mount, which undoes it
        if self._settings["program"]:
            program.become(self._settings["program"], socket_fd)
        for loop in self._loops:
            event_loops.renew(loop)
        # `random` reseeds itself after a fork; `secrets`, `uuid` and `ssl` ask the kernel.
        handler = self._handler or import_handler(socket_fd, self._settings["handler"])
        serving.serve(socket_fd, handler)

    def _reap(self) -> None:
        """Report the environments that ended. What they left behind ends too, at the latest with the last of them."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                break
            if ended.si_pid in self._environments:
                # Before it is reaped, so that its number cannot be another's yet.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(ended.si_pid, signal.SIGKILL)
            pid, status, used = os.wait4(ended.si_pid, 0)
            number, folder = self._environments.pop(pid, (0, ""))
            if number:
                self._tell(frames.frame(frames.EXITED, frames.END.pack(number, status, used.ru_maxrss)))
                _remove(folder)
        if not self._environments:
            self._end_all()
        elif self._settings["temporary_mb"]:
            self._end_left_behind()

    def _end_left_behind(self) -> None:
        """Kill orphans of environments that have ended, each of which keeps the /tmp of its own in memory.

        Those are the ones that share the mounts of no living environment, which nobody can join from outside. One that
        has made itself other mounts, or hides which it has, is taken for one of those.
        """
        orphans = [pid for pid in _children() if pid not in self._environments]
        if orphans:
            living = {_mounts_of(pid) for pid in self._environments} - {""}
            for pid in orphans:
                if _mounts_of(pid) not in living:
                    os.kill(pid, signal.SIGKILL)  # its own orphans come here when it is reaped

    def _end_all(self) -> None:
        """Kill all descendants, those that they leave to this process too, and wait until there are none."""
        try:
            while True:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
                pid, _ = os.waitpid(-1, 0)
                _remove(self._environments.pop(pid, (0, ""))[1])
        except ChildProcessError:
            return

    def _tell(self, message: bytes, *fds: int) -> None:
        passed = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        with contextlib.suppress(OSError):  # the server is gone, which the next read of the socket says
            self._control.sendmsg([message], passed)  # it blocks, and is too short to be sent in part


def _use_temporary(folder: str) -> None:
    """Have programs and `tempfile` use this folder of those that environments have in one place."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        os.environ[name] = folder
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        vars(tempfile)["tempdir"] = None  # it may hold the parent's


def _mount_temporary(folder: str, size_mb: int) -> None:
    """Have an own /tmp. The server has tried that it can be; where it cannot now, the log says so and this ends."""
    try:
        confinement.mount_temporary(folder, size_mb)
    except OSError as error:
        print(f"The environment has no {folder} of its own: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(1)


def _children() -> list[int]:
    pid = os.getpid()
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


def _mounts_of(pid: int) -> str:
    """The mount namespace of a process; "" when it has ended or hides that."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def _remove(folder: str) -> None:
    """Remove a folder and what is in it. What cannot be removed is left to the server, which removes the whole."""
    if not folder:
        return
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
        os.rmdir(folder)
