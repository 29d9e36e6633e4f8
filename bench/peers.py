"""What else runs functions on a laptop, beside which ours are measured: serverless-offline and MiniStack.

`make bench-peers` fetches them; what is not there is left out with a line.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.load import wait_for
from bench.target import Target

FOLDER: Final = Path(__file__).parent.parent / ".cache" / "bench-peers"
SERVERLESS: Final = FOLDER / "node_modules" / ".bin" / "serverless"
MINISTACK: Final = FOLDER / "venv" / "bin" / "hypercorn"  # by the server under it, which can be told to bind loopback
NODE_HANDLER: Final = """
exports.handler = async () => ({statusCode: 200, body: JSON.stringify({orders: [{id: 1, total: 12.5}]})});
"""
_START_S: Final = 120.0
_PORT: Final = 18091


@contextmanager
def serverless_offline() -> Iterator[str]:
    """The URL of NODE_HANDLER behind serverless-offline."""
    service = {
        "service": "bench",
        "frameworkVersion": "3",
        "provider": {"name": "aws", "runtime": "nodejs20.x", "region": "us-east-1"},
        "plugins": ["serverless-offline"],
        "custom": {
            "serverless-offline": {
                "host": "127.0.0.1",
                "httpPort": _PORT,
                "lambdaPort": _PORT + 1,
                "noPrependStageInUrl": True,
            }
        },
        "functions": {"orders": {"handler": "index.handler", "events": [{"http": {"path": "/", "method": "get"}}]}},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "serverless.yml").write_text(json.dumps(service))
        (folder / "index.js").write_text(NODE_HANDLER)
        (folder / "node_modules").symlink_to(FOLDER / "node_modules")
        keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        quiet = {"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"}
        with _process([str(SERVERLESS), "offline"], folder, keys | quiet):
            url = f"http://127.0.0.1:{_PORT}/"
            wait_for(url, _START_S)
            yield url


@contextmanager
def ministack() -> Iterator[Target]:
    """A MiniStack to make functions and APIs on, as on a Headgate."""
    with tempfile.TemporaryDirectory() as name:
        command = [str(MINISTACK), "ministack.app:app", "--bind", f"127.0.0.1:{_PORT}"]
        with _process(command, Path(name), {"GATEWAY_PORT": str(_PORT)}) as process:
            url = f"http://127.0.0.1:{_PORT}"
            wait_for(f"{url}/_localstack/health", _START_S)
            yield Target(process.pid, url, url, 0.0)


@contextmanager
def _process(command: list[str], folder: Path, variables: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=os.environ | variables, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
