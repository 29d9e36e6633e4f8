"""Functions that move with their side: a request on the canary side runs the new versions, on the stable side the old.

Headgate's canary settings pin what an alias means on a side. AWS has no such thing: there the integrations must name
the alias by a stage variable, and the release points that variable at an alias of its own, `headgate-{alias}`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec.structs import replace

from headgate.model.release import Release
from headgate.release.drift import alias_key
from headgate.release.drivers.calls import Clients, calling
from headgate.release.drivers.functions import ReleaseFunctions
from headgate.release.events import AliasTarget
from headgate.release.failures import Refused
from headgate.release.seen import CanarySeen

PREFIX: Final = "headgate-"
_NAMED: Final = re.compile(r":function:([^:/]+)(?::([^/]+))?/invocations")
_VARIABLE: Final = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


class Pins(Protocol):
    """What a side's functions are, as canary extensions and variable overrides. All raise Refused and Unavailable."""

    def problems(self) -> list[str]: ...

    def seen(self, canary: CanarySeen) -> CanarySeen:
        """With what is pinned, and without the overrides that do it: they are no part of what the file changes."""
        ...

    def canary(self, versions: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Make the canary side mean these versions: extensions by path, and variable overrides."""
        ...

    def base(self, versions: Mapping[str, str], variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The same of the base side: extensions by path, and variables. `variables` are those that requests run with
        now: nothing that they name is moved, so that the functions change when the variables do and not before."""
        ...

    def settled(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Once the aliases have moved: the variables that name them again."""
        ...

    def clear(self) -> None:
        """Nothing of it is used any more."""
        ...


class NativePins:
    """Headgate: pins in the canary settings, gone with them."""

    def __init__(self, release: Release, clients: Clients, api_id: str) -> None:
        self._changes = release.change.functions
        self._clients = clients
        self._api_id = api_id

    def problems(self) -> list[str]:
        """An integration that names the function alone, or a version, would go on running what it names."""
        named = integrations_of(self._clients, self._api_id)
        return [
            f"{where} calls function {function}{f':{qualifier}' if qualifier else ''}: end its URI in "
            f":{function}:{change.alias}/invocations, so that the function can move with its side"
            for function, change in self._changes.items()
            for where, qualifier in named.get(function, ())
            if qualifier != change.alias and not _VARIABLE.fullmatch(qualifier)
        ] + [_not_called(function) for function in self._changes if function not in named]

    def seen(self, canary: CanarySeen) -> CanarySeen:
        return canary

    def canary(self, versions: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        return self._pinned("functionVersions", versions), {}

    def base(
        self,
        versions: Mapping[str, str],
        variables: Mapping[str, str],  # noqa: ARG002 - the protocol's
    ) -> tuple[dict[str, str], dict[str, str]]:
        return self._pinned("baseFunctionVersions", versions), {}

    def settled(self, versions: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002 - the protocol's
        return {}

    def clear(self) -> None:
        pass

    def _pinned(self, which: str, versions: Mapping[str, str]) -> dict[str, str]:
        return {
            f"{which}/{alias_key(function, self._changes[function].alias)}": version
            for function, version in versions.items()
        }


class AliasPins:
    """AWS: a second alias of each function, and the stage variable that names the alias."""

    def __init__(self, release: Release, clients: Clients, api_id: str) -> None:
        self._changes = release.change.functions
        self._clients = clients
        self._api_id = api_id
        self._functions = ReleaseFunctions(release, clients)
        self._variables: dict[str, str] | None = None  # by function

    def problems(self) -> list[str]:
        named = self._integrations()
        found = [_not_called(function) for function in self._changes if function not in named]
        for function, change in self._changes.items():
            uses = named.get(function, [])
            for where, qualifier in uses:
                if not _VARIABLE.fullmatch(qualifier):
                    found.append(
                        f"{where} calls function {function}{f':{qualifier}' if qualifier else ''} by name: end its "
                        f"URI in :{function}:${{stageVariables.{function.replace('-', '_')}_alias}}/invocations and "
                        f"set that variable to {change.alias}, so that the function can move with its side"
                    )
        return found

    def seen(self, canary: CanarySeen) -> CanarySeen:
        versions = {}
        for function, change in self._changes.items():
            if canary.overrides.get(self._names().get(function, "")) == PREFIX + change.alias:
                version = self._version_of(function, PREFIX + change.alias)
                if version is not None:
                    versions[alias_key(function, change.alias)] = version
        own = set(self._names().values())
        overrides = {name: value for name, value in canary.overrides.items() if name not in own}
        return replace(canary, overrides=overrides, versions=versions)

    def canary(self, versions: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        for function, version in versions.items():
            self._put_alias(function, version)
        return {}, {self._variable(function): PREFIX + self._changes[function].alias for function in versions}

    def base(self, versions: Mapping[str, str], variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        return {}, {
            variable: self._alias_for(function, version, variables.get(variable, ""))
            for function, version in versions.items()
            for variable in [self._variable(function)]
        }

    def settled(self, versions: Mapping[str, str]) -> dict[str, str]:
        return {self._variable(function): self._changes[function].alias for function in versions}

    def clear(self) -> None:
        for function, change in self._changes.items():
            with calling(f"deleting alias {function}:{PREFIX}{change.alias}"):
                self._clients.lambda_.delete_alias(FunctionName=function, Name=PREFIX + change.alias)

    def _alias_for(self, function: str, version: str, called: str) -> str:
        """The alias that means this version: the one that is called now if it does, else another."""
        alias = self._changes[function].alias
        if called in {alias, PREFIX + alias} and self._version_of(function, called) == version:
            return called
        if called == PREFIX + alias:
            self._functions.set_alias(function, AliasTarget(version=version))
            return alias
        self._put_alias(function, version)
        return PREFIX + alias

    def _put_alias(self, function: str, version: str) -> None:
        client, name = self._clients.lambda_, PREFIX + self._changes[function].alias
        with calling(f"alias {function}:{name}"):
            try:
                alias = client.update_alias(FunctionName=function, Name=name, FunctionVersion=version)
            except client.exceptions.ResourceNotFoundException:
                alias = client.create_alias(FunctionName=function, Name=name, FunctionVersion=version)
            self._permit(function, name, alias["AliasArn"])

    def _permit(self, function: str, alias: str, alias_arn: str) -> None:
        """Permissions are an alias's own, so this one needs one: for this API's methods, and no other caller."""
        client = self._clients.lambda_
        _, partition, _, region, account_id, *_ = alias_arn.split(":")
        try:
            client.add_permission(
                FunctionName=function,
                Qualifier=alias,
                StatementId="headgate-release",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:{partition}:execute-api:{region}:{account_id}:{self._api_id}/*",
            )
        except client.exceptions.ResourceConflictException:
            return  # it has it

    def _version_of(self, function: str, alias: str) -> str | None:
        """What it points to wholly; None where it is gone, or shares its calls."""
        client = self._clients.lambda_
        with calling(f"reading alias {function}:{alias}"):
            try:
                found = client.get_alias(FunctionName=function, Name=alias)
            except client.exceptions.ResourceNotFoundException:
                return None
        return None if found.get("RoutingConfig", {}).get("AdditionalVersionWeights") else found["FunctionVersion"]

    def _variable(self, function: str) -> str:
        if function not in self._names():
            raise Refused(f"no stage variable names the alias of function {function}")
        return self._names()[function]

    def _names(self) -> Mapping[str, str]:
        """The stage variable that names a function's alias, by function."""
        if self._variables is None:
            self._integrations()
        return self._variables or {}

    def _integrations(self) -> dict[str, list[tuple[str, str]]]:
        named = integrations_of(self._clients, self._api_id)
        self._variables = {
            function: found[1]
            for function, uses in named.items()
            for _, qualifier in uses
            if (found := _VARIABLE.fullmatch(qualifier)) is not None
        }
        return named


def integrations_of(clients: Clients, api_id: str) -> dict[str, list[tuple[str, str]]]:
    """Function -> where it is called, and by which qualifier, as the resources stand. Raises as `calling` does."""
    named: dict[str, list[tuple[str, str]]] = {}
    with calling(f"reading the resources of API {api_id}"):
        pages = clients.apigateway.get_paginator("get_resources").paginate(restApiId=api_id, embed=["methods"])
        resources: list[Any] = [each for page in pages for each in page["items"]]
    for resource in resources:
        for verb, method in resource.get("resourceMethods", {}).items():
            found = _NAMED.search(method.get("methodIntegration", {}).get("uri", ""))
            if found is not None:
                named.setdefault(found[1], []).append((f"{verb} {resource['path']}", found[2] or ""))
    return named


def _not_called(function: str) -> str:
    return f"no integration of the API calls function {function}; leave it out of change.functions"


def all_versions(aliases: Mapping[str, AliasTarget]) -> dict[str, str]:
    """By function, of a snapshot's aliases."""
    return {key.partition(":")[0]: target.version for key, target in aliases.items()}
