"""Pages of a list. A page's position names the last key on it, not a place in the list.

So a list that grows or shrinks between two pages neither repeats an item nor leaves one out that was there throughout.
"""

import base64
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import orjson

from headgate.model.errors import ApiError

T = TypeVar("T")
Key = str | int | float | tuple[str | int | float, ...]

DEFAULT_LIMIT: Final = 25
MAX_LIMIT: Final = 500
MAX_ITEMS: Final = 50  # Lambda answers with no more, whatever MaxItems says


def page(
    items: Sequence[T],
    limit: int | None,
    position: str | None,
    key: Callable[[T], Key],
    *,
    default: int = DEFAULT_LIMIT,
    most: int = MAX_LIMIT,
) -> tuple[list[T], str | None]:
    """API Gateway's `limit` and `position`: the items of one page in ascending order of their keys, which are unique.

    The second value is the position of the next page, None after the last. A limit below 1 means the default, one above
    the most that is allowed means that most. Raises ApiError (BadRequestException) for a position that is none of ours.
    """
    ordered = sorted(items, key=key)
    start = 0
    if position:
        try:
            start = bisect_right(ordered, _decode(position), key=key)
        except (ValueError, TypeError) as error:
            raise ApiError("BadRequestException", "Invalid position parameter specified") from error
    size = min(limit, most) if limit is not None and limit > 0 else default
    taken = ordered[start : start + size]
    more = start + size < len(ordered)
    return taken, _encode(key(taken[-1])) if more else None


def page_by_marker(
    items: Sequence[T], max_items: int | None, marker: str | None, key: Callable[[T], Key], *, most: int = MAX_ITEMS
) -> tuple[list[T], str | None]:
    """Lambda's `MaxItems` and `Marker`, with `NextMarker` as the second value; 50 to a page unless fewer are asked for.

    Raises ApiError (InvalidParameterValueException) for a marker that is none of ours.
    """
    try:
        return page(items, max_items, marker, key, default=most, most=most)
    except ApiError as error:
        raise ApiError("InvalidParameterValueException", "Invalid Marker") from error


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode("ascii").rstrip("=")


def _decode(position: str) -> Key:
    """Raises ValueError for what `_encode` cannot have made. Whether it fits the list's keys, bisect finds out."""
    found = orjson.loads(base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True))
    if isinstance(found, list) and all(isinstance(part, str | int | float) for part in found):
        return tuple(found)
    if isinstance(found, str | int | float):
        return found
    raise ValueError("a key is a string, a number or a row of these")
