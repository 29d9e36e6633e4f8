"""The load generator as a process: its own interpreter, so that the gateway in ours keeps its pace while it measures.

A LoadPlan comes as JSON on stdin; the last line of stdout is the Tally, or what went wrong.
"""

import ctypes
import resource
import signal
import sys
from typing import Final

import msgspec
import uvloop

from headgate.release.failures import Refused, Unavailable
from headgate.release.gates.load_generator import LoadPlan, generate

EX_REFUSED: Final = 65
EX_UNAVAILABLE: Final = 69
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_OTHER_FILES: Final = 64  # open besides the connections


def main() -> int:
    # Nobody else would end the load, were our parent killed.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadPlan)
    plan = msgspec.structs.replace(plan, most_at_once=_allow_files(plan.most_at_once))
    try:
        tally = uvloop.run(generate(plan))
    except (Refused, Unavailable) as error:
        sys.stdout.write(f"\n{error}\n")
        return EX_REFUSED if isinstance(error, Refused) else EX_UNAVAILABLE
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(tally) + b"\n")
    return 0


def _allow_files(connections: int) -> int:
    """Let this process open so many, and say how many it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - _OTHER_FILES


if __name__ == "__main__":
    sys.exit(main())
