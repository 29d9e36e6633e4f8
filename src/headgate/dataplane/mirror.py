"""Mirroring: some of the base's requests are sent once more, to the canary, and what it answers goes to nobody.

A method of the base side that is mirrored has its integration wrapped when the stage is compiled, so that any other
request's way touches nothing of this. A copy is sent in the loop's next turn, when the caller's answer has been
written; it takes no token of a bucket and is counted in no meter of a stage. Copies are bounded: what comes while as
many are on their way is left out, and counted.
"""

import asyncio
import logging
import weakref
from typing import Any, Final, NamedTuple

import msgspec

from headgate.dataplane.difference import MAX_BODY_BYTES, Answer, Differences, answer
from headgate.dataplane.ports import Ports
from headgate.dataplane.refusal import MissingAuthenticationToken, Refusal
from headgate.dataplane.request import Request, untold_copy
from headgate.dataplane.snapshot import CompiledIntegration, Reply, Variant
from headgate.model.rest_api import ANY

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1, without TRACE
MAX_RUNNING: Final = 32  # copies on their way, of a stage

_log = logging.getLogger("headgate.mirror")


def is_mirrored(http_method: str) -> bool:
    """Whether requests of a declared method may be mirrored; of ANY, those whose own method is safe are."""
    return http_method in SAFE_METHODS or http_method == ANY


class Mirror:
    """One canary's mirrored requests, and what was seen of them."""

    def __init__(self, canary_deployment_id: str, tasks: "set[asyncio.Task[None]]") -> None:
        self.canary_deployment_id = canary_deployment_id
        self._tasks = tasks
        self._running = 0
        self._dropped = 0
        self._failed = 0
        self._statuses: dict[str, int] = {}
        self._differences = Differences()

    def __repr__(self) -> str:
        return f"<Mirror {self._running} running, {self._differences}>"

    def send(
        self, request: Request, ports: Ports, primary: Answer, base: CompiledIntegration, *, compare: bool
    ) -> None:
        """Have a copy of a request sent, with what the caller is answered. Waits for nothing."""
        if self._running >= MAX_RUNNING or len(request.call.body) > MAX_BODY_BYTES:
            self._dropped += 1
            return
        self._running += 1
        task = asyncio.get_running_loop().create_task(self._send(request, ports, primary, base, compare=compare))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Not at the end of `_send`: a task that is cancelled before its first turn has none.
        self._running -= 1
        self._tasks.discard(task)

    def report(self) -> dict[str, Any]:
        """What was seen, as JSON."""
        return {
            "canaryDeploymentId": self.canary_deployment_id,
            "mirrored": sum(self._statuses.values()),
            "statuses": dict(sorted(self._statuses.items())),
            "running": self._running,
            "dropped": self._dropped,
            "failed": self._failed,
            "compared": self._differences.compared,
            "fields": self._differences.report(),
            "leftOut": self._differences.left_out,
        }

    async def _send(
        self, request: Request, ports: Ports, primary: Answer, base: CompiledIntegration, *, compare: bool
    ) -> None:
        try:
            candidate = await _candidate(request, ports)
            group = f"{candidate.status // 100}XX"
            self._statuses[group] = self._statuses.get(group, 0) + 1
            if compare:
                secondary = await _answer(base, untold_copy(request), ports)
                self._differences.add(primary, candidate, secondary)
        except Exception:
            self._failed += 1
            _log.exception("a mirrored request failed: %s %s", request.call.method, request.address.path)


class Mirroring(NamedTuple):
    """How a stage mirrors, as it is compiled."""

    mirror: Mirror
    percent: float  # of the base's requests with safe methods
    compare: bool

    def over(self, integration: CompiledIntegration) -> CompiledIntegration:
        """The same integration, mirrored."""
        return _Mirrored(integration, self)


class _Mirrored:
    """An integration of the base side: answers as it would, and has some of its requests mirrored."""

    def __init__(self, integration: CompiledIntegration, mirroring: Mirroring) -> None:
        self._integration = integration
        self._mirroring = mirroring

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        try:
            reply = await self._integration(request, ports)
        except Refusal as refusal:
            if self._is_drawn(request, ports):
                self._send(request, ports, _refused(refusal))
            raise
        if self._is_drawn(request, ports):
            # The reply's list of headers is added to on its way to the caller.
            self._send(request, ports, answer(reply.status, reply.headers, reply.body))
        return reply

    def _is_drawn(self, request: Request, ports: Ports) -> bool:
        return request.call.method in SAFE_METHODS and ports.draw() < self._mirroring.percent

    def _send(self, request: Request, ports: Ports, primary: Answer) -> None:
        mirroring = self._mirroring
        mirroring.mirror.send(request, ports, primary, self._integration, compare=mirroring.compare)


class Mirrors:
    """The mirrors that are in use.

    One lasts as long as a compiled stage uses it: over changes of weight, and not beyond the canary's deployment.
    """

    def __init__(self) -> None:
        self._mirrors: weakref.WeakValueDictionary[tuple[str, str], Mirror] = weakref.WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Mirrors {len(self._mirrors)} stages, {len(self._tasks)} running>"

    def of(self, api_id: str, stage_name: str, canary_deployment_id: str) -> Mirror:
        """The mirror of a stage's canary as it is compiled."""
        mirror = self._mirrors.get((api_id, stage_name))
        if mirror is None or mirror.canary_deployment_id != canary_deployment_id:
            mirror = self._mirrors[api_id, stage_name] = Mirror(canary_deployment_id, self._tasks)
        return mirror

    def find(self, api_id: str, stage_name: str) -> Mirror | None:
        return self._mirrors.get((api_id, stage_name))

    async def close(self) -> None:
        """End what is on its way: nobody waits for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _candidate(request: Request, ports: Ports) -> Answer:
    """The canary's answer: routed as a request of its own, and let in by whom let the caller's in."""
    canary: Variant | None = request.stage.canary
    found = None if canary is None else canary.routes.match(request.call.method, request.address.path)
    if canary is None or found is None:
        return _refused(MissingAuthenticationToken())
    method, path_parameters = found
    copy = msgspec.structs.replace(untold_copy(request), variant=canary, method=method, path_parameters=path_parameters)
    return await _answer(method.integration, copy, ports)


async def _answer(integration: CompiledIntegration, request: Request, ports: Ports) -> Answer:
    try:
        reply = await integration(request, ports)
    except Refusal as refusal:
        return _refused(refusal)
    return answer(reply.status, reply.headers, reply.body)


def _refused(refusal: Refusal) -> Answer:
    """What a refusal says beside its gateway response, which the API may word as it likes."""
    return Answer(refusal.status, (), refusal.response_type.encode())
