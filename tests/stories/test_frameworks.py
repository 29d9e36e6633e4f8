"""What people write functions with, unmodified: Powertools, FastAPI under Mangum, AWS's client of the Runtime API."""

import importlib.util
import io
import json
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.apis import Api
from support.functions import allow_gateway, create_function, zipped
from support.server import RunningServer, fetch, running

POWERTOOLS = """
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

logger = Logger(service="orders")
app = APIGatewayRestResolver()

@app.get("/orders/<number>")
def order(number):
    logger.info("shown", extra={"number": number})
    return {"number": number, "colour": app.current_event.query_string_parameters.get("colour"),
            "stage": app.current_event.request_context.stage}

@app.post("/orders")
def create():
    return Response(201, "text/plain", app.current_event.json_body["name"], headers={"Location": "/orders/7"})

@app.get("/gone")
def gone():
    raise NotFoundError("no such order")

@logger.inject_lambda_context
def handle(event, context):
    return app.resolve(event, context)
"""

FASTAPI = """
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()

class Order(BaseModel):
    name: str

@app.get("/orders/{number}")
async def order(number: int, colour: str | None = None):
    return {"number": str(number), "colour": colour, "stage": "prod"}

@app.post("/orders", status_code=201)
def create(order: Order):
    return PlainTextResponse(order.name, 201, headers={"Location": "/orders/7"})

@app.get("/gone")
def gone():
    raise HTTPException(404, "no such order")

handle = Mangum(app, lifespan="off")
"""

# The same code, run by AWS's client of the Runtime API instead of the built-in runtime.
RIC = f"""#!/bin/sh
export PYTHONPATH={":".join(path for path in sys.path if Path(path).is_dir())}
exec {sys.executable} -m awslambdaric handler.handle
"""
PACKAGES = {"powertools": "aws_lambda_powertools", "fastapi": "mangum", "awslambdaric": "awslambdaric"}
SOURCES = {"powertools": POWERTOOLS, "fastapi": FASTAPI}


def _installed(name: str) -> pytest.MarkDecorator:
    package = PACKAGES[name]
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


@pytest.mark.parametrize("client", ["", pytest.param("awslambdaric", marks=_installed("awslambdaric"))])
@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=_installed(name)) for name in ("powertools", "fastapi")]
)
def test_a_framework_answers_behind_a_proxy_resource(server: RunningServer, framework: str, client: str) -> None:
    name = f"{framework}-{client or 'built-in'}"
    options = {"Timeout": 30, "MemorySize": 512}
    if client:
        code = _with_client(SOURCES[framework])
        arn = server.client("lambda").create_function(
            FunctionName=name,
            Code={"ZipFile": code},
            Runtime="provided.al2023",
            Role="arn:aws:iam::000000000000:role/test",
            Handler="handler.handle",
            **options,
        )["FunctionArn"]
        allow_gateway(server, name)
    else:
        arn = create_function(server, name, SOURCES[framework], **options)
    api = Api(server)
    api.function(api.resource("{proxy+}"), arn)
    api.deploy("prod")
    order = json.dumps({"name": "grüße"}).encode()
    as_json = {"Content-Type": "application/json"}

    shown = fetch(api.url("prod", "/orders/7?colour=red"))
    created = fetch(api.url("prod", "/orders"), "POST", order, as_json)
    gone = fetch(api.url("prod", "/gone"))
    absent = fetch(api.url("prod", "/absent"))

    assert (shown.status, shown.json) == (200, {"number": "7", "colour": "red", "stage": "prod"})
    assert (created.status, created.body.decode(), created.headers["location"]) == (201, "grüße", "/orders/7")
    assert (gone.status, b"no such order" in gone.body, absent.status) == (404, True, 404)


def _with_client(source: str) -> bytes:
    """The handler, and a `bootstrap` that runs AWS's client on it."""
    buffer = io.BytesIO(zipped(source))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(entry, RIC)
    return buffer.getvalue()
