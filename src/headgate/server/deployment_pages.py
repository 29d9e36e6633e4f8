"""The control listener's pages of deployments: their definitions, their differences, and what moved a stage.

    GET /_headgate/apis/{api}/definitions/{reference}
    GET /_headgate/apis/{api}/diff?a=REFERENCE&b=REFERENCE
    GET /_headgate/stages/{api}/{stage}/history?limit=100

The API is named by id or name. Account and region are the signature's, as everywhere; `account` and `region` of the
query, where they are given, go before it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote

from msgspec.structs import replace

from headgate.control.apigateway import deployed
from headgate.control.context import Context, Store
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.model.stage_history import MAX_MOVES
from headgate.wire.http import HttpRequest, query_pairs
from headgate.wire.sigv4 import scope_of

_DEFINITION: Final = re.compile(r"/_headgate/apis/([^/]+)/definitions/([^/]+(?:/canary)?)")
_DIFF: Final = re.compile(r"/_headgate/apis/([^/]+)/diff")
_HISTORY: Final = re.compile(r"/_headgate/stages/([^/]+)/([^/]+)/history")
DEFAULT_MOVES: Final = 100

OpenRelease = Callable[[Scope, Collection[str], str], str | None]
"""The name of the release that is on its way on a stage, of an API by any of these names; it may block."""

Page = tuple[int, Mapping[str, Any]]


class DeploymentPages:
    def __init__(self, store: Store, default_account: str, open_release: OpenRelease) -> None:
        self._store = store
        self._default_account = default_account
        self._open_release = open_release

    async def answer(self, request: HttpRequest) -> Page | None:
        """Status and JSON; None for another page."""
        try:
            if found := _DEFINITION.fullmatch(request.path):
                return await self._answer(request, self._definition, unquote(found[1]), unquote(found[2]))
            if found := _DIFF.fullmatch(request.path):
                return await self._answer(request, self._diff, unquote(found[1]))
            if found := _HISTORY.fullmatch(request.path):
                return await self._answer(request, self._history, unquote(found[1]), unquote(found[2]))
        except ApiError as error:
            return error.status, {"message": error.message}
        return None

    async def _answer(
        self, request: HttpRequest, page: Callable[..., Awaitable[Mapping[str, Any]]], *names: str
    ) -> Page:
        if request.method not in {"GET", "HEAD"}:
            return 405, {"message": f"{request.method} is not answered at {request.path}"}
        query = dict(query_pairs(request.query))
        scope = scope_of(request, self._default_account)
        scope = replace(
            scope, account_id=query.get("account") or scope.account_id, region=query.get("region") or scope.region
        )
        return 200, await page(scope, query, *names)

    async def _definition(self, scope: Scope, _query: Mapping[str, str], api: str, reference: str) -> Mapping[str, Any]:
        return await self._store.read(lambda tx: deployed.definition_of(Context(tx, scope, 0.0), api, reference))

    async def _diff(self, scope: Scope, query: Mapping[str, str], api: str) -> Mapping[str, Any]:
        a, b = query.get("a", ""), query.get("b", "")
        if b and not a:
            raise ApiError("BadRequestException", f"b is {b!r} and a is missing; give a, or both")
        found, pairs = await self._store.read(lambda tx: deployed.comparisons(Context(tx, scope, 0.0), api, a, b))
        return await asyncio.to_thread(deployed.compared, found, pairs)

    async def _history(self, scope: Scope, query: Mapping[str, str], api: str, stage: str) -> Mapping[str, Any]:
        limit = query.get("limit", str(DEFAULT_MOVES))
        if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_MOVES:
            raise ApiError("BadRequestException", f"limit is {limit!r}; give a number from 1 to {MAX_MOVES}")
        found, history = await self._store.read(
            lambda tx: deployed.history_of(Context(tx, scope, 0.0), api, stage, int(limit))
        )
        release = await asyncio.to_thread(self._open_release, scope, {found.id, found.name}, stage)
        return {**history, "openRelease": release}
