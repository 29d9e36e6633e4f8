"""How functions are kept from the server, from its user's files and from each other: what is chosen at the start.

Three layers, each of which holds where the next is not to be had; docs/isolation.md says what each of them stops:

- limits of the kernel and no capabilities, always (`python_runtime/confinement.py`);
- a user of their own, where the server runs as root;
- bubblewrap around each function's processes, where it is installed and works (`sandbox.py`).
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from headgate.functions.sandbox import RUNTIME_DIR, RUNTIME_ROOT, SITE_PACKAGES, TEMPORARY, Sandbox, shown_in_temporary
from headgate.model.value import Value

DEFAULT_USER: Final = "nobody"
_PROBE_S: Final = 30.0  # of a busy machine: one that is too slow once would run without a sandbox
# What a function's first process and its environments do in the sandbox, with what cannot be on standard output.
_TRIAL: Final = """
import json, sys
sys.path.insert(0, {root!r})
from python_runtime import confinement
{become}
confinement.limit_resources(128, 0, 0)
try:
    confinement.mount_temporary({temporary!r}, 1)
except OSError as error:
    print("mounting another is refused:", error.strerror)
"""
_ELSEWHERE: Final = "elsewhere"  # in the data folder: a link to where functions' files are, when they are not in it


class IsolationError(Exception):
    """What was asked for cannot be had on this machine; the message is one line that says what to change."""


class Account(Value, frozen=True):
    """The user that functions run as."""

    name: str
    uid: int
    gid: int


class Isolation(Value, frozen=True):
    """How all functions of a server are kept apart. The default is what holds everywhere."""

    sandbox: Sandbox | None = None
    account: Account | None = None  # None: the server's own
    python: str = sys.executable
    lacks: tuple[str, ...] = ()
    """What was to be had and is not on this machine, a line each: to be told once the server serves."""

    def __str__(self) -> str:
        walls = "bubblewrap" if self.sandbox is not None else "no sandbox"
        return walls if self.account is None else f"{walls}, user {self.account.name}"


def choose(*, sandbox: str, network: str, user: str, data: Path) -> Isolation:
    """What is asked for, as far as this machine has it.

    `sandbox` is auto, bwrap or none; `network` host or none; `user` a name or number, or "" for nobody. Runs a program
    in a sandbox once, some 20 ms. Raises IsolationError where something is missing that was asked for by its name.
    """
    account = _account(user)
    lacks: list[str] = []
    why_not = "sandbox is 'none'"
    if sandbox != "none":
        found = shutil.which("bwrap")
        if found is None:
            why_not = "bubblewrap (the command bwrap) is not installed"
        else:
            try:
                return probe(Isolation(Sandbox(bwrap=found, network=network == "host", hidden=(data,)), account))
            except IsolationError as error:
                why_not = str(error)
        if sandbox == "bwrap":
            raise IsolationError(f"sandbox is 'bwrap', but {why_not}; choose auto or none")
    if network == "none":
        raise IsolationError(f"function_network is 'none', which needs bubblewrap, but {why_not}; choose host")
    if account is not None and (closed := closed_to_others(sys.executable)) is not None:
        if user:
            raise IsolationError(
                f"function_user is {user!r}, who may not read {closed}, which running functions needs; "
                "install Headgate and its interpreter where all users may read them, or install bubblewrap"
            )
        lacks.append(f"functions run as root: {account.name} may not read {closed}")
        account = None
    if sandbox == "auto":
        lacks.append(f"functions run without a sandbox: {why_not}; see docs/isolation.md")
    return Isolation(account=account, lacks=tuple(lacks))


def probe(isolation: Isolation) -> Isolation:
    """The same with what its sandbox can do here, which is tried. Raises IsolationError where it does not work."""
    assert isolation.sandbox is not None
    account = isolation.account
    become = "" if account is None else f"confinement.become_user({account.uid}, {account.gid}, hidden=False)"
    trial = _TRIAL.format(root=str(RUNTIME_ROOT), become=become, temporary=str(TEMPORARY))
    command = isolation.sandbox.command(
        [isolation.python, "-I", "-S", "-c", trial],
        code_dir=Path("/usr"),
        layers_dir=None,
        storage_mb=1,
        switches_user=account is not None,
    )
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_PROBE_S, env={}, cwd="/", check=False, text=True, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IsolationError(f"bubblewrap does not work here: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise IsolationError(f"bubblewrap does not work here: {said[-1] if said else f'exit status {done.returncode}'}")
    shares = done.stdout.strip()
    if not shares and shown_in_temporary():
        shares = f"Headgate or its interpreter is below {TEMPORARY}"
    if not shares:
        return replace(isolation, sandbox=replace(isolation.sandbox, own_temporary=True))
    lacks = f"execution environments of one function version share a /tmp: {shares}; see docs/isolation.md"
    return replace(isolation, sandbox=replace(isolation.sandbox, own_temporary=False), lacks=(lacks,))


def closed_to_others(python: str) -> Path | None:
    """The first folder on the way to what functions need, this interpreter first, that not every user may enter."""
    needed = (Path(python), RUNTIME_DIR, Path(tempfile.gettempdir()), *map(Path, SITE_PACKAGES))
    for path in needed:
        for each in (path, path.resolve()):
            for folder in each.parents:
                if not folder.stat().st_mode & stat.S_IXOTH:
                    return folder
    return None


def workplace(data: Path, isolation: Isolation) -> Path:
    """The folder for functions' code and temporary folders: the data folder, where functions can reach that.

    Without a sandbox another user cannot: the data folder is its owner's alone. Then it is a folder of its own among
    the temporary ones, whose entries functions may use and not list. One that a killed server left is removed.
    """
    link = data / _ELSEWHERE
    _remove_elsewhere(link)
    if isolation.account is not None:
        data.chmod(0o700)
    if isolation.account is None or isolation.sandbox is not None:
        return data
    place = Path(tempfile.mkdtemp(prefix="headgate-functions-"))
    for folder in (place, place / "code", place / "run"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    link.symlink_to(place)
    return place


def leave(data: Path) -> None:
    """Remove what `workplace` made outside of the data folder. It does not when it made nothing."""
    _remove_elsewhere(data / _ELSEWHERE)


def _remove_elsewhere(link: Path) -> None:
    # The data folder is closed to others, so what the link says is ours.
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()


def _account(user: str) -> Account | None:
    """The account that functions are to run as; None for the server's own. Raises IsolationError."""
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user or DEFAULT_USER)
    except (KeyError, OverflowError):
        if not user:
            return None  # a system without nobody
        raise IsolationError(f"function_user is {user!r}; there is no such user") from None
    if os.geteuid() == entry.pw_uid:
        return None
    if os.geteuid() != 0:
        if user:
            raise IsolationError(f"function_user is {user!r}; only a server that runs as root can become another user")
        return None
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
