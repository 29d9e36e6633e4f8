"""What others wrote, made fit for a message: short, printable, and without the secrets that it may echo."""

from collections.abc import Iterable
from typing import Final

_SHORTEST_SECRET: Final = 4  # a shorter header value, such as "1", is none, and may stand anywhere


def beginning(body: bytes, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """The first characters, on one line."""
    text = " ".join(_printable(body, secrets).split())
    return text if len(text) <= limit else text[:limit] + "…"


def end(output: bytes, secrets: Iterable[str] = (), limit: int = 2048) -> str:
    """The last characters, as lines."""
    text = _printable(output, secrets).strip()
    return text if len(text) <= limit else "…" + text[-limit:]


def _printable(text: bytes, secrets: Iterable[str]) -> str:
    shown = text.decode("utf-8", "replace")
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            shown = shown.replace(secret, "***")
    # A terminal would obey control characters.
    return "".join(each if each.isprintable() or each in "\n\t" else " " if each == "\r" else "�" for each in shown)
