"""How a command that cannot do what it was asked to ends."""

import sys
from typing import NoReturn


def fail(message: str) -> NoReturn:
    """Say in one line what is wrong, and end with status 2."""
    print(f"headgate: {message}", file=sys.stderr)
    raise SystemExit(2)
