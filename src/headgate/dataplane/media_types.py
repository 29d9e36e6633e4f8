"""Binary media types of an API: exact types or wildcards (aws-semantics 3.10)."""

from collections.abc import Set as AbstractSet


def is_binary(binary_media_types: AbstractSet[str], header: bytes | None) -> bool:
    """Whether the first media type of a Content-Type or Accept header is one of the API's binary types.

    `image/*` and `*/*` among the API's types match as wildcards; a wildcard in the header is only itself.
    """
    if "*/*" in binary_media_types:
        return True
    if not header:
        return False
    media_type = header.partition(b",")[0].partition(b";")[0].strip().lower().decode("latin-1")
    return media_type in binary_media_types or f"{media_type.partition('/')[0]}/*" in binary_media_types
