"""What bubblewrap puts around a function's processes: the command line that starts them in a world of their own.

Inside there is the system, read only; the interpreter and its packages, read only; the function's code at /var/task,
its layers at /opt, as on Lambda; and a /tmp of its own, as large as its ephemeral storage. There is nothing else: not
the data folder, not other functions' code. It has process ids, System V IPC and a host name of its own. The processes
of one function version share one sandbox; its first process is number 1 in it, and all end when that does. Each
execution environment covers /tmp with one of its own (`python_runtime/confinement.py`), where the kernel allows that.

bubblewrap is the Debian package of that name; 0.7 (2022) or newer, for a /tmp with a size.
"""

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headgate.model.value import Value

RUNTIME_DIR: Final = Path(__file__).parent / "python_runtime"
NODE_RUNTIME_DIR: Final = Path(__file__).parent / "node_runtime"

# Where the server's own dependencies are, boto3 among them when it is installed.
SITE_PACKAGES: Final = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

TASK_ROOT: Final = Path("/var/task")
LAYERS_ROOT: Final = Path("/opt")
RUNTIME_ROOT: Final = Path("/var/runtime")  # python_runtime and node_runtime are in it
TEMPORARY: Final = Path("/tmp")

DEFAULT_STORAGE_MB: Final = 512  # Lambda's own

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What programs need to find libraries, users, names of hosts, certificates and the time. No secrets of the host's.
_ETC: Final = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gai.conf", "group", "host.conf"),
    *("hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.conf", "localtime", "mime.types", "nsswitch.conf"),
    *("passwd", "pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "protocols", "resolv.conf", "services"),
    *("ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "timezone"),
)


class Sandbox(Value, frozen=True):
    """bubblewrap, and what all functions of a server have in common in it."""

    bwrap: str  # the program
    network: bool = True  # the host's network; else a loopback device of its own, and nothing behind it
    hidden: tuple[Path, ...] = ()  # never to be seen, also where they are in a folder that is shown
    own_temporary: bool = False  # whether each environment can mount a /tmp of its own in it; else they share one

    def command(
        self,
        program: Sequence[str],
        *,
        code_dir: Path,
        layers_dir: Path | None,
        storage_mb: int,
        switches_user: bool,
        shown: Sequence[str] = (),
    ) -> list[str]:
        """The command that runs a program as process 1 of a new sandbox. Descriptors are passed on.

        `shown` are further folders that it sees, such as an interpreter's. `switches_user`: the program starts as root,
        so far as to become another user, which it must do at once.
        """
        shown = _all_shown(shown)
        binds = [(path, path) for path in map(Path, shown)]
        binds += [(each, RUNTIME_ROOT / each.name) for each in (RUNTIME_DIR, NODE_RUNTIME_DIR)]
        binds += [(code_dir, TASK_ROOT)]
        if layers_dir is not None:
            # One by one: the interpreter may be below /opt too.
            binds += [(entry, LAYERS_ROOT / entry.name) for entry in sorted(layers_dir.iterdir())]
        # The namespaces' user is who started bubblewrap: as root it needs none to make the others.
        options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"]
        options += [] if self.network else ["--unshare-net"]
        options += ["--as-pid-1", "--die-with-parent"]
        if switches_user:
            options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        options += _system()
        options += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        options += ["--perms", "1777", "--size", str(storage_mb * 1024 * 1024), "--tmpfs", str(TEMPORARY)]
        for source, target in binds:
            options += [*_ancestors(target), "--ro-bind", str(source), str(target)]
        for path in self.hidden:
            if any(path.is_relative_to(each) for each in (*shown, *_SYSTEM)):
                options += ["--perms", "0000", "--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path)]
        return [self.bwrap, *options, "--remount-ro", "/", "--chdir", "/", "--", *program]


def shown_in_temporary(shown: Sequence[str] = ()) -> bool:
    """Whether anything that a sandbox shows is below /tmp, so that no other may be mounted there."""
    return any(Path(path).is_relative_to(TEMPORARY) for path in _all_shown(shown))


def _all_shown(shown: Sequence[str]) -> list[str]:
    return _topmost([sys.prefix, sys.base_prefix, *SITE_PACKAGES, *shown])


def _system() -> Iterator[str]:
    for folder in _SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), folder)
        elif path.is_dir():
            yield from ("--ro-bind", folder, folder)
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            yield from (*_ancestors(path), "--ro-bind", str(path), str(path))


def _ancestors(path: Path) -> Iterator[str]:
    """Make the folders above a mount: those that bubblewrap makes by itself are closed to other users."""
    for folder in reversed(path.parents[:-1]):
        yield from ("--dir", str(folder))


def _topmost(paths: Sequence[str]) -> list[str]:
    """The folders that are neither in the system nor in each other."""
    real = sorted({os.path.normpath(path) for path in paths})
    return [
        path
        for path in real
        if not any(path != other and Path(path).is_relative_to(other) for other in (*real, *_SYSTEM))
        and path not in _SYSTEM
    ]
