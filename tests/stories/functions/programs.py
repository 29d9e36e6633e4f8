"""Functions that are programs of their own, written where they are used."""

import sys
import textwrap
from typing import Any

from headgate.model.invocation import FunctionSpec

# Does what each event says, as Python source, and answers with what that leaves in `answer`.
OBEDIENT = """
import http.client, json, os, socket, sys, threading
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"
NEXT = f"{BASE}/invocation/next"
KEPT = {}  # from one event to the next

def ask(method, path, body=None, api=API):
    connection = http.client.HTTPConnection(api)
    connection.request(method, path, body)
    response = connection.getresponse()
    told = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode()
    connection.close()
    return told

def connect():
    host, port = API.split(":")
    return socket.create_connection((host, int(port)))

def get(target):
    return f"GET {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode()

def serve():
    while True:
        status, headers, body = ask("GET", NEXT)
        if status != 200:
            sys.exit(f"next was answered {status}: {body}")
        here = f"{BASE}/invocation/{headers['lambda-runtime-aws-request-id']}"
        told = {"headers": headers, "here": here, "answer": None}
        event = json.loads(body)
        exec(event, globals() | told, told)
        if told["answer"] is not None:
            ask("POST", f"{here}/response", json.dumps(told["answer"]))
"""


def program(at: Any, source: str = "serve()", **changed: Any) -> FunctionSpec:
    """A function whose `bootstrap` is this Python program, after what OBEDIENT has."""
    return bootstrap(at, f"#!{sys.executable} -uIS\n{OBEDIENT}\n{textwrap.dedent(source)}", **changed)


def bootstrap(at: Any, script: str, **changed: Any) -> FunctionSpec:
    """A function with this executable `bootstrap`."""
    spec: FunctionSpec = at.function("", **({"runtime": "provided.al2023"} | changed))
    path = spec.code_dir / "bootstrap"
    path.write_text(script)
    path.chmod(0o755)
    return spec


def node(at: Any, source: str, name: str = "index.js", **changed: Any) -> FunctionSpec:
    """A Node.js function `index.handler`, whose one file has this name."""
    spec: FunctionSpec = at.function("", **({"runtime": "nodejs20.x"} | changed))
    (spec.code_dir / name).parent.mkdir(parents=True, exist_ok=True)
    (spec.code_dir / name).write_text(textwrap.dedent(source))
    return spec
