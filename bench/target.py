"""A Headgate to measure: a server in a process of its own, and the APIs on it."""

import io
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3

from bench.load import pinned, wait_for

ROLE: Final = "arn:aws:iam::000000000000:role/bench"
ACCESS_FORMAT: Final = (
    '{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","requestTime":"$context.requestTime",'
    '"httpMethod":"$context.httpMethod","resourcePath":"$context.resourcePath","status":"$context.status",'
    '"protocol":"$context.protocol","responseLength":"$context.responseLength",'
    '"integrationStatus":"$context.integrationStatus","responseLatency":"$context.responseLatency"}'
)
HANDLER: Final = (Path(__file__).parent.parent / "examples" / "orders" / "blue.py").read_text()


class Target:
    def __init__(self, pid: int, control: str, gateway: str, start_s: float) -> None:
        self.pid = pid
        self.control = control
        self.start_s = start_s  # from the start of the process to the first answer of its health page
        self._gateway = gateway
        session = boto3.Session(region_name="us-east-1", aws_access_key_id="bench", aws_secret_access_key="bench")
        self._apis: Any = session.client("apigateway", endpoint_url=control)
        self._traces: Any = session.client("xray", endpoint_url=control)
        self._logs: Any = session.client("logs", endpoint_url=control)
        self._functions: Any = session.client("lambda", endpoint_url=control)

    def http_proxy(self, uri: str) -> str:
        """The URL of a new API that passes on to `uri`."""
        return self._api("proxy", type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)

    def observe(self, url: str, *, level: str) -> None:
        """Metrics of the methods, an access log and an execution log at this level, for an API by its URL."""
        group = "arn:aws:logs:us-east-1:000000000000:log-group:access"
        patches = {
            "/accessLogSettings/destinationArn": group,
            "/accessLogSettings/format": ACCESS_FORMAT,
            "/*/*/metrics/enabled": "true",
            "/*/*/logging/loglevel": level,
        }
        self._apis.update_stage(
            restApiId=url.split("/")[5],
            stageName="bench",
            patchOperations=[{"op": "replace", "path": path, "value": value} for path, value in patches.items()],
        )

    def trace(self, url: str) -> None:
        """X-Ray by the default rule, for an API by its URL."""
        patch = {"op": "replace", "path": "/tracingEnabled", "value": "true"}
        self._apis.update_stage(restApiId=url.split("/")[5], stageName="bench", patchOperations=[patch])

    def write_logs(self) -> None:
        """Wait until what was logged and traced is written."""
        self._logs.filter_log_events(logGroupName="access", limit=1)
        self._traces.batch_get_traces(TraceIds=[])

    def lambda_proxy(self, name: str, source: str = HANDLER, runtime: str = "python3.13") -> str:
        """The URL of a new API over a new function, with the demo's handler."""
        arn = self.function(name, source, runtime)
        self._functions.add_permission(
            FunctionName=name,
            StatementId="gateway",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        return self._api(name, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)

    def function(self, name: str, source: str = HANDLER, runtime: str = "python3.13") -> str:
        """The ARN of a new function."""
        is_node = runtime.startswith("nodejs")
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.js" if is_node else "orders.py", source)
        arn: str = self._functions.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler="index.handler" if is_node else "orders.handle",
            Code={"ZipFile": code.getvalue()},
        )["FunctionArn"]
        return arn

    def invoke(self, name: str) -> bytes:
        """What a function answers; b"" while there is none of that name."""
        try:
            answer: bytes = self._functions.invoke(FunctionName=name)["Payload"].read()
        except self._functions.exceptions.ResourceNotFoundException:
            return b""
        return answer

    def _api(self, name: str, **integration: Any) -> str:
        api = self._apis.create_rest_api(name=name)
        where = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
        self._apis.put_method(**where, authorizationType="NONE")
        self._apis.put_integration(**where, **integration)
        self._apis.create_deployment(restApiId=api["id"], stageName="bench")
        return f"{self._gateway}/_aws/execute-api/{api['id']}/bench/"


@contextmanager
def headgate(core: int | None = None) -> Iterator[Target]:
    command = [sys.executable, "-m", "headgate", "up", "--port", "0", "--gateway-port", "0", "--ephemeral"]
    began = time.perf_counter()
    process = subprocess.Popen(
        pinned(command, core) if core is not None else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    urls: list[str] = []
    while len(urls) < 2 and (line := process.stdout.readline()):
        urls += re.findall(r"http://[\d.]+:\d+", line)
    try:
        wait_for(f"{urls[0]}/_headgate/health")
        yield Target(process.pid, urls[0], urls[1], time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
