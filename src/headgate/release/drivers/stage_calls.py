"""One stage of an API, read and moved by the operations that a person would call."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from headgate.release.drivers.calls import Clients, calling
from headgate.release.drivers.stage_patches import Patch, without_canary
from headgate.release.failures import Refused
from headgate.release.seen import CanarySeen, StageSeen

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient

_DEPLOYMENTS_READ: Final = 500


class StageCalls:
    """All that asks the API raises Refused and Unavailable."""

    def __init__(self, clients: Clients, api: str, name: str, api_id: str | None = None) -> None:
        """`api` is a name or an id; `api_id` what it was found to be, where it was looked for before."""
        self.name: Final = name
        self._clients = clients
        self._api = api
        self._api_id = api_id

    def __repr__(self) -> str:
        return f"<StageCalls {self._api}/{self.name}>"

    @property
    def api_id(self) -> str:
        if self._api_id is None:
            self._api_id = find_api(self._gateway, self._api)
        return self._api_id

    def read(self) -> StageSeen:
        return _stage_seen(self._settings())

    def access_log(self) -> dict[str, str]:
        """The stage's accessLogSettings as they are now; {} for none."""
        return {name: str(value) for name, value in self._settings().get("accessLogSettings", {}).items()}

    def update(self, what: str, patches: Sequence[Patch]) -> StageSeen:
        with calling(f"{what} on stage {self.name}"):
            answer: Any = self._gateway.update_stage(
                restApiId=self.api_id,
                stageName=self.name,
                patchOperations=patches,  # type: ignore[arg-type]  # the stubs know no `from`
            )
        return _stage_seen(answer)

    def remove_canary(self, seen: StageSeen) -> None:
        for call in without_canary(seen):
            self.update("removing the canary", call)

    def has_deployment(self, deployment_id: str) -> bool:
        with calling(f"deployment {deployment_id}"):
            try:
                self._gateway.get_deployment(restApiId=self.api_id, deploymentId=deployment_id)
            except self._gateway.exceptions.NotFoundException:
                return False
        return True

    def deploy(self, key: str) -> str:
        """Deployments have no idempotency token: the key stands in the description, and is looked for first."""
        description = f"headgate release {key}"
        with calling(f"deploying API {self.api_id}"):
            pages = self._gateway.get_paginator("get_deployments").paginate(
                restApiId=self.api_id, PaginationConfig={"MaxItems": _DEPLOYMENTS_READ, "PageSize": 500}
            )
            for page in pages:
                for each in page["items"]:
                    if each.get("description") == description:
                        return each["id"]
            return self._gateway.create_deployment(restApiId=self.api_id, description=description)["id"]

    @property
    def _gateway(self) -> "APIGatewayClient":
        return self._clients.apigateway

    def _settings(self) -> Mapping[str, Any]:
        with calling(f"reading stage {self.name} of API {self._api}"):
            return self._gateway.get_stage(restApiId=self.api_id, stageName=self.name)


def find_api(gateway: "APIGatewayClient", name_or_id: str) -> str:
    """Raises Refused where none, or more than one, is meant; and Unavailable."""
    with calling("listing the APIs"):
        pages = gateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
        apis = [each for page in pages for each in page["items"]]
    if any(each["id"] == name_or_id for each in apis):
        return name_or_id
    named = [each["id"] for each in apis if each["name"] == name_or_id]
    if not named:
        raise Refused(f"there is no API {name_or_id!r}, by name or by id")
    if len(named) > 1:
        raise Refused(f"{len(named)} APIs are named {name_or_id!r}: give the id, one of {', '.join(sorted(named))}")
    return named[0]


def _stage_seen(stage: Mapping[str, Any]) -> StageSeen:
    """GetStage's or UpdateStage's answer."""
    canary = stage.get("canarySettings")
    return StageSeen(
        deployment_id=stage["deploymentId"],
        variables=stage.get("variables") or {},
        canary=None
        if canary is None
        else CanarySeen(
            deployment_id=canary.get("deploymentId", stage["deploymentId"]),
            percent=float(canary.get("percentTraffic", 0.0)),
            overrides=canary.get("stageVariableOverrides") or {},
            versions=canary.get("functionVersions") or {},
            base_versions=canary.get("baseFunctionVersions") or {},
        ),
    )
