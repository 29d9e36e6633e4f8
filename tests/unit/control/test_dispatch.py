"""A control-plane request's way: who answers it, and what becomes of an error."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from headgate.control.context import Act, Context, OperationTable, Read, Write
from headgate.control.dispatch import Dispatcher, OwnService
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.store.transaction import Transaction
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.services import load

T = TypeVar("T")


class _Store:
    """Runs what it is given, and says how."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def read(self, act: Callable[[Transaction], T]) -> T:
        self.ran.append("read")
        return act(None)  # type: ignore[arg-type]  # no operation here touches it

    async def write(self, act: Callable[[Transaction], T]) -> T:
        self.ran.append("write")
        return act(None)  # type: ignore[arg-type]


class _Bridge:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Scope]] = []

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        self.asked.append((service, scope))
        return HttpResponse(status=299, headers=[])


def _signed(service: str, access_key: str = "test", region: str = "eu-west-1") -> dict[str, str]:
    credential = f"{access_key}/20261120/{region}/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"}


class _Plane:
    """A dispatcher of two of our own services, whose operations a test gives."""

    def __init__(self, gateway: OperationTable | None = None, functions: OperationTable | None = None) -> None:
        self.store, self.bridge = _Store(), _Bridge()
        self._dispatcher = Dispatcher(
            load(("apigateway", "lambda", "sts")),
            {
                "apigateway": OwnService(gateway or {}),
                "lambda": OwnService(functions or {}, ports="the ports"),
                "sts": OwnService({}, bridged_otherwise=True),
            },
            self.store,
            self.bridge,
            default_account="999999999999",
            clock=lambda: 12.5,
        )

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> HttpResponse:
        return asyncio.run(self._dispatcher.answer(HttpRequest(method=method, path=path, headers=headers, body=body)))


_LIST = ("GET", "/restapis", _signed("apigateway"))


def _raising(error: Exception) -> Callable[[Context, Any], None]:
    def run(context: Context, request: Any) -> None:
        raise error

    return run


def test_a_read_reads_and_a_write_writes_in_the_caller_s_scope() -> None:
    seen: list[tuple[Scope, float, Any]] = []

    def note(context: Context, request: Any) -> dict[str, Any]:
        seen.append((context.scope, context.now, request))
        return {"name": "orders"}

    plane = _Plane({"GetRestApis": Read(note), "CreateRestApi": Write(note)})
    plane.ask("GET", "/restapis", _signed("apigateway", "111111111111"))
    created = plane.ask("POST", "/restapis", _signed("apigateway"), b'{"name": "orders"}')

    assert plane.store.ran == ["read", "write"]
    assert [(scope.account_id, scope.region, now) for scope, now, _ in seen] == [
        ("111111111111", "eu-west-1", 12.5),
        ("999999999999", "eu-west-1", 12.5),
    ]
    assert seen[1][2] == {"name": "orders"}
    assert (created.status, json.loads(created.body)) == (201, {"name": "orders"})


def test_an_act_gets_its_service_s_ports_and_no_transaction() -> None:
    seen: list[Any] = []

    async def act(ports: Any, scope: Scope, now: float, request: Any) -> dict[str, Any]:
        seen.append((ports, now, request["FunctionName"]))
        return {"StatusCode": 200}

    plane = _Plane(functions={"Invoke": Act(act)})
    plane.ask("POST", "/2015-03-31/functions/orders/invocations", _signed("lambda"), b"{}")

    assert seen == [("the ports", 12.5, "orders")]
    assert plane.store.ran == []


def test_an_api_error_has_its_service_s_shape() -> None:
    refusal = _raising(ApiError("NotFoundException", "Invalid API identifier specified", 404))

    answer = _Plane({"GetRestApis": Read(refusal)}).ask(*_LIST)

    assert (answer.status, json.loads(answer.body)) == (404, {"message": "Invalid API identifier specified"})
    assert dict(answer.headers)["x-amzn-ErrorType"] == "NotFoundException"


def test_a_defect_is_logged_whole_and_no_word_of_it_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = _Plane({"GetRestApis": Read(_raising(KeyError("a secret")))}).ask(*_LIST)

    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "a secret" in caplog.text
    request_id = dict(answer.headers)["x-amzn-RequestId"]
    assert request_id in caplog.text
    assert request_id.encode() in answer.body


def test_an_operation_that_is_not_served_is_a_4xx_that_names_it() -> None:
    answer = _Plane().ask("GET", "/clientcertificates", _signed("apigateway"))

    assert answer.status == 400
    assert (
        json.loads(answer.body)["message"] == "Amazon API Gateway: GetClientCertificates is not supported by Headgate."
    )


@pytest.mark.parametrize("headers", [_signed("apigateway"), {}], ids=["signed", "unsigned"])
def test_what_is_no_operation_of_ours_is_404(headers: dict[str, str]) -> None:
    plane = _Plane()

    answer = plane.ask("GET", "/no/such/path", headers)

    assert answer.status == 404
    assert dict(answer.headers)["x-amzn-ErrorType"] == "UnknownOperationException"
    assert plane.bridge.asked == []


def test_a_service_that_is_not_ours_goes_to_the_bridge_with_its_scope() -> None:
    plane = _Plane()

    answer = plane.ask("GET", "/bucket/key", _signed("s3", "111111111111", "us-west-2"))

    assert answer.status == 299
    ((service, scope),) = plane.bridge.asked
    assert (service, scope.account_id, scope.region) == ("s3", "111111111111", "us-west-2")


def test_what_a_half_bridged_service_does_not_answer_goes_to_the_bridge() -> None:
    plane = _Plane()
    form = {**_signed("sts"), "content-type": "application/x-www-form-urlencoded"}

    answer = plane.ask("POST", "/", form, b"Action=AssumeRole&Version=2011-06-15")

    assert answer.status == 299
    assert plane.bridge.asked[0][0] == "sts"
