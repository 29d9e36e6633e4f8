"""From what a transaction changed to what is served: compiles before the commit, publishes after it."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from headgate.control.lambda_.provisioned import environments_by_version
from headgate.dataplane.compile import CompileError, compile_stage
from headgate.dataplane.compile_witness import Telling
from headgate.dataplane.function_url.published import FunctionUrls, PublishedUrl, published
from headgate.dataplane.mirror import Mirrors
from headgate.dataplane.observation import Meters
from headgate.dataplane.snapshot import Stages, StageSnapshot
from headgate.dataplane.throttle import Buckets
from headgate.functions.directory import FunctionDirectory, PublishedFunction
from headgate.model.deployment import Definition
from headgate.model.errors import ApiError
from headgate.model.event import EventInvokeConfig
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import Alias, FunctionPolicy, FunctionRecord, FunctionVersion
from headgate.model.function_url import FunctionUrl
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.model.rest_api import RestApi
from headgate.model.stage import Stage
from headgate.store.transaction import Change, Transaction

_log = logging.getLogger("headgate.publishing")

_FunctionKey = tuple[str, str, str]
_Published = tuple[PublishedFunction | None, Sequence[PublishedUrl]]  # a function and its URLs
_FUNCTION_KINDS = (
    FunctionRecord,
    FunctionVersion,
    Alias,
    FunctionPolicy,
    FunctionUrl,
    EventInvokeConfig,
    ProvisionedConcurrency,
)


class FunctionKeeper(Protocol):
    """What starts, ends and calls functions as they are published."""

    def expect_call(self) -> None:
        """There is a new function: its first call may come soon."""
        ...

    def retire(self, version: FunctionVersion) -> None:
        """A version is no more, or no more what it was."""
        ...

    def keep_started(self, version: FunctionVersion, environments: int) -> None: ...

    def poll(self, uuid: str, mapping: EventSourceMapping | None) -> None:
        """Take messages as an event source mapping says; None where it is no more."""
        ...


class Publisher:
    """Keeps what is served equal to what is stored. `prepare` runs on the store's thread, all else on the loop's."""

    def __init__(
        self,
        stages: Stages,
        functions: FunctionDirectory,
        buckets: Buckets,
        meters: Meters,
        keeper: FunctionKeeper,
        urls: FunctionUrls,
        mirrors: Mirrors,
    ) -> None:
        self._stages = stages
        self._functions = functions
        self._buckets = buckets
        self._meters = meters
        self._keeper = keeper
        self._urls = urls
        self.telling: Telling | None = None
        """Where requests are logged: set before anything is compiled."""
        self._mirrors = mirrors
        self._api_ids: frozenset[str] = frozenset()

    def load(self, tx: Transaction) -> Callable[[], None]:
        """Compile all that is stored, at the start. A stage that does not compile is left out and logged."""
        stages: dict[tuple[str, str], StageSnapshot | None] = {}
        for stage in tx.list(Stage):
            try:
                stages[stage.rest_api_id, stage.stage_name] = self._compile(tx, stage)
            except CompileError as error:
                _log.error("stage %s/%s is not served: %s", stage.rest_api_id, stage.stage_name, error)
        records = tx.list(FunctionRecord)
        functions = {key: _function(tx, key) for key in ((each.account_id, each.region, each.name) for each in records)}
        api_ids = frozenset(api.id for api in tx.list(RestApi))
        mappings = tx.list(EventSourceMapping)

        def publish() -> None:
            self._publish(stages, functions, api_ids, frozenset())
            for mapping in mappings:
                self._keeper.poll(mapping.uuid, mapping)

        return publish

    def prepare(self, tx: Transaction, changes: Sequence[Change]) -> Callable[[], None]:
        """Compile what these changes touch; see `store.Prepare`. Raises ApiError for a stage that cannot be served."""
        stages: dict[tuple[str, str], StageSnapshot | None] = {}
        functions: dict[_FunctionKey, _Published] = {}
        added: set[str] = set()
        removed: set[str] = set()
        mappings: dict[str, EventSourceMapping | None] = {}
        for change in changes:
            if change.kind is Stage:
                api_id, stage_name = change.key
                stages[api_id, stage_name] = self._recompiled(tx, api_id, stage_name)
            elif change.kind is RestApi:
                (removed if tx.get(RestApi, *change.key) is None else added).add(change.key[2])
            elif change.kind is EventSourceMapping:
                mappings[change.key[2]] = tx.get(EventSourceMapping, *change.key)
            elif change.kind in _FUNCTION_KINDS:
                account_id, region, name = change.key[:3]
                functions[account_id, region, name] = _function(tx, (account_id, region, name))

        def publish() -> None:
            self._publish(stages, functions, frozenset(added), frozenset(removed))
            for uuid, mapping in mappings.items():
                self._keeper.poll(uuid, mapping)

        return publish

    def _publish(
        self,
        stages: dict[tuple[str, str], StageSnapshot | None],
        functions: dict[_FunctionKey, _Published],
        added: frozenset[str],
        removed: frozenset[str],
    ) -> None:
        # Functions first: a stage published with them may refer to a version that is new too.
        for key, (function, urls) in functions.items():
            before = self._functions.publish(key, function)
            self._urls.publish(key, urls)
            if before is None and function is not None:
                self._keeper.expect_call()
            for version in _gone(before, function):
                self._keeper.retire(version)
            for version, environments in _to_keep_started(before, function):
                self._keeper.keep_started(version, environments)
        self._api_ids = (self._api_ids | added) - removed
        if stages or added or removed:
            self._stages.publish(stages, self._api_ids)
        for (api_id, stage_name), snapshot in stages.items():
            if snapshot is None:
                self._buckets.drop_stage(api_id, stage_name)
                self._meters.drop_stage(api_id, stage_name)

    def _recompiled(self, tx: Transaction, api_id: str, stage_name: str) -> StageSnapshot | None:
        stage = tx.get(Stage, api_id, stage_name)
        if stage is None:
            return None
        try:
            return self._compile(tx, stage)
        except CompileError as error:
            raise ApiError("BadRequestException", f"Stage {stage_name} cannot be served: {error}") from error

    def _compile(self, tx: Transaction, stage: Stage) -> StageSnapshot:
        ids: set[str] = {stage.deployment_id}
        if stage.canary_settings is not None:
            ids.add(stage.canary_settings.deployment_id)
        definitions: dict[str, Definition] = {}
        for deployment_id in ids:
            definition = tx.get(Definition, stage.rest_api_id, deployment_id)
            if definition is None:
                raise CompileError(f"its deployment {deployment_id} does not exist")
            definitions[deployment_id] = definition
        return compile_stage(stage, definitions, self._buckets, self._meters, self._mirrors, self.telling)


def _function(tx: Transaction, key: _FunctionKey) -> _Published:
    record = tx.get(FunctionRecord, *key)
    if record is None:
        return None, ()
    aliases = {alias.name: alias for alias in tx.list(Alias, *key)}
    policies = {policy.qualifier: policy.statements for policy in tx.list(FunctionPolicy, *key)}
    function = PublishedFunction(
        versions={version.version: version for version in tx.list(FunctionVersion, *key)},
        aliases=aliases,
        policies=policies,
        reserved_concurrency=record.reserved_concurrency,
        event_configs={config.qualifier: config for config in tx.list(EventInvokeConfig, *key)},
        provisioned=environments_by_version(tx.list(ProvisionedConcurrency, *key), aliases),
    )
    return function, [published(url, policies) for url in tx.list(FunctionUrl, *key)]


def _to_keep_started(
    before: PublishedFunction | None, after: PublishedFunction | None
) -> list[tuple[FunctionVersion, int]]:
    """The versions of which environments are to be kept started, or no more, each with their number."""
    if after is None:
        return []
    ended = {} if before is None else dict.fromkeys(before.provisioned, 0)
    wanted = {**ended, **after.provisioned}
    return [(after.versions[name], number) for name, number in wanted.items() if name in after.versions]


def _gone(before: PublishedFunction | None, after: PublishedFunction | None) -> list[FunctionVersion]:
    """The versions that are no more, or are no more what they were."""
    if before is None:
        return []
    now = {} if after is None else after.versions
    return [
        version
        for name, version in before.versions.items()
        if name not in now or now[name].revision_id != version.revision_id
    ]
