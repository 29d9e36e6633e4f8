"""An execution environment that is a program of the function's own: this process becomes it."""

import os
import signal
import sys
from typing import NoReturn

from . import frames, serving


def become(program: list[str], runtime_api: str, report_fd: int) -> NoReturn:
    """Run the program in this process's place. Where that fails, say why on `report_fd`, NOT_RUN, and end."""
    os.environ["AWS_LAMBDA_RUNTIME_API"] = runtime_api
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
