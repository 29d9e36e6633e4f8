"""What the kernel is told of a function's processes: how much they may use, and with whom they die."""

import ctypes
import os
import resource
import signal
import threading

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_OPEN_FILES = 1024  # Lambda's own limit
_MIB = 1024 * 1024

# Thread stacks count whole towards RLIMIT_DATA though they are hardly touched: 8 MiB each by glibc's default, so that
# sixteen threads would use up the smallest function. Python's threads get less, and the limit allows for some more.
_THREAD_STACK_BYTES = 1 * _MIB
_DATA_SLACK_BYTES = 64 * _MIB

_libc = ctypes.CDLL(None, use_errno=True)


def limit_resources(memory_mb: int) -> None:
    """Set the limits of this process, which its children inherit: memory, open files, no core file, no new privileges.

    Memory is limited by RLIMIT_DATA, which counts what a process may write for itself: the heap, anonymous maps and
    thread stacks. RLIMIT_AS would count shared libraries and address space that is only reserved (malloc reserves
    64 MiB or more a thread), which breaks threads long before it stops who eats memory. The limit is what the
    interpreter uses now, plus the function's memory, plus the slack above.
    """
    threading.stack_size(_THREAD_STACK_BYTES)
    data_bytes = _data_bytes_now() + memory_mb * _MIB + _DATA_SLACK_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; exit now if it has died already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def outlive_the_server_for_a_moment() -> None:
    """Undo `die_with`: from now on the end of the control socket says that the server is gone."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that none can escape being killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _data_bytes_now() -> int:
    with open("/proc/self/status") as status:  # noqa: PTH123 - see main
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
