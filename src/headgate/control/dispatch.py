"""A control-plane request's way: wire -> operation -> wire. The door at which errors become bytes."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from headgate.control.context import Act, Answer, Context, OperationTable, Read, Store, Stream, Write
from headgate.model.call import Pieces
from headgate.model.errors import ApiError
from headgate.model.ids import new_request_id
from headgate.model.scope import Scope
from headgate.store.transaction import Transaction
from headgate.wire.errors import render_error, unknown_operation, unsupported_operation
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.router import Routed, Router
from headgate.wire.services import Service
from headgate.wire.sigv4 import scope_of

_log = logging.getLogger("headgate.control")


class Bridge(Protocol):
    """Whoever answers for the services that are not ours."""

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse: ...


class OwnService(msgspec.Struct, frozen=True):
    """One service that Headgate answers itself: its operations, and what its `Act`s are given."""

    operations: OperationTable
    ports: Any = None
    bridged_otherwise: bool = False  # what is not in `operations` goes to the bridge, not to a refusal


class Dispatcher:
    def __init__(
        self,
        services: Mapping[str, Service],
        own: Mapping[str, OwnService],
        store: Store,
        bridge: Bridge,
        default_account: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._router: Final = Router(services)
        self._own = own
        self._store = store
        self._bridge = bridge
        self._default_account = default_account
        self._clock = clock

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer one request, whatever it is."""
        request_id = new_request_id()
        scope = scope_of(request, self._default_account)
        routed = Routed(service_name=scope.service, protocol="rest-json", ours=False)
        try:
            routed = self._router.route(request, scope)
            if self._is_bridged(routed):
                # The bridge goes by signing names: monitoring, not cloudwatch.
                return await self._bridge.answer(scope.service or routed.service_name, request, scope)
            return await self._run(request, routed, scope, request_id)
        except ApiError as error:
            return render_error(routed.protocol, routed.service_name, error, request_id)
        except Exception:
            _log.exception("request %s failed: %s %s", request_id, request.method, request.path)
            defect = ApiError("InternalFailure", f"Internal server error; see the server's log for {request_id}", 500)
            return render_error(routed.protocol, routed.service_name, defect, request_id)

    def _is_bridged(self, routed: Routed) -> bool:
        if not routed.ours:
            return bool(routed.service_name)
        own = self._own[routed.service_name]
        if routed.operation is None:
            return own.bridged_otherwise
        return own.bridged_otherwise and routed.operation.name not in own.operations

    async def _run(self, request: HttpRequest, routed: Routed, scope: Scope, request_id: str) -> HttpResponse:
        if routed.operation is None:
            raise unknown_operation(routed.service_name, request)
        own = self._own[routed.service_name]
        operation_name = routed.operation.name
        operation = own.operations.get(operation_name)
        if operation is None:
            raise unsupported_operation(routed.service_name, operation_name)
        members = routed.operation.parse(request, routed)
        now = self._clock()
        agent = request.headers.get("user-agent", "")

        def context(tx: Transaction) -> Context:
            return Context(tx, scope, now, operation_name, agent)

        answer: Mapping[str, Any] | None
        pieces: Pieces | None = None
        match operation:
            case Read(run=run):
                answer = await self._store.read(lambda tx: _built(run(context(tx), members)))
            case Write(run=run):
                answer = await self._store.write(lambda tx: _built(run(context(tx), members)))
            case Act(run=act):
                answer = _built(await act(own.ports, scope, now, members))
                request_id = _own_request_id(answer) or request_id
            case Stream(run=stream):
                begun, pieces = await stream(own.ports, scope, now, members)
                answer = _built(begun)
                request_id = _own_request_id(answer) or request_id
        response = routed.operation.serialize(answer, request_id)
        return response if pieces is None else msgspec.structs.replace(response, pieces=pieces)


def _own_request_id(answer: Mapping[str, Any] | None) -> str | None:
    """A call of a function has an id of its own, by which its log and its dead letter name it."""
    return (answer or {}).get("RequestId")


def _built(answer: Answer) -> Mapping[str, Any] | None:
    """An answer as members by their wire names."""
    if answer is None:
        return None
    built: Mapping[str, Any] = msgspec.to_builtins(answer, builtin_types=(bytes,))
    return built
