"""Nobody waits for the answer any more."""

from typing import Final

LOOK_S: Final = 0.05  # between two looks at whether an act was cancelled


class Cancelled(Exception):
    """The release was aborted or the server stops. What the act had begun has been ended."""
