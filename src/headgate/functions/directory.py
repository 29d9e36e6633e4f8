"""The functions as they are published: which version a reference stands for, and who may call it."""

from collections.abc import Mapping

import msgspec

from headgate.functions.permission import LOGS, permits
from headgate.model.arn import FunctionRef
from headgate.model.function import LATEST, Alias, FunctionVersion, PolicyStatement, choose_version

_MEMO_SIZE = 4096  # decisions a function keeps; a stage has a few per method


class PublishedFunction(msgspec.Struct, frozen=True):
    """One function with its versions, aliases and policies. A change makes a new one."""

    versions: Mapping[str, FunctionVersion]
    aliases: Mapping[str, Alias]
    policies: Mapping[str, tuple[PolicyStatement, ...]]  # by qualifier; "" is the function
    decisions: dict[tuple[str, tuple[str, ...]], bool] = msgspec.field(default_factory=dict)

    def resolve(self, qualifier: str, draw: float) -> FunctionVersion | None:
        """The version that answers one call; `draw` is uniform in [0, 1) and picks an alias's side."""
        alias = self.aliases.get(qualifier)
        if alias is not None:
            return self.versions.get(choose_version(alias, draw))
        return self.versions.get(qualifier or LATEST)


class FunctionDirectory:
    """All published functions, by account, region and name. A publication swaps one entry."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str, str], PublishedFunction] = {}

    def __repr__(self) -> str:
        return f"<FunctionDirectory {len(self._functions)} functions>"

    def __len__(self) -> int:
        return len(self._functions)

    def publish(self, key: tuple[str, str, str], function: PublishedFunction | None) -> PublishedFunction | None:
        """Serve this from the next call on, None to take it away. Gives what was served before."""
        before = self._functions.pop(key, None)
        if function is not None:
            self._functions[key] = function
        return before

    def resolve(self, ref: FunctionRef, draw: float) -> FunctionVersion | None:
        function = self._functions.get((ref.account_id, ref.region, ref.name))
        return None if function is None else function.resolve(ref.qualifier, draw)

    def permits_logs(self, ref: FunctionRef, log_group_arn: str) -> bool:
        """Whether CloudWatch Logs may call it for this group; not memorized, for it is asked once per subscription."""
        function = self._functions.get((ref.account_id, ref.region, ref.name))
        if function is None or function.resolve(ref.qualifier, 0.0) is None:
            return False
        statements = function.policies.get("" if ref.qualifier == LATEST else ref.qualifier, ())
        return any(permits(statement, log_group_arn, LOGS) for statement in statements)

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
