"""What a hostile function tries, by name. docs/isolation.md says of each what stops it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

SERVER_USER: Final = "none, the server's user"
OWN_USER: Final = "none, a user of their own"
BWRAP: Final = "bwrap"


class Attempt(msgspec.Struct, frozen=True):
    """The body of `attempt(told)`: stopped when it raises, gives nothing, or costs the call its environment."""

    body: str
    evidence: str | Mapping[str, str]  # what is in the error, or the empty answer "nothing", by column
    fields: Mapping[str, Any] = {}  # of the function
    at_import: bool = False  # `body` is the module
    network: bool = True
    beside: bool = False  # while another environment of the function keeps a file, by `beside(told)`


_NO_PROCESS: Final = {OWN_USER: "PermissionError", BWRAP: "ProcessLookupError"}
_NO_FILE: Final = {OWN_USER: "PermissionError", BWRAP: "FileNotFoundError"}

ATTEMPTS: Final[Mapping[str, Attempt]] = {
    "a fork bomb": Attempt(
        """
        for _ in range(5000):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        return True
        """,
        "BlockingIOError",
    ),
    "memory": Attempt("return bytearray(1 << 30) and True", "MemoryError"),
    "memory, by many processes": Attempt("", {}),
    "memory, in shared maps": Attempt("", {}),
    "memory, in file systems that it mounts": Attempt("", {}),
    "a file larger than its storage": Attempt(
        """
        with open(tempfile.gettempdir() + "/large", "wb") as file:
            for _ in range(30):
                file.write(bytes(100_000))
        return True
        """,
        {SERVER_USER: "File too large", OWN_USER: "File too large", BWRAP: "No space left"},
        {"ephemeral_storage_mb": 1},
    ),
    "many files": Attempt(
        """
        for number in range(30):
            with open(f"{tempfile.gettempdir()}/{number}", "wb") as file:
                file.write(bytes(100_000))
        return True
        """,
        "No space left",
        {"ephemeral_storage_mb": 1},
    ),
    "files outside of its temporary folder": Attempt(
        """
        made = []
        for folder in ("/", "/dev", "/dev/shm", "/etc", "/opt", "/usr", "/var", "/var/task", "/var/tmp", "/root"):
            try:
                with open(folder + "/hostile", "x"):
                    made.append(folder)
            except OSError:
                pass
        return made
        """,
        "nothing",
    ),
    "another environment's files": Attempt(
        """
        libc = ctypes.CDLL(None, use_errno=True)
        found = os.listdir("/tmp")
        for process in filter(str.isdigit, os.listdir("/proc")):
            if int(process) == os.getpid():
                continue
            try:
                found += os.listdir(f"/proc/{process}/root/tmp")
            except PermissionError:
                pass
            try:
                with open(f"/proc/{process}/ns/mnt") as namespace:
                    found.append(libc.setns(namespace.fileno(), 0))
            except PermissionError:
                pass
        for _ in range(2):
            if libc.umount2(b"/tmp", 2) == 0:
                found.append("its own /tmp is gone")
            libc.unshare(0x10020000)  # capabilities, of a user and of mounts of its own
        return found
        """,
        "nothing",
        beside=True,
    ),
    "another environment's storage": Attempt(
        """
        with open("/tmp/large", "wb") as file:
            for _ in range(30):
                file.write(bytes(100_000))
        return True
        """,
        "No space left",
        {"ephemeral_storage_mb": 1},
        beside=True,
    ),
    "open files": Attempt(
        """
        files = []
        while len(files) < 5000:
            files.append(open("/dev/null"))
        return True
        """,
        "Too many open files",
    ),
    "a signal to the server": Attempt("return os.kill(told['server'], 0) is None", _NO_PROCESS),
    "a signal to another function": Attempt("return os.kill(told['victim'], 0) is None", {BWRAP: "ProcessLookupError"}),
    "a signal to every process": Attempt("return os.kill(-1, 9) is None and True", "ProcessLookupError"),
    "tracing another function": Attempt(
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(16, told["victim"], 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return True
        """,
        _NO_PROCESS,
    ),
    "reading another function's variables": Attempt(
        "return open(f\"/proc/{told['victim']}/environ\", 'rb').read()", _NO_FILE
    ),
    "reading another function's memory": Attempt(
        "return open(f\"/proc/{told['victim']}/mem\", 'rb') and True", _NO_FILE
    ),
    "another function's descriptors": Attempt("return os.listdir(f\"/proc/{told['victim']}/fd\")", _NO_FILE),
    "another function's code": Attempt("return open(told['victim_code']).read()", {BWRAP: "FileNotFoundError"}),
    "the database": Attempt("return open(told['database'], 'rb').read()", _NO_FILE),
    "the server's variables, in /proc": Attempt(
        "return open(f\"/proc/{told['server']}/environ\", 'rb').read()", _NO_FILE
    ),
    "the server's variables, in its own": Attempt(
        "return [name for name, value in os.environ.items() if told['secret'] in value or told['secret'] in name]",
        "nothing",
    ),
    "the server's descriptors": Attempt(
        """
        held = {}
        for fd in range(3, 1024):
            try:
                held[fd] = os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                pass
        return list(held.values())[1:]  # the first is the socket that calls come from
        """,
        "nothing",
    ),
    "connecting to the control plane": Attempt(
        "return socket.create_connection(('127.0.0.1', told['port']), 5) and True", "Error", network=False
    ),
    "leaving a process behind": Attempt(
        """
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            held = socket.create_connection(("127.0.0.1", told["port"]))
            held.recv(1)
            time.sleep(600)
        os.wait()
        """,
        "nothing",
    ),
    "staying when it is told to end": Attempt(
        """
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass
        """,
        "Sandbox.Timedout",
        {"timeout_s": 1},
    ),
    "filling the log": Attempt(
        """
        while True:
            print("x" * 10_000)
        """,
        "Sandbox.Timedout",
        {"timeout_s": 1},
    ),
    "a huge answer": Attempt("return 'x' * 7_000_000", "Function.ResponseSizeTooLarge"),
    "an answer without end": Attempt(
        """
        for fd in range(3, 64):
            try:
                if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                    os.write(fd, b"\\x7f\\xff\\xff\\xff\\x09")
                    while True:
                        os.write(fd, bytes(65_536))
            except OSError:
                pass
        """,
        "Runtime.ExitError",
    ),
    "writing into its own code": Attempt(
        """
        os.chmod(__file__, 0o777)
        return open(__file__, "a").write("#")
        """,
        {OWN_USER: "PermissionError", BWRAP: "Read-only file system"},
    ),
    "a link out of its temporary folder": Attempt(
        """
        os.symlink(told["kept"], tempfile.gettempdir() + "/link")
        """,
        "nothing",
    ),
    "raising its own limits": Attempt(
        """
        return resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)) is None
        """,
        "ValueError",
    ),
    "lying to the server about processes": Attempt(
        """
        control = next(fd for fd in range(3, 64)
            if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"))
        try:
            fd = os.pidfd_open(int(os.environ["WITNESS"]))
        except OSError:
            fd = os.pidfd_open(os.getpid())
        with socket.socket(fileno=os.dup(control)) as lying:
            lying.sendmsg([struct.pack("!IB", 0, 3)])  # ready: the server asks for an environment
            request = b""
            while b"number" not in request:
                request += lying.recv(4096)
            number = json.loads(request[5:])["number"]
            # forked: this is its process
            lying.sendmsg([struct.pack("!IBIi", 8, 6, number, 1)],
                          [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))])
            time.sleep(60)
        """,
        "Runtime.ExitError",
        at_import=True,
    ),
}

IMPORTS: Final = "import ctypes, json, os, resource, signal, socket, struct, sys, tempfile, time\n"
HANDLER: Final = """
def beside(told):
    with open("/tmp/its own", "w") as file:
        file.write("kept")
    with socket.create_connection(("127.0.0.1", told["port"])) as held:
        held.recv(1)
    with open("/tmp/more", "wb") as file:
        file.write(bytes(800_000))
    return [sorted(os.listdir("/tmp")), open("/tmp/its own").read()]

def handler(event, context):
    try:
        done = beside(event) if event.get("beside") else attempt(event)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(done, str) and len(done) > 6_000_000:
        return done
    return f"it did: {done}" if done else "nothing"
"""
