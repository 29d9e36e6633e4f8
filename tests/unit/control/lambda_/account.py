"""An account that asks Lambda's operations, as the dispatcher would, with ports whose world is in the test's hands."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest

from headgate.control.context import Act, Context, Read, Write
from headgate.control.lambda_ import OPERATIONS
from headgate.control.lambda_.ports import Invoked
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.function import FunctionVersion
from headgate.model.invocation import Outcome
from headgate.model.provisioned import Provisioned
from headgate.model.scope import Scope
from headgate.store.sqlite import SqliteStore
from headgate.wire.services import service

ACCOUNT: Final = "111111111111"
REGION: Final = "eu-west-1"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/worker"
QUEUE: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
NOON: Final = 1_728_568_536.75  # 2024-10-10T13:55:36.75Z


def arn(name: str = "hello", qualifier: str = "") -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" + (f":{qualifier}" if qualifier else "")


def a_zip(source: str = "def handler(event, context): return event", files: Mapping[str, bytes] | None = None) -> bytes:
    """The same bytes for the same files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, body in {"index.py": source.encode(), **(files or {})}.items():
            writer.writestr(zipfile.ZipInfo(name), body)
    return archive.getvalue()


class FakePorts:
    """S3 is a dict, each call is kept, and the runtimes are two."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.objects: dict[tuple[str, str, str | None], bytes] = {}
        self.calls: list[tuple[FunctionRef, bytes, str, bool]] = []
        self.events: list[tuple[FunctionRef, bytes, str]] = []
        self.concurrency = 1000
        self.max_provisioned = 50
        self.started: dict[str, Provisioned] = {}  # by version
        self.invoked = Invoked(executed_version="$LATEST", outcome=Outcome(payload=b'"done"'))

    async def invoke(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        self.calls.append((function, payload, client_context, want_log_tail))
        return self.invoked

    async def invoke_later(self, function: FunctionRef, payload: bytes, *, client_context: str) -> str:
        self.events.append((function, payload, client_context))
        return f"event-{len(self.events)}"

    def provisioned(self, version: FunctionVersion) -> Provisioned:
        return self.started.get(version.version, Provisioned(started=0))

    async def fetch_object(self, bucket: str, key: str, version_id: str | None) -> bytes:
        try:
            return self.objects[bucket, key, version_id]
        except KeyError as error:
            raise ApiError("InvalidParameterValueException", "Error occurred while GetObject.") from error

    def supports_runtime(self, runtime: str) -> bool:
        return runtime in {"python3.11", "python3.13"}

    def missing_for(self, runtime: str) -> str:
        return ""

    def code_location(self, digest: str, now: float) -> str:
        return f"http://code/{digest}"

    def function_url(self, url_id: str, region: str) -> str:
        return f"http://{url_id}.lambda-url.{region}.localhost:8080/"

    async def call_aws(self, service: str, operation: str, params: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        raise ApiError("ServiceNotInstalled", f"{service} is not here")


class Account:
    """Asks operations by name. `now` stands still until a test moves it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.ports = FakePorts(store)
        self.scope = Scope(account_id=ACCOUNT, region=REGION, service="lambda")
        self.now = NOON

    async def ask(self, operation: str, **members: Any) -> dict[str, Any]:
        """The answer's members that a client would see. That the wire can write them is checked on the way."""
        match OPERATIONS[operation]:
            case Read(run=run):
                answer = await self.store.read(lambda tx: run(Context(tx, self.scope, self.now), members))
            case Write(run=run):
                answer = await self.store.write(lambda tx: run(Context(tx, self.scope, self.now), members))
            case Act(run=act):
                answer = await act(self.ports, self.scope, self.now, members)
        built = _without_none(msgspec.to_builtins(answer, builtin_types=(bytes,))) if answer is not None else {}
        assert isinstance(built, dict)
        service("lambda").operations[operation].serialize(built, "request-1")
        return built

    async def refusal(self, operation: str, **members: Any) -> ApiError:
        """The error that the operation is refused with; it changed nothing."""
        before = self.store.revision
        with pytest.raises(ApiError) as refused:
            await self.ask(operation, **members)
        assert self.store.revision == before
        return refused.value

    async def a_function(self, name: str = "hello", **members: Any) -> dict[str, Any]:
        plain = {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": a_zip()},
        }
        return await self.ask("CreateFunction", **{**plain, **members})

    async def a_version(self, name: str = "hello", **changes: Any) -> str:
        """Change the function and publish it; the number."""
        settings = changes or {"Description": f"as of {self.store.revision}"}
        await self.ask("UpdateFunctionConfiguration", FunctionName=name, **settings)
        version: str = (await self.ask("PublishVersion", FunctionName=name))["Version"]
        return version


def told(error: ApiError) -> tuple[str, int, str]:
    return error.code, error.status, error.message


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value
