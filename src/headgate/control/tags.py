"""Tags of resources: what is the same for every service ("Tagging AWS resources", tag naming limits)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

Tags = Mapping[str, str]

MAX_TAGS: Final = 50  # of one resource
_MAX_KEY_LENGTH: Final = 128
_MAX_VALUE_LENGTH: Final = 256


def check_limits(tags: Tags, tagged: str, refuse: Callable[[str], Exception]) -> Tags:
    """The tags as given. Where `tagged`, such as "a function", cannot have them, raises what `refuse` makes of why."""
    for key, value in tags.items():
        if not 1 <= len(key) <= _MAX_KEY_LENGTH:
            raise refuse(f"Invalid tag key {key!r}: it must have 1 to {_MAX_KEY_LENGTH} characters")
        if reserved_key([key]):
            raise refuse(f"Invalid tag key {key!r}: keys beginning with aws: are reserved")
        if len(value) > _MAX_VALUE_LENGTH:
            raise refuse(f"Invalid value of tag {key!r}: it must have at most {_MAX_VALUE_LENGTH} characters")
    if len(tags) > MAX_TAGS:
        raise refuse(f"{len(tags)} tags given; {tagged} can have at most {MAX_TAGS}")
    return tags


def reserved_key(keys: Iterable[str]) -> str | None:
    """The first that is AWS's own to give."""
    return next((key for key in keys if key.lower().startswith("aws:")), None)


def untagged(tags: Tags, keys: Collection[str]) -> dict[str, str]:
    """The tags without those of these keys."""
    return {key: value for key, value in tags.items() if key not in keys}
