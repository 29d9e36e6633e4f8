"""The functions as they are published: which version a reference stands for, and who may call it."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from headgate.functions.concurrency import ACCOUNT_LIMIT, Gate, Gates
from headgate.functions.permission import LOGS, permits
from headgate.model.arn import FunctionRef
from headgate.model.event import MAX_AGE_S, MAX_RETRIES, EventInvokeConfig, EventPolicy
from headgate.model.function import LATEST, Alias, FunctionVersion, PolicyStatement, choose_version
from headgate.model.invocation import FunctionSpec

_MEMO_SIZE = 4096  # decisions a function keeps; a stage has a few per method


class PublishedFunction(msgspec.Struct, frozen=True):
    """One function with its versions, aliases and policies. A change makes a new one."""

    versions: Mapping[str, FunctionVersion]
    aliases: Mapping[str, Alias]
    policies: Mapping[str, tuple[PolicyStatement, ...]]  # by qualifier; "" is the function
    reserved_concurrency: int | None = None
    event_configs: Mapping[str, EventInvokeConfig] = {}  # by qualifier; "$LATEST" is the function
    provisioned: Mapping[str, int] = {}  # environments to keep started, by version
    gate: Gate = Gate(0, is_reserved=True)  # the directory gives its own
    specs: dict[str, FunctionSpec] = msgspec.field(default_factory=dict)  # by version; of those called since
    decisions: dict[tuple[str, tuple[str, ...]], bool] = msgspec.field(default_factory=dict)

    def resolve(self, qualifier: str, draw: float) -> FunctionVersion | None:
        """The version that answers one call; `draw` is uniform in [0, 1) and picks an alias's side."""
        alias = self.aliases.get(qualifier)
        if alias is not None:
            return self.versions.get(choose_version(alias, draw))
        return self.versions.get(qualifier or LATEST)


def event_policy(function: PublishedFunction, qualifier: str) -> EventPolicy:
    """What holds for events of a function, version or alias: an alias has its own or the defaults, not the version's.

    The dead-letter target belongs to the version; an alias's two versions have the same.
    """
    version = function.resolve(qualifier, 0.0)
    dead_letter = version.dead_letter_config.target_arn if version and version.dead_letter_config else None
    config = function.event_configs.get(qualifier or LATEST)
    if config is None:
        return EventPolicy(dead_letter=dead_letter or "")
    retries, age_s = config.maximum_retry_attempts, config.maximum_event_age_s
    return EventPolicy(
        max_retries=MAX_RETRIES if retries is None else retries,
        max_age_s=MAX_AGE_S if age_s is None else age_s,
        on_success=config.destination_config.on_success.destination or "",
        on_failure=config.destination_config.on_failure.destination or "",
        dead_letter=dead_letter or "",
    )


class FunctionDirectory:
    """All published functions, by account, region and name. A publication swaps one entry."""

    def __init__(self, concurrency: int = ACCOUNT_LIMIT) -> None:
        """`concurrency` is the limit of an account in a region: calls that run at once."""
        self._gates = Gates(concurrency)
        self._functions: dict[tuple[str, str, str], PublishedFunction] = {}

    def __repr__(self) -> str:
        return f"<FunctionDirectory {len(self._functions)} functions>"

    def __len__(self) -> int:
        return len(self._functions)

    def publish(self, key: tuple[str, str, str], function: PublishedFunction | None) -> PublishedFunction | None:
        """Serve this from the next call on, None to take it away. Gives what was served before."""
        before = self._functions.pop(key, None)
        gate = self._gates.set(key, None if function is None else function.reserved_concurrency)
        if function is not None:
            self._functions[key] = replace(function, gate=gate)
        return before

    def find(self, ref: FunctionRef) -> PublishedFunction | None:
        return self._functions.get((ref.account_id, ref.region, ref.name))

    def resolve(self, ref: FunctionRef, draw: float) -> FunctionVersion | None:
        function = self._functions.get((ref.account_id, ref.region, ref.name))
        return None if function is None else function.resolve(ref.qualifier, draw)

    def permits_logs(self, ref: FunctionRef, log_group_arn: str) -> bool:
        """Whether CloudWatch Logs may call it for this group."""
        return self.permits_service(ref, log_group_arn, LOGS)

    def permits_service(self, ref: FunctionRef, source_arn: str, principal: str) -> bool:
        """Whether a service may call it for this source; not memorized, for it is asked seldom."""
        function = self._functions.get((ref.account_id, ref.region, ref.name))
        if function is None or function.resolve(ref.qualifier, 0.0) is None:
            return False
        statements = function.policies.get("" if ref.qualifier == LATEST else ref.qualifier, ())
        return any(permits(statement, source_arn, principal) for statement in statements)

    def permits(self, ref: FunctionRef, source_arns: tuple[str, ...]) -> bool:
        """Whether API Gateway may call this function, version or alias from one of these ARNs.

        A call through an alias is judged by the alias's policy only (aws-semantics 9.3).
        """
        function = self._functions.get((ref.account_id, ref.region, ref.name))
        if function is None:
            return False
        decision = function.decisions.get((ref.qualifier, source_arns))
        if decision is None:
            # `$LATEST` has no policy of its own: the function's decides.
            statements = function.policies.get("" if ref.qualifier == LATEST else ref.qualifier, ())
            decision = any(permits(statement, arn) for statement in statements for arn in source_arns)
            if len(function.decisions) >= _MEMO_SIZE:
                function.decisions.clear()
            function.decisions[ref.qualifier, source_arns] = decision
        return decision
