"""A trace put together: its services, who called whom, and what went wrong where.

A service is a segment, or what a subsegment called (namespace `aws` or `remote`) and no segment of the trace tells of:
such a service is inferred.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from headgate.telemetry.traces.database import StoredTrace
from headgate.telemetry.traces.segments import Segment, joined, with_subsegments

AnnotationValue = str | float | bool

_NAMESPACES: Final = frozenset({"aws", "remote"})


class Node:
    """One call of one service in a trace."""

    def __init__(self, segment: Segment, *, inferred: bool, is_root: bool = False) -> None:
        self.segment = segment
        self.inferred = inferred
        self.is_root = is_root
        self.name: str = str(segment.get("name", ""))
        self.start_s = float(segment.get("start_time") or 0.0)
        self.end_s = float(segment.get("end_time") or self.start_s)
        self.type = _type(segment, inferred=inferred)
        self.key = (self.name, self.type)

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.type}>"

    @property
    def response_s(self) -> float:
        return self.end_s - self.start_s

    def flag(self, name: str) -> bool:
        match name:
            case "ok":
                return not (self.flag("error") or self.flag("fault"))
            case "partial":
                return bool(self.segment.get("in_progress"))
            case "inferred":
                return self.inferred
            case "root" | "first":
                return self.is_root
            case _:
                return bool(self.segment.get(name))

    def number(self, name: str) -> float | None:
        match name:
            case "responsetime" | "duration":
                return self.response_s
            case "http.status":
                status = _within(self.segment, "http", "response", "status")
                return float(status) if isinstance(status, int | float) else None
        return None

    def texts(self, name: str) -> list[str]:
        match name:
            case "name":
                return [self.name]
            case "type":
                return [self.type]
            case "user":
                return _text(self.segment.get("user"))
            case "message":
                exceptions = _within(self.segment, "cause", "exceptions")
                return [str(each.get("message")) for each in exceptions or () if isinstance(each, dict)]
            case "resource.arn":
                return _text(self.segment.get("resource_arn"))
            case "instance.id":
                return _text(_within(self.segment, "aws", "ec2", "instance_id"))
            case "availabilityzone":
                return _text(_within(self.segment, "aws", "ec2", "availability_zone"))
            case "account.id":
                return _text(self.account_id)
        field = {
            "http.url": "url",
            "http.method": "method",
            "http.useragent": "user_agent",
            "http.clientip": "client_ip",
        }
        return _text(_within(self.segment, "http", "request", field[name])) if name in field else []

    def annotations(self, key: str) -> list[AnnotationValue]:
        return [value for name, value in self.all_annotations() if name == key]

    def all_annotations(self) -> Iterator[tuple[str, AnnotationValue]]:
        """Of the segment and of its subsegments."""
        for each in with_subsegments(self.segment):
            found = each.get("annotations")
            for key, value in found.items() if isinstance(found, dict) else ():
                if isinstance(value, str | int | float):
                    yield key, value

    @property
    def account_id(self) -> str:
        for path in (("aws", "account_id"), ("aws", "api_gateway", "account_id")):
            if isinstance(value := _within(self.segment, *path), str):
                return value
        return ""


class EdgeCall:
    """One call from one service to another."""

    def __init__(self, source: Node | None, target: Node) -> None:
        self.source = source  # None: the client
        self.target = target

    def flag(self, name: str) -> bool:
        return self.target.flag(name)

    def number(self, name: str) -> float | None:
        return self.target.number(name)

    def texts(self, name: str) -> list[str]:
        return self.target.texts(name)

    def annotations(self, key: str) -> list[AnnotationValue]:
        return self.target.annotations(key)


class TraceView:
    """One trace as a whole."""

    def __init__(self, stored: StoredTrace) -> None:
        self.id = stored.trace_id
        self.segments = joined(stored.documents)
        self.start_s = stored.start_s
        self.end_s = stored.end_s
        self.nodes: list[Node] = []
        self.edges: list[EdgeCall] = []
        self._put_together()

    def __repr__(self) -> str:
        return f"<TraceView {self.id}, {len(self.nodes)} services>"

    @property
    def root(self) -> Node:
        return self.nodes[0]

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def flag(self, name: str) -> bool:
        """Of the root for `ok`; for the others whether any service of the trace has it."""
        return self.root.flag(name) if name == "ok" else any(node.flag(name) for node in self.nodes)

    def number(self, name: str) -> float | None:
        return self.duration_s if name == "duration" else self.root.number(name)

    def texts(self, name: str) -> list[str]:
        if name.startswith("http."):
            return self.root.texts(name)
        return [text for node in self.nodes for text in node.texts(name)]

    def annotations(self, key: str) -> list[AnnotationValue]:
        return [value for node in self.nodes for value in node.annotations(key)]

    def _put_together(self) -> None:
        owner: dict[str, Node] = {}  # by the id of a segment or subsegment, the service that it is of
        for segment in self.segments:
            node = Node(segment, inferred=False)
            self.nodes.append(node)
            for each in with_subsegments(segment):
                owner[each["id"]] = node
        called: set[str] = set()
        for node in list(self.nodes):
            parent_id = node.segment.get("parent_id", "")
            source = owner.get(parent_id)
            if source is node:
                source = None
            called.add(parent_id)
            node.is_root = source is None
            self.edges.append(EdgeCall(source, node))
        for node in list(self.nodes):
            for each in with_subsegments(node.segment):
                if each is not node.segment and str(each.get("namespace")) in _NAMESPACES and each["id"] not in called:
                    inferred = Node(each, inferred=True)
                    self.nodes.append(inferred)
                    self.edges.append(EdgeCall(node, inferred))
        # The root first: the earliest of those that nothing of the trace called.
        self.nodes.sort(key=lambda node: (not node.is_root, node.inferred, node.start_s))


def summary(view: TraceView) -> dict[str, Any]:
    """A TraceSummary of the service model."""
    root = view.root
    http = {
        "HttpURL": _first(root.texts("http.url")),
        "HttpStatus": _whole(root.number("http.status")),
        "HttpMethod": _first(root.texts("http.method")),
        "UserAgent": _first(root.texts("http.useragent")),
        "ClientIp": _first(root.texts("http.clientip")),
    }
    return {
        "Id": view.id,
        "StartTime": view.start_s,
        "Duration": round(view.duration_s, 3),
        "ResponseTime": round(root.response_s, 3),
        "HasFault": root.flag("fault"),
        "HasError": root.flag("error"),
        "HasThrottle": any(node.flag("throttle") for node in view.nodes),
        "IsPartial": any(node.flag("partial") for node in view.nodes),
        "Http": http,
        "Annotations": _annotations(view.nodes),
        "Users": [
            {"UserName": user, "ServiceIds": [service_id(node)]} for node in view.nodes for user in node.texts("user")
        ],
        "ServiceIds": [service_id(node) for node in {node.key: node for node in view.nodes}.values()],
        "ResourceARNs": [{"ARN": arn} for arn in dict.fromkeys(view.texts("resource.arn"))],
        "InstanceIds": [{"Id": each} for each in dict.fromkeys(view.texts("instance.id"))],
        "AvailabilityZones": [{"Name": each} for each in dict.fromkeys(view.texts("availabilityzone"))],
        "EntryPoint": service_id(root),
        "FaultRootCauses": [],
        "ErrorRootCauses": [],
        "ResponseTimeRootCauses": [],
        "Revision": len(view.segments),
    }


def service_id(node: Node) -> dict[str, Any]:
    return {"Name": node.name, "Names": [node.name], "AccountId": node.account_id or None, "Type": node.type}


def _annotations(nodes: Sequence[Node]) -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        for key, value in node.all_annotations():
            kind = {bool: "BooleanValue", str: "StringValue"}.get(type(value), "NumberValue")
            found.setdefault(key, []).append({"AnnotationValue": {kind: value}, "ServiceIds": [service_id(node)]})
    return found


def _type(segment: Segment, *, inferred: bool) -> str:
    if inferred:
        return f"AWS::{segment['name']}" if segment.get("namespace") == "aws" else "remote"
    origin = segment.get("origin")
    return origin if isinstance(origin, str) else ""


def _within(segment: Mapping[str, Any], *path: str) -> Any:
    """What stands at a path of a document of which nothing below the checked members is known."""
    value: Any = segment
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: object) -> list[str]:
    return [value] if isinstance(value, str) else []


def _first(texts: Sequence[str]) -> str | None:
    return texts[0] if texts else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
