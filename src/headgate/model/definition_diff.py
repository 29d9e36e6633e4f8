"""What differs between two definitions of an API: two deployments, or one and the resources as they stand.

A method is the same method where its path and HTTP method are the same. Ids are no difference: a resource that was
deleted and made again serves as before, and so does a cache namespace that is the resource's id, the default. Neither
is the order of a list, as all of them are sets.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from headgate.model.deployment import Definition
from headgate.model.rest_api import Method, Resource
from headgate.model.value import Value

Kind = Literal["added", "removed", "changed"]
Path = tuple[str, ...]

DEPLOYED_SETTINGS: Final = (
    "policy",
    "binaryMediaTypes",
    "minimumCompressionSize",
    "apiKeySource",
    "disableExecuteApiEndpoint",
)
"""The API's own settings that wait for a deployment (aws-semantics 2.2); the others are live."""

_WHOLE: Final[tuple[Path, ...]] = (
    ("methodIntegration",),
    ("methodIntegration", "tlsConfig"),
    ("methodIntegration", "integrationResponses", "*"),
    ("methodResponses", "*"),
)
"""What is told as one when all of it is new or gone."""


class Difference(Value, frozen=True, rename="camel"):
    """One thing that differs. Without a resource it is a setting of the API, without a method a resource.

    `path` leads to it in the wire's names, such as ("methodIntegration", "uri"); it is empty where the method or the
    resource itself is new or gone. A side that does not have it is None.
    """

    kind: Kind
    resource: str | None = None  # its path template
    method: str | None = None
    path: Path = ()
    before: Any = None
    after: Any = None


def differences(before: Definition, after: Definition) -> list[Difference]:
    """The API's settings first, then by path and HTTP method."""
    found = [_difference(path, old, new) for path, old, new in _walk(_settings(before), _settings(after), ())]
    resources = ({each.path: each for each in side.resources} for side in (before, after))
    olds, news = resources
    for resource_path in sorted({*olds, *news}):
        found += _of_resource(resource_path, olds.get(resource_path), news.get(resource_path))
    return found


def _of_resource(resource_path: str, before: Resource | None, after: Resource | None) -> Iterator[Difference]:
    olds = {} if before is None else before.methods
    news = {} if after is None else after.methods
    if not olds and not news and (before is None or after is None):
        yield Difference(kind="added" if before is None else "removed", resource=resource_path)
    for name in sorted({*olds, *news}):
        old = None if before is None or name not in olds else _plain_method(before, olds[name])
        new = None if after is None or name not in news else _plain_method(after, news[name])
        if old is None or new is None:
            yield _difference((), old, new, resource_path, name)
            continue
        for path, old_value, new_value in _walk(old, new, ()):
            yield _difference(path, old_value, new_value, resource_path, name)


def _difference(
    path: Path, before: Any, after: Any, resource: str | None = None, method: str | None = None
) -> Difference:
    kind: Kind = "added" if before is None else "removed" if after is None else "changed"
    return Difference(kind=kind, resource=resource, method=method, path=path, before=before, after=after)


def _walk(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """What differs between two plain values, each with the path to it."""
    if before == after:
        return
    one, other = (before, after) if before is not None else (after, before)
    if isinstance(one, Mapping) and isinstance(other or {}, Mapping) and not (other is None and _is_whole(path)):
        olds, news = before or {}, after or {}
        for name in sorted({*olds, *news}):
            yield from _walk(olds.get(name), news.get(name), (*path, name))
        return
    yield path, before, after


def _is_whole(path: Path) -> bool:
    return any(
        len(path) == len(whole) and all(part in {"*", name} for part, name in zip(whole, path, strict=True))
        for whole in _WHOLE
    )


def _settings(definition: Definition) -> dict[str, Any]:
    built = msgspec.to_builtins(definition.rest_api)
    settings: dict[str, Any] = _plain({name: built[name] for name in DEPLOYED_SETTINGS})
    return settings


def _plain_method(resource: Resource, method: Method) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(msgspec.to_builtins(method))
    integration = plain.get("methodIntegration", {})
    if integration.get("cacheNamespace") == resource.id:
        del integration["cacheNamespace"]
    return plain


def _plain(value: Any) -> Any:
    """Without what is not set, and with lists in one order."""
    match value:
        case dict():
            plain = {name: _plain(each) for name, each in value.items()}
            return {name: each for name, each in plain.items() if each is not None and each not in ({}, [])}
        case list() | tuple():
            return sorted(value)
        case _:
            return value
