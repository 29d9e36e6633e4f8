"""The hot path by function, in process, from a request's bytes to its answer's: `python -m bench.hot_path`.

No socket: what is left out is what the kernel does. The table's times are of cProfile, so small functions look dearer
than they are; the time per request is taken without it.
"""

import asyncio
import cProfile
import pstats
import time
from typing import Any, Final

import uvloop

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import Functions, Origin, Ports
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.call import Call
from headgate.model.deployment import Definition
from headgate.model.ids import DeploymentId, ResourceId, RestApiId, StageName
from headgate.model.rest_api import Integration, Method, Resource, RestApi
from headgate.model.stage import Stage
from headgate.server.http1 import GatewayConnection
from headgate.server.http1_connection import Hub
from headgate.server.http_client import HttpPools
from headgate.server.http_client_connection import BackendConnection
from headgate.server.http_limits import HttpLimits

REQUESTS: Final = 20_000
API: Final = RestApiId("bench12345")
BACKEND: Final = Origin("http", "127.0.0.1", 18081)
REQUEST: Final = b"GET /_aws/execute-api/bench12345/prod/ HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}"
)


class _Transport(asyncio.Transport):
    """A client's end: counts what is answered."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000)})
        self.written = 0

    def write(self, data: Any) -> None:  # noqa: ARG002  what is written matters to nobody here
        self.written += 1

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


class _Backend(_Transport):
    """A backend's end: answers whatever is written, in the loop's next turn."""

    connection: BackendConnection

    def write(self, data: Any) -> None:  # noqa: ARG002  every request has the same answer
        asyncio.get_running_loop().call_soon(self.connection.data_received, ANSWER)


class _Ports:
    def __init__(self, http: HttpPools) -> None:
        self.http = http
        self.function_urls = FunctionUrls()

    @property
    def functions(self) -> Functions:
        raise NotImplementedError("no function is called here")

    def verify_signature(self, call: Call, region: str) -> str | None:
        raise NotImplementedError("no function URL is called here")

    def draw(self) -> float:
        return 50.0

    def now(self) -> float:
        return time.monotonic()


def _stages() -> Stages:
    method = Method(
        http_method="GET",
        method_integration=Integration(type="HTTP_PROXY", http_method="GET", uri="http://127.0.0.1:18081/"),
    )
    api = RestApi(
        id=API, name="bench", created_date=0.0, root_resource_id=ResourceId("r"), account_id="0" * 12, region="x"
    )
    root = Resource(id=ResourceId("r"), path="/", resource_methods={"GET": method})
    definition = Definition(rest_api_id=API, deployment_id=DeploymentId("d"), rest_api=api, resources=(root,))
    stage = Stage(
        stage_name=StageName("prod"),
        deployment_id=DeploymentId("d"),
        created_date=0.0,
        last_updated_date=0.0,
        rest_api_id=API,
        account_id="0" * 12,
        region="x",
    )
    stages = Stages()
    stages.publish({(API, "prod"): compile_stage(stage, {"d": definition}, Buckets(), Meters())}, frozenset({API}))
    return stages


async def _run(requests: int) -> float:
    """Seconds a request took, from its bytes to its answer's."""
    stages, pools = _stages(), HttpPools()
    pool = pools._new_pool(BACKEND)
    backend = BackendConnection(pool, 65_536, 10_485_760)
    transport = _Backend()
    transport.connection = backend
    backend.connection_made(transport)
    pool.connections.add(backend)
    pool.idle.append(backend)
    ports: Ports = _Ports(pools)
    hub = Hub(lambda call: serve(call, stages, ports), HttpLimits(), _fail)
    client = GatewayConnection(hub)
    written = _Transport()
    client.connection_made(written)
    began = time.perf_counter()
    for number in range(requests):
        client.data_received(REQUEST)
        # A turn of the loop for the backend's answer; an event would be measured with it.
        while written.written <= number:  # noqa: ASYNC110
            await asyncio.sleep(0)
    took = (time.perf_counter() - began) / requests
    pools.close()
    return took


def _fail(error: BaseException, _request_id: str) -> None:
    raise error


def main() -> None:
    took_us = min(uvloop.run(_run(REQUESTS)) for _ in range(3)) * 1e6
    print(f"{took_us:.1f} us a request in process\n")
    profile = cProfile.Profile()
    profile.enable()
    uvloop.run(_run(REQUESTS))
    profile.disable()
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
