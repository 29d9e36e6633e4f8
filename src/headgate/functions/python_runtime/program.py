"""An execution environment that is a program of the function's own: this process becomes it."""

import _socket
import array
import os
import signal
import sys
from typing import NoReturn

from . import frames, serving

_BACKLOG = 32


def become(program: list[str], report_fd: int) -> NoReturn:
    """Run the program in this process's place. Where that fails, say why on `report_fd`, NOT_RUN, and end."""
    os.environ["AWS_LAMBDA_RUNTIME_API"] = _listen(report_fd)
    # Python ignores these two; a program that is not Python expects the defaults.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.set_inheritable(report_fd, False)
    try:
        os.execv(program[0], program)
    except OSError as error:
        why = f"fork/exec {program[0]}: {os.strerror(error.errno or 0).lower()}"
        if not os.path.exists(program[0]):  # noqa: PTH110 - see main
            why = f"Couldn't find valid bootstrap(s): [{program[0]}]"
        print(f"{why}\nRuntime.InvalidEntrypoint", file=sys.stderr, flush=True)
        serving.write(report_fd, frames.frame(frames.NOT_RUN, why.encode()))
        os._exit(1)


def _listen(report_fd: int) -> str:
    """Open the port of this environment's Runtime API, hand it over to the server and say its address.

    It is opened here and not there, for this process may have a network of its own, which the server is not in.
    """
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(_BACKLOG)
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    report = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, report_fd)
    passed = array.array("i", [listener.fileno()])
    report.sendmsg(
        [frames.frame(frames.LISTENING, address.encode())], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)]
    )
    report.detach()
    listener.close()  # so that it ends with the server's side
    return address
