"""Service graphs: the services of traces, the calls between them, and how these went."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from headgate.telemetry.traces.view import EdgeCall, Node, TraceView


class _Statistics:
    """How the calls of a service, or of an edge, went."""

    def __init__(self) -> None:
        self.ok = self.throttles = self.errors = self.faults = 0
        self.total_s = 0.0
        self.start_s = float("inf")
        self.end_s = 0.0
        self.histogram: Counter[float] = Counter()

    def add(self, node: Node) -> None:
        if node.flag("fault"):
            self.faults += 1
        elif node.flag("throttle"):
            self.throttles += 1
        elif node.flag("error"):
            self.errors += 1
        else:
            self.ok += 1
        self.total_s += node.response_s
        self.start_s = min(self.start_s, node.start_s)
        self.end_s = max(self.end_s, node.end_s)
        self.histogram[round(node.response_s, 3)] += 1

    @property
    def shown(self) -> dict[str, Any]:
        """EdgeStatistics and ServiceStatistics of the service model."""
        errors = self.errors + self.throttles
        return {
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttles,
                "OtherCount": self.errors,
                "TotalCount": errors,
            },
            "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
            "TotalCount": self.ok + errors + self.faults,
            "TotalResponseTime": self.total_s,
        }

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [{"Value": value, "Count": count} for value, count in sorted(self.histogram.items())]


_Key = tuple[str, str]


class ServiceGraph:
    """Adds up traces. Services are told apart by name and type; clients of all entry points are one."""

    def __init__(self) -> None:
        self._nodes: dict[_Key, tuple[Node, _Statistics]] = {}
        self._edges: dict[tuple[_Key | None, _Key], _Statistics] = {}
        self._roots: set[_Key] = set()

    def add(self, view: TraceView) -> None:
        for node in view.nodes:
            self._nodes.setdefault(node.key, (node, _Statistics()))[1].add(node)
            if node.is_root:
                self._roots.add(node.key)
        for edge in view.edges:
            self._edge(edge).add(edge.target)

    def services(self) -> list[dict[str, Any]]:
        """Services of the service model, those that traces begin with first, then the client."""
        keys = sorted(self._nodes, key=lambda key: key not in self._roots)
        numbers = {key: number for number, key in enumerate(keys)}
        shown = [self._service(key, numbers) for key in keys]
        from_clients = {target: each for (source, target), each in self._edges.items() if source is None}
        if from_clients:
            shown.append(
                {
                    "ReferenceId": len(keys),
                    "Type": "client",
                    "State": "unknown",
                    "StartTime": min(each.start_s for each in from_clients.values()),
                    "EndTime": max(each.end_s for each in from_clients.values()),
                    "Edges": _edges(from_clients.items(), numbers),
                }
            )
        return shown

    def _service(self, key: _Key, numbers: dict[_Key, int]) -> dict[str, Any]:
        node, statistics = self._nodes[key]
        calls = [(target, each) for (source, target), each in self._edges.items() if source == key]
        return {
            "ReferenceId": numbers[key],
            "Name": node.name,
            "Names": [node.name],
            "Root": key in self._roots or None,
            "AccountId": node.account_id or None,
            "Type": node.type or None,
            "State": "active",
            "StartTime": statistics.start_s,
            "EndTime": statistics.end_s,
            "Edges": _edges(calls, numbers),
            "SummaryStatistics": statistics.shown,
            "DurationHistogram": statistics.entries,
            "ResponseTimeHistogram": statistics.entries,
        }

    def _edge(self, edge: EdgeCall) -> _Statistics:
        key = (None if edge.source is None else edge.source.key, edge.target.key)
        return self._edges.setdefault(key, _Statistics())


def graph_of(views: Sequence[TraceView]) -> list[dict[str, Any]]:
    graph = ServiceGraph()
    for view in views:
        graph.add(view)
    return graph.services()


def _edges(calls: Iterable[tuple[_Key, _Statistics]], numbers: dict[_Key, int]) -> list[dict[str, Any]]:
    return [
        {
            "ReferenceId": numbers[target],
            "StartTime": each.start_s,
            "EndTime": each.end_s,
            "SummaryStatistics": each.shown,
            "ResponseTimeHistogram": each.entries,
            "Aliases": [],
        }
        for target, each in calls
    ]
