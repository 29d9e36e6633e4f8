"""Who holds a lease: a process, named so that another on the same machine can tell whether it still lives."""

import os
from pathlib import Path


def this_process() -> str:
    """Where the process runs, its id there, and the moment it began in the kernel's ticks."""
    return f"{_place()}/{os.getpid()}/{_began(os.getpid())}"


def has_ended(holder: str) -> bool:
    """Whether the holder is known to live no more; False where that cannot be told from here."""
    place, _, process = holder.partition("/")
    pid, _, began = process.partition("/")
    if place != _place() or not pid.isdigit() or not began:
        return False
    return _began(int(pid)) != began


def _place() -> str:
    """The kernel's start and the namespace of process ids: elsewhere the same id is another process."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - a link that is no path


def _began(pid: int) -> str:
    try:
        # The name in parentheses may hold anything; the 20th field behind it is the start.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
