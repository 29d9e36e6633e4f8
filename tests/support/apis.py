"""Small APIs, made as a user would make them, and what their operations answer, in a form to compare."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import pytest
from botocore.exceptions import ClientError

from support.server import Answer, RunningServer, fetch

VARIABLE_VALUES: Final = (
    "Please use values with alphanumeric characters and the symbols "
    "' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
)
"""The service's words on what a stage variable may be."""


class Refused(NamedTuple):
    """An operation's error."""

    code: str
    message: str
    status: int


def bad_request(message: str) -> Refused:
    return Refused("BadRequestException", message, 400)


def not_found(message: str) -> Refused:
    return Refused("NotFoundException", message, 404)


def conflict(message: str) -> Refused:
    return Refused("ConflictException", message, 409)


def refusal(call: Callable[..., Any], **arguments: Any) -> Refused:
    """The error with which a call is answered; the test fails when it is not."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    error = response["Error"]
    return Refused(error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"])


def fields(answer: Any) -> dict[str, Any]:
    """An answer without what the SDK adds."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def status(answer: Any) -> int:
    code: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return code


def patches(*operations: tuple[str, ...]) -> list[dict[str, str]]:
    """Patch operations from (op, path, value) triples; of a copy the third is where it comes from."""
    made = []
    for op, path, *rest in operations:
        patch = {"op": op, "path": path}
        if rest:
            patch["from" if op == "copy" else "value"] = rest[0]
        made.append(patch)
    return made


def control(server: RunningServer, method: str, path: str, document: Any = None) -> Answer:
    """One hand-made, unsigned request to the control plane; a document that is bytes goes out as it is."""
    body = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
    return fetch(server.url + path, method, body, {"Content-Type": "application/json"})


class Api:
    """A REST API at work: its ids, and the calls that a test would repeat."""

    def __init__(self, server: RunningServer, name: str = "orders", **options: Any) -> None:
        self.server = server
        self.client = server.client("apigateway")
        created = self.client.create_rest_api(name=name, **options)
        self.id: str = created["id"]
        self.root: str = created["rootResourceId"]

    def resource(self, *parts: str) -> str:
        """The id of the resource with this path, made where it is not there."""
        parent, path = self.root, ""
        for part in parts:
            path += f"/{part}"
            resources = self.client.get_resources(restApiId=self.id, limit=500)["items"]
            found = [each["id"] for each in resources if each["path"] == path]
            parent = (
                found[0]
                if found
                else self.client.create_resource(restApiId=self.id, parentId=parent, pathPart=part)["id"]
            )
        return parent

    def method(self, resource_id: str, http_method: str = "GET", **options: Any) -> dict[str, str]:
        """Declare a method; what later calls name it by."""
        where = {"restApiId": self.id, "resourceId": resource_id, "httpMethod": http_method}
        self.client.put_method(**where, **{"authorizationType": "NONE", **options})
        return where

    def mock(
        self,
        resource_id: str,
        http_method: str = "GET",
        body: str = "{}",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A method that answers by itself; made again, it answers anew. `headers` maps names to mapping expressions."""
        methods = self.client.get_resource(restApiId=self.id, resourceId=resource_id).get("resourceMethods", {})
        if http_method in methods:
            self.client.delete_method(restApiId=self.id, resourceId=resource_id, httpMethod=http_method)
        where = self.method(resource_id, http_method)
        mapped = {f"method.response.header.{name}": source for name, source in (headers or {}).items()}
        self.client.put_method_response(
            **where, statusCode=str(status), responseParameters=dict.fromkeys(mapped, False)
        )
        template = f'{{"statusCode": {status}}}'
        self.client.put_integration(**where, type="MOCK", requestTemplates={"application/json": template})
        self.client.put_integration_response(
            **where, statusCode=str(status), responseTemplates={"application/json": body}, responseParameters=mapped
        )

    def http_proxy(self, resource_id: str, uri: str, http_method: str = "ANY", **options: Any) -> None:
        where = self.method(resource_id, http_method)
        self.client.put_integration(
            **where, **{"type": "HTTP_PROXY", "integrationHttpMethod": http_method, "uri": uri, **options}
        )

    def function(self, resource_id: str, function_arn: str, http_method: str = "ANY", **options: Any) -> None:
        """An AWS_PROXY integration of a function's ARN."""
        where = self.method(resource_id, http_method)
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
        self.client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, **options)

    def deploy(self, stage: str | None = None, **options: Any) -> str:
        """A new deployment's id."""
        if stage is not None:
            options["stageName"] = stage
        deployment: str = self.client.create_deployment(restApiId=self.id, **options)["id"]
        return deployment

    def patch_stage(self, stage: str, *operations: tuple[str, ...]) -> Any:
        """UpdateStage with (op, path, value) triples; of a copy the third is where it comes from."""
        return self.client.update_stage(restApiId=self.id, stageName=stage, patchOperations=patches(*operations))

    def stage(self, name: str = "prod") -> dict[str, Any]:
        """GetStage."""
        return fields(self.client.get_stage(restApiId=self.id, stageName=name))

    def get(self, stage: str = "prod", path: str = "/") -> Answer:
        """What the gateway answers to GET."""
        return fetch(self.url(stage, path))

    def url(self, stage: str, path: str = "/") -> str:
        return self.server.stage_url(self.id, stage, path)
