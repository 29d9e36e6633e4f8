"""API Gateway and Lambda in memory, as far as a release of one stage and one function calls them.

`seen` is what a request can see at a moment, on each side that has traffic: deployment, variable `prices`, and version.
After each call that changes something it is noted; before one, the caller may be made to die.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from headgate.release.drivers.calls import Clients

Served = tuple[str, str, str | None]


class Crash(BaseException):
    """The process is no more."""


class NotFound(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException", "Message": "not there"}}, "GetAlias")


class Exists(ClientError):
    """Of a statement that is there."""


class FakeAws(Clients):
    """API `a1` named orders, with stage prod; function orders with the alias `live`."""

    def __init__(self) -> None:
        super().__init__("us-east-1")
        self.stage: dict[str, Any] = {"deploymentId": "old", "variables": {"prices": "old", "alias": "live"}}
        self.aliases = {"live": "1"}
        self.calls = 0
        self.crash_at = 0
        self.served: list[Served] = []

    def client(self, service: str) -> Any:
        exceptions = SimpleNamespace(ResourceNotFoundException=NotFound, ResourceConflictException=Exists)
        return _Lambda(self, exceptions) if service == "lambda" else _ApiGateway(self)

    def seen(self) -> set[Served]:
        canary = self.stage.get("canarySettings")
        sides = [(self.stage["deploymentId"], self.stage["variables"])]
        if canary is not None and canary["percentTraffic"]:
            overrides = canary["stageVariableOverrides"]
            sides.append((canary["deploymentId"], {**self.stage["variables"], **overrides}))
        return {(deployment, each["prices"], self.aliases.get(each["alias"])) for deployment, each in sides}

    def changing(self) -> None:
        self.calls += 1
        if self.calls == self.crash_at:
            raise Crash

    def changed(self) -> None:
        self.served += sorted(self.seen(), key=str)


class _Pages:
    def __init__(self, *pages: Mapping[str, Any]) -> None:
        self._pages = pages

    def paginate(self, **_: object) -> Iterator[Mapping[str, Any]]:
        yield from self._pages


class _ApiGateway:
    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws

    def get_paginator(self, operation: str) -> _Pages:
        if operation == "get_rest_apis":
            return _Pages({"items": [{"id": "a1", "name": "orders"}]})
        uri = "arn:aws:lambda:us-east-1:1:function:orders:${stageVariables.alias}/invocations"
        return _Pages({"items": [{"path": "/", "resourceMethods": {"GET": {"methodIntegration": {"uri": uri}}}}]})

    def get_stage(self, **_: object) -> dict[str, Any]:
        return self._copied()

    def update_stage(self, patchOperations: Sequence[Mapping[str, str]], **_: object) -> dict[str, Any]:  # noqa: N803 - the wire's
        self._aws.changing()
        stage = self._copied()
        for patch in patchOperations:
            self._apply(stage, patch)
        self._aws.stage = stage
        self._aws.changed()
        return self._copied()

    def _copied(self) -> dict[str, Any]:
        stage = {**self._aws.stage, "variables": dict(self._aws.stage["variables"])}
        if "canarySettings" in stage:
            canary = stage["canarySettings"]
            stage["canarySettings"] = {**canary, "stageVariableOverrides": dict(canary["stageVariableOverrides"])}
        return stage

    def _apply(self, stage: dict[str, Any], patch: Mapping[str, str]) -> None:
        value = patch.get("value", "")
        match patch["op"], patch["path"].split("/")[1:]:
            case "replace", ["deploymentId"]:
                assert "canarySettings" not in stage, "AWS does not let a stage with a canary have another deployment"
                stage["deploymentId"] = value
            case "replace", ["variables", name]:
                stage["variables"][name] = value
            case "remove", ["variables", name]:
                del stage["variables"][name]
            case "replace", ["canarySettings", *path]:
                canary = stage.setdefault(
                    "canarySettings",
                    {"deploymentId": stage["deploymentId"], "percentTraffic": 0.0, "stageVariableOverrides": {}},
                )
                match path:
                    case ["percentTraffic"]:
                        canary["percentTraffic"] = float(value)
                    case ["deploymentId"]:
                        canary["deploymentId"] = value
                    case ["stageVariableOverrides", name]:
                        canary["stageVariableOverrides"][name] = value
                    case _:
                        raise AssertionError(patch)
            case "remove", ["canarySettings"]:
                del stage["canarySettings"]
            case "copy", ["deploymentId"]:
                stage["deploymentId"] = stage["canarySettings"]["deploymentId"]
            case "copy", ["variables"]:
                stage["variables"] |= stage["canarySettings"]["stageVariableOverrides"]
            case _:
                raise AssertionError(patch)


class _Lambda:
    def __init__(self, aws: FakeAws, exceptions: object) -> None:
        self._aws = aws
        self.exceptions = exceptions

    def get_alias(self, Name: str, **_: object) -> dict[str, Any]:  # noqa: N803 - the wire's
        if Name not in self._aws.aliases:
            raise NotFound
        version = self._aws.aliases[Name]
        return {"FunctionVersion": version, "RevisionId": "r", "AliasArn": f"arn:aws:lambda:us-east-1:1:f:{Name}"}

    def update_alias(self, Name: str, FunctionVersion: str, **_: object) -> dict[str, Any]:  # noqa: N803 - the wire's
        if Name not in self._aws.aliases:
            raise NotFound
        return self.create_alias(Name, FunctionVersion)

    def create_alias(self, Name: str, FunctionVersion: str, **_: object) -> dict[str, Any]:  # noqa: N803 - the wire's
        self._aws.changing()
        self._aws.aliases[Name] = FunctionVersion
        self._aws.changed()
        return self.get_alias(Name)

    def delete_alias(self, Name: str, **_: object) -> None:  # noqa: N803 - the wire's
        self._aws.changing()
        self._aws.aliases.pop(Name, None)
        self._aws.changed()

    def add_permission(self, **_: object) -> None:
        """Nothing asks for it here."""
