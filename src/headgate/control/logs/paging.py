"""Tokens of pages: what a list goes on after, in a form that says which list it is of."""

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar

from headgate.control.logs.errors import bad_token

T = TypeVar("T")


def encode_token(position: str | None, kind: str) -> str | None:
    """The token of a position in a list of this kind; None for None."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode("ascii").rstrip("=")


def decode_token(token: str | None, kind: str) -> str:
    """The position of a token; "" without one. Raises ApiError for one of another list, or of none."""
    if token is None:
        return ""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError as error:
        raise bad_token() from error
    if not text.startswith(f"{kind}:"):
        raise bad_token()
    return text.removeprefix(f"{kind}:")


def next_name(found: Sequence[T], limit: int, position: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """A page of what was found, and the position to go on after; None when no more was found."""
    page = found[:limit]
    return page, position(page[-1]) if len(found) > limit else None
