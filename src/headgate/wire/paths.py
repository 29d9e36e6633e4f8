"""The URIs of a REST service as a tree of their segments."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from headgate.model.value import Value
from headgate.wire.schema import OperationModel

Found = tuple[str, dict[str, str]]  # the operation's name; the labels' texts, still encoded


class _Route(Value, frozen=True):
    operation: str
    labels: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]  # what the query string has to say, as in `/restapis?mode=import`


class _Node:
    """A place in the tree. `routes` end here; `spanning` ones take one or more further segments as one label."""

    __slots__ = ("label", "literals", "routes", "spanning")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.label: _Node | None = None
        self.routes: dict[str, list[_Route]] = {}
        self.spanning: dict[str, list[_Route]] = {}


class Paths:
    """Finds the operation for a method, path and query.

    A literal segment beats a label, and a label beats one that spans segments. Spanning are greedy labels (`{key+}`, in
    our services always the last) and, as a last resort, an ARN at the end of a path: SDKs encode its slashes, people
    with curl do not. Of two operations on one path, the one whose query-string constants are all there wins.
    """

    def __init__(self, operations: Iterable[OperationModel]) -> None:
        self._root = _Node()
        for operation in operations:
            self._add(operation)

    def find(self, method: str, path: str, query: Mapping[str, str]) -> Found | None:
        """`path` is percent-encoded. A slash at the end is passed over: older SDKs list functions with one."""
        segments = path.removeprefix("/").split("/")
        found = _walk(self._root, method, segments, (), query)
        if found is None and len(segments) > 1 and not segments[-1]:
            found = _walk(self._root, method, segments[:-1], (), query)
        return found

    def _add(self, operation: OperationModel) -> None:
        path, _, constants = operation.http.request_uri.partition("?")
        segments = path.removeprefix("/").split("/")
        labels = tuple(segment.strip("{+}") for segment in segments if segment.startswith("{"))
        pairs = tuple(parse_qsl(constants, keep_blank_values=True))
        route = _Route(operation=operation.name, labels=labels, constants=pairs)
        node = self._root
        for segment in segments[:-1]:
            node = _step(node, segment)
        last = segments[-1]
        if last.endswith("+}") or (last.startswith("{") and _names_an_arn(labels[-1])):
            _insert(node.spanning, operation.http.method, route)
        if not last.endswith("+}"):
            _insert(_step(node, last).routes, operation.http.method, route)


def _step(node: _Node, segment: str) -> _Node:
    if not segment.startswith("{"):
        return node.literals.setdefault(segment, _Node())
    if node.label is None:
        node.label = _Node()
    return node.label


def _insert(routes: dict[str, list[_Route]], method: str, route: _Route) -> None:
    routes.setdefault(method, []).append(route)
    routes[method].sort(key=lambda each: -len(each.constants))


def _names_an_arn(label: str) -> bool:
    return label.lower().endswith("arn") or label == "Resource"  # the latter is Lambda's, of its tags


def _walk(
    node: _Node, method: str, segments: list[str], taken: tuple[str, ...], query: Mapping[str, str]
) -> Found | None:
    if not segments:
        return _choose(node.routes.get(method, ()), taken, query)
    head, *tail = segments
    found = None
    if (below := node.literals.get(head)) is not None:
        found = _walk(below, method, tail, taken, query)
    if found is None and head and node.label is not None:
        found = _walk(node.label, method, tail, (*taken, head), query)
    if found is None and head and node.spanning:
        found = _choose(node.spanning.get(method, ()), (*taken, "/".join(segments)), query)
    return found


def _choose(routes: Iterable[_Route], taken: tuple[str, ...], query: Mapping[str, str]) -> Found | None:
    for route in routes:
        if all(query.get(name) == text for name, text in route.constants):
            return route.operation, dict(zip(route.labels, taken, strict=True))
    return None
