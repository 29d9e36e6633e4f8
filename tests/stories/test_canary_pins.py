"""Functions move with their side: under load no request sees a new deployment with an old version, or the reverse."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from support.apis import Api, patches
from support.clients import Asking
from support.functions import allow_gateway, create_function, zipped
from support.server import Answer, RunningServer, data_options, running

_ROUNDS: Final = 15
_CLIENTS: Final = 2
_SOURCE: Final = """\
def handle(event, context):
    operation = event["requestContext"]["operationName"]  # the deployment's
    said = [operation, event["stageVariables"]["version"], context.function_version]
    return {"statusCode": 200, "body": " ".join(said)}
"""


def _version(server: RunningServer, number: int) -> str:
    source = _SOURCE + f"# {number}\n"
    answer = server.client("lambda").update_function_code(FunctionName="orders", ZipFile=zipped(source), Publish=True)
    version: str = answer["Version"]
    return version


def _name_operation(api: Api, name: str) -> None:
    api.client.update_method(
        restApiId=api.id,
        resourceId=api.root,
        httpMethod="ANY",
        patchOperations=patches(("replace", "/operationName", name)),
    )


def _body(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.decode()


def test_promotions_in_one_call_mix_no_deployment_variable_and_version(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        functions = server.client("lambda")
        arn = create_function(server, "orders", _SOURCE, Publish=True, Timeout=30)
        functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
        allow_gateway(server, "orders", Qualifier="live")
        api = Api(server)
        api.function(api.root, f"{arn}:live")
        _name_operation(api, "1")
        api.deploy("prod", variables={"version": "1"})
        path = urlsplit(api.url("prod")).path
        clients = [Asking(server.gateway, path, _body) for _ in range(_CLIENTS)]
        for client in clients:
            client.start()

        for number in range(_ROUNDS):
            before = functions.get_alias(FunctionName="orders", Name="live")["FunctionVersion"]
            version = _version(server, number)
            pin = "orders:live"
            # As a release does: the canary, half of the traffic, promotion in one call, and only then the alias.
            _name_operation(api, version)
            api.deploy("prod", canarySettings={"percentTraffic": 0})
            api.patch_stage(
                "prod",
                ("replace", f"/canarySettings/functionVersions/{pin}", version),
                ("replace", f"/canarySettings/baseFunctionVersions/{pin}", before),
                ("replace", "/canarySettings/stageVariableOverrides/version", version),
                ("replace", "/canarySettings/percentTraffic", "50"),
            )
            api.get()
            api.patch_stage(
                "prod",
                ("replace", f"/canarySettings/baseFunctionVersions/{pin}", version),
                ("replace", "/canarySettings/percentTraffic", "0.0"),
                ("copy", "/variables", "/canarySettings/stageVariableOverrides"),
                ("copy", "/deploymentId", "/canarySettings/deploymentId"),
            )
            functions.update_alias(FunctionName="orders", Name="live", FunctionVersion=version)
            api.patch_stage("prod", ("remove", "/canarySettings"))
            assert api.get().body.decode().split() == [version] * 3

        for client in clients:
            client.stop()
        assert [client.failure for client in clients] == [None] * _CLIENTS
        seen = {said for client in clients for said in client.seen}
        assert seen <= {(200, " ".join([str(number)] * 3)) for number in range(1, _ROUNDS + 2)}
        assert len(seen) > 1
