"""Event loops of asyncio that the import made, as Mangum's constructor does: a fork would share what they wait on.

An idle loop holds three descriptors: what it waits on, and both ends of a pair of sockets by which threads wake it.
They are renewed in each environment, so that functions with such a loop can be forked too. That goes by attributes that
asyncio does not document and has had since Python 3.4; a loop without them counts as what a fork must not share.
"""

from __future__ import annotations

import gc
import sys
from typing import Any


def idle_loops() -> list[Any]:
    """The loops that wait for nothing but to be woken: those that can be renewed."""
    module = sys.modules.get("asyncio.selector_events")
    if module is None:
        return []
    kind = module.BaseSelectorEventLoop
    # By its type: asking some objects for their class runs code of theirs.
    return [each for each in gc.get_objects() if issubclass(type(each), kind) and _is_idle(each)]


def descriptors_of(loop: Any) -> set[int]:
    """The three that `renew` replaces."""
    return {loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno()}


def renew(loop: Any) -> None:
    """Give the loop descriptors of its own, in a process that was forked."""
    loop._close_self_pipe()
    loop._selector.close()
    loop._selector = type(loop._selector)()
    loop._make_self_pipe()


def _is_idle(loop: Any) -> bool:
    try:
        return (
            not loop.is_closed() and not loop.is_running() and list(loop._selector.get_map()) == [loop._ssock.fileno()]
        )
    except AttributeError:
        return False
