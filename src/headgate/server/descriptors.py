"""How many files and sockets this process may have open."""

import resource
from typing import Final

MOST: Final = 65_536  # more than the limits on connections and environments allow; some programs walk through all


def allow_many() -> int:
    """Take what the hard limit allows, and say how many that is.

    The soft limit is 1024 on most systems, for the sake of programs that use select(); connections to the gateway and
    execution environments, seven descriptors each, are soon more. Programs that this process starts inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = MOST if hard == unlimited else min(MOST, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
