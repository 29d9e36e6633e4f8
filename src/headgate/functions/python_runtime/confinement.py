"""What the kernel is told of a function's processes: who they are, how much they may use, and with whom they die."""

# Importing pathlib would take a tenth of the time to start:
# ruff: noqa: PTH123
import contextlib
import ctypes
import os
import resource
import signal
import threading

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNS = 0x00020000
_MS_NOSUID = 2
_MS_NODEV = 4
_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, whose sets have 64 bits

_OPEN_FILES = 1024  # Lambda's own limit
_MIB = 1024 * 1024
_BYTES_A_FILE = 4096  # of a /tmp, so that empty files are bounded too: each takes memory of the kernel's

# Thread stacks count whole towards RLIMIT_DATA though they are hardly touched: 8 MiB each by glibc's default, so that
# sixteen threads would use up the smallest function. Python's threads get less, and the limit allows for some more.
_THREAD_STACK_BYTES = 1 * _MIB
_DATA_SLACK_BYTES = 64 * _MIB

_libc = ctypes.CDLL(None, use_errno=True)


def become_user(user: int, group: int, *, hidden: bool) -> None:
    """Be another user from now on, in a user namespace of its own where the kernel allows one.

    The namespace is for RLIMIT_NPROC alone: since Linux 5.14 it counts a user's processes within it, so that functions
    of one user do not use up each other's. `hidden` makes the process one that others of this user may neither trace
    nor look into, until it executes a program.
    """
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if _libc.unshare(_CLONE_NEWUSER) == 0:
        _stay(user, group)
    _drop_capabilities()
    _prctl(_PR_SET_DUMPABLE, 0 if hidden else 1)


def mount_temporary(folder: str, size_mb: int) -> None:
    """Have an empty folder in memory, of this size, that only this process and its children see. Undoes `die_with`.

    Raises OSError where the kernel does not allow it. The process is of no use then: it may be nobody. It is a
    process without capabilities and has none afterwards: the user namespace that it gets for this also keeps others
    of its user from looking into it by /proc.
    """
    user, group = os.getuid(), os.getgid()
    size_bytes = size_mb * _MIB
    options = f"mode=1777,size={size_bytes},nr_inodes={size_bytes // _BYTES_A_FILE}"
    _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS), "unshare")
    _stay(user, group)
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
    _check(_libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, options.encode()), "mount")
    _drop_capabilities()


def limit_resources(memory_mb: int, max_processes: int, max_file_bytes: int) -> None:
    """Set the limits of this process, which its children inherit.

    Memory, open files, no core file, no capabilities and no way to new privileges; processes (with threads) and bytes
    of one file where they are not 0.

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
    if max_processes:
        _lower(resource.RLIMIT_NPROC, max_processes)
    if max_file_bytes:
        _lower(resource.RLIMIT_FSIZE, max_file_bytes)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()  # root's, where functions run as root: without them these limits hold for it too


def give_way() -> None:
    """Take no core from who runs when this process is woken, the server above all; its children neither.

    It has as much time as others, in fewer and longer turns: at 32 connections to one function there are a fifth more
    calls a second on two cores.
    """
    with contextlib.suppress(OSError):  # where a container does not allow it, functions run all the same
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; exit now if it has died already.

    `parent_pid` is 0 where the parent cannot be seen, as it is outside of the sandbox.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def outlive_the_server_for_a_moment() -> None:
    """Undo `die_with`: from now on the end of the control socket says that the server is gone."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that none can escape being killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _stay(user: int, group: int) -> None:
    """Be the same user in the user namespace that this process has just made."""
    _prctl(_PR_SET_DUMPABLE, 1)  # else the files below are root's
    for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, line.encode())
        os.close(fd)


def _lower(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing), "capset")


def _data_bytes_now() -> int:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def _check(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")
