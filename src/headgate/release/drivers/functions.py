"""A release's functions in one region: publishing versions and moving aliases."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.model.release import Release
from headgate.release.drift import alias_key
from headgate.release.drivers.calls import Clients, calling
from headgate.release.events import AliasTarget
from headgate.release.failures import Refused, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_UPDATE_S: Final = 120  # at most, until new code is in place


class ReleaseFunctions:
    """The functions that a release changes."""

    def __init__(self, release: Release, clients: Clients) -> None:
        self._changes = release.change.functions
        self._clients = clients

    @property
    def _lambda(self) -> "LambdaClient":
        return self._clients.lambda_

    def problems(self) -> list[str]:
        """What is missing. Raises Unavailable."""
        found = []
        for function, change in self._changes.items():
            try:
                with calling(f"alias {change.alias} of function {function}"):
                    alias = self._lambda.get_alias(FunctionName=function, Name=change.alias)
                if alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
                    found.append(f"alias {function}:{change.alias} shares its traffic already; end that first")
                if change.version is not None:
                    with calling(f"version {change.version} of function {function}"):
                        self._lambda.get_function_configuration(FunctionName=function, Qualifier=change.version)
            except Refused as error:
                found.append(str(error))
        return found

    def aliases(self) -> dict[str, AliasTarget]:
        """By function:alias; one that is gone is left out."""
        seen = {}
        for function, change in self._changes.items():
            try:
                with calling(f"reading alias {function}:{change.alias}"):
                    alias = self._lambda.get_alias(FunctionName=function, Name=change.alias)
            except Refused:
                continue
            weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            seen[alias_key(function, change.alias)] = AliasTarget(version=alias["FunctionVersion"], weights=weights)
        return seen

    def publish(self, function: str, code: bytes) -> str:
        """Code is published once: Lambda answers the version that holds it already."""
        digest = b64encode(hashlib.sha256(code).digest()).decode()
        with calling(f"new code of function {function}"):
            self._lambda.update_function_code(FunctionName=function, ZipFile=code)
            self._lambda.get_waiter("function_updated_v2").wait(
                FunctionName=function, WaiterConfig={"Delay": 1, "MaxAttempts": _UPDATE_S}
            )
            published = self._lambda.publish_version(FunctionName=function, CodeSha256=digest)
        return published["Version"]

    def move(self, versions: Mapping[str, str]) -> None:
        """Point each alias wholly at a version; `versions` are by function."""
        for function, version in versions.items():
            self.set_alias(function, AliasTarget(version=version))

    def restore(self, aliases: Mapping[str, AliasTarget]) -> None:
        """Back to what a snapshot holds, by function:alias."""
        for function, change in self._changes.items():
            target = aliases.get(alias_key(function, change.alias))
            if target is not None:
                self.set_alias(function, target)

    def set_alias(self, function: str, target: AliasTarget) -> None:
        alias = self._changes[function].alias
        wanted: dict[str, Any] = {
            "FunctionVersion": target.version,
            "RoutingConfig": {"AdditionalVersionWeights": dict(target.weights)},
        }
        with calling(f"moving alias {function}:{alias} to version {target.version}"):
            # Its revision is a compare-and-set: what somebody else has moved meanwhile is read anew, never overrun.
            now = self._lambda.get_alias(FunctionName=function, Name=alias)
            there = AliasTarget(
                version=now["FunctionVersion"],
                weights=now.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            )
            if there == target:
                return
            answer = self._lambda.update_alias(
                FunctionName=function, Name=alias, RevisionId=now["RevisionId"], **wanted
            )
        if answer["FunctionVersion"] != target.version:
            raise Unavailable(f"alias {function}:{alias} reads back as version {answer['FunctionVersion']}")
