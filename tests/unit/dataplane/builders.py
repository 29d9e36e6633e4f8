"""Values with defaults for all that a test is not about."""

from collections.abc import Mapping
from typing import Any

from headgate.dataplane.address import Address
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.dataplane.observation import Meter, Meters
from headgate.dataplane.ports import BackendReply, FunctionReply, FunctionStream, Origin, Ports
from headgate.dataplane.request import Ids, Request, forwarding
from headgate.dataplane.routing import Routes
from headgate.dataplane.snapshot import MethodSnapshot, Reply, StageSnapshot, Variant
from headgate.model.arn import FunctionRef
from headgate.model.call import Call
from headgate.model.deployment import Definition
from headgate.model.ids import DeploymentId, ResourceId, RestApiId, StageName
from headgate.model.rest_api import Integration, Method, Resource, RestApi
from headgate.model.stage import Stage

ACCOUNT = "000000000000"
REGION = "us-east-1"
API = RestApiId("api1234567")


def a_call(
    path: str = "/_aws/execute-api/api1234567/prod/pets",
    method: str = "GET",
    *,
    query: str = "",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    host: str = "localhost",
) -> Call:
    return Call(
        method=method,
        path=path,
        query=query,
        headers=headers if headers is not None else [(b"Host", b"localhost")],
        body=body,
        host=host,
        port="8080",
        source_ip="127.0.0.1",
        received_at=1_728_568_536.25,
    )


def a_meter() -> Meter:
    meters = Meters()
    interval = meters.interval(ACCOUNT, REGION, API, "orders", "prod", "dep1", None)
    return meters.side(interval, is_canary=False)


async def _no_integration(request: Request, ports: Ports) -> Reply:
    raise AssertionError("this test calls no integration")


def a_method(path: str = "/pets", http_method: str = "GET") -> MethodSnapshot:
    return MethodSnapshot(
        http_method=http_method,
        resource_id="res123",
        resource_path=path,
        operation_name=None,
        authorization_type="NONE",
        api_key_required=False,
        integration=_no_integration,
        limit=None,
        bucket=None,
        meter=a_meter(),
    )


def a_variant(
    deployment_id: str = "dep1",
    *,
    variables: Mapping[str, str] | None = None,
    is_canary: bool | None = None,
    binary: frozenset[str] = frozenset(),
) -> Variant:
    return Variant(
        deployment_id=deployment_id,
        variables=variables or {},
        routes=Routes([]),
        is_canary=is_canary,
        default_endpoint_disabled=False,
        binary_media_types=binary,
        minimum_compression_size=None,
        meter=a_meter(),
    )


def a_request(
    call: Call | None = None,
    *,
    path: str = "/pets",
    variant: Variant | None = None,
    method: MethodSnapshot | None = None,
    path_parameters: Mapping[str, str] | None = None,
) -> Request:
    variant = variant or a_variant()
    call = call or a_call()
    return Request(
        call,
        Address(API, "prod", path, f"/prod{path}"),
        Ids("11111111-1111-4111-a111-111111111111", "extended="),
        StageSnapshot(ACCOUNT, REGION, API, "prod", variant),
        variant,
        method or a_method(),
        path_parameters or {},
        forwarding(call),
    )


def an_api(**options: Any) -> RestApi:
    return RestApi(
        **{
            "id": API,
            "name": "orders",
            "created_date": 0.0,
            "root_resource_id": ResourceId("root"),
            "account_id": ACCOUNT,
            "region": REGION,
            **options,
        }
    )


def a_stage(**options: Any) -> Stage:
    return Stage(
        **{
            "stage_name": StageName("prod"),
            "deployment_id": DeploymentId("dep1"),
            "created_date": 0.0,
            "last_updated_date": 0.0,
            "rest_api_id": API,
            "account_id": ACCOUNT,
            "region": REGION,
            **options,
        }
    )


def a_definition(*methods: tuple[str, Method], deployment_id: str = "dep1", **api_options: Any) -> Definition:
    """A definition with these methods, each with its resource's path."""
    by_path: dict[str, dict[str, Method]] = {}
    for path, method in methods:
        by_path.setdefault(path, {})[method.http_method] = method
    resources = tuple(
        Resource(id=ResourceId(f"res{at}"), path=path, resource_methods=found)
        for at, (path, found) in enumerate(by_path.items())
    )
    return Definition(
        rest_api_id=API, deployment_id=DeploymentId(deployment_id), rest_api=an_api(**api_options), resources=resources
    )


def an_http_proxy(uri: str, http_method: str = "GET", **options: Any) -> Method:
    integration = Integration(type="HTTP_PROXY", http_method=http_method, uri=uri, **options)
    return Method(http_method=http_method, method_integration=integration)


class FakePorts:
    """Outside acts that remember what they were asked for."""

    def __init__(self, reply: BackendReply | None = None, function: FunctionReply | None = None) -> None:
        self.sent: list[tuple[Origin, bytes, bytes]] = []
        self.invoked: list[tuple[FunctionRef, bytes]] = []
        self.versions: list[str] = []  # that were asked for, by call; "" where the reference decides
        self.permitted = True
        self.failure: Exception | None = None
        self.drawn = 50.0
        self.time = 0.0
        self.function_urls = FunctionUrls()
        self.signed_by: str | None = None
        self._reply = reply or BackendReply(200, [(b"Content-Type", b"text/plain")], b"hello")
        self._function = function or FunctionReply(b'{"statusCode": 200}', failed=False)

    @property
    def http(self) -> "FakePorts":
        return self

    @property
    def functions(self) -> "FakePorts":
        return self

    def verify_signature(self, call: Call, region: str) -> str | None:
        return self.signed_by

    def draw(self) -> float:
        return self.drawn

    def now(self) -> float:
        return self.time

    async def send(self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float) -> BackendReply:
        self.sent.append((origin, head, body))
        if self.failure is not None:
            raise self.failure
        return self._reply

    def permits(self, function: FunctionRef, source_arns: tuple[str, ...]) -> bool:
        return self.permitted

    async def invoke(
        self, function: FunctionRef, payload: bytes, trace_id: str, timeout_s: float, version: str = ""
    ) -> FunctionReply:
        self.invoked.append((function, payload))
        self.versions.append(version)
        if self.failure is not None:
            raise self.failure
        return self._function

    async def stream(self, function: FunctionRef, payload: bytes, trace_id: str) -> FunctionStream:
        raise NotImplementedError
