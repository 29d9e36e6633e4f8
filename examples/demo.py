"""A canary by hand, then two releases that decide on evidence: a good one is promoted, a bad one rolled back.

Everything goes through boto3, plain HTTP and the command, as it would against AWS. The exit status is 0 only if every
share that was observed is the share that was asked for, both releases ended as they should, and no request failed but
the bad release's own.
"""

import http.client
import io
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

HERE: Final = Path(__file__).parent
DATA: Final = Path(".headgate/demo")
REQUESTS: Final = 1500  # of each phase
SENDERS: Final = 4
SIGMAS: Final = 4.5  # a correct share is found outside of this once in 150,000 phases
ROLE: Final = "arn:aws:iam::000000000000:role/demo"


class Phase:
    """What is asked of the stage at one time, and what was seen."""

    def __init__(self, title: str, green_share: float) -> None:
        self.title = title
        self.green_share = green_share  # 0 to 1
        self.seen: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self.seen.total()

    @property
    def observed(self) -> float:
        return self.seen["green"] / self.total if self.total else 0.0

    @property
    def holds(self) -> bool:
        """Whether the share is the one asked for: exactly at 0 and 100 %, else within chance."""
        spread = math.sqrt(self.green_share * (1 - self.green_share) / max(self.total, 1))
        nothing_else = self.seen["blue"] + self.seen["green"] == self.total
        return nothing_else and abs(self.observed - self.green_share) <= SIGMAS * spread


class Traffic:
    """Senders that never stop. An answer counts for the phase in which its request began."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._path = parts.path
        self._phase = Phase("", 0.0)
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._stopping = False
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def begin(self, phase: Phase) -> None:
        with self._lock:
            self._phase = phase
            self._enough.clear()

    def wait(self, seconds: float) -> bool:
        """Whether the phase has its requests, after this long at most."""
        return self._enough.wait(seconds)

    def stop(self) -> None:
        self._stopping = True
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        while not self._stopping:
            phase = self._phase
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                version = response.headers.get("X-Version", f"status {response.status}")
            except OSError as error:
                connection.close()
                version = type(error).__name__
            with self._lock:
                if phase is self._phase:
                    phase.seen[version] += 1
                    if phase.total >= REQUESTS:
                        self._enough.set()
        connection.close()


class Demo:
    def __init__(self, console: Console, endpoint: str, gateway: str) -> None:
        self._console = console
        self._gateway = gateway
        session = boto3.Session(region_name="us-east-1", aws_access_key_id="demo", aws_secret_access_key="demo")
        config = Config(retries={"total_max_attempts": 1})
        self._apis: Any = session.client("apigateway", endpoint_url=endpoint, config=config)
        self._functions: Any = session.client("lambda", endpoint_url=endpoint, config=config)
        self.phases: list[Phase] = []
        self.api_id = ""

    @property
    def url(self) -> str:
        return f"{self._gateway}/_aws/execute-api/{self.api_id}/production/orders"

    def run(self) -> None:
        self._say("A canary by hand: two functions and an API")
        arns = {color: self._function(color) for color in ("blue", "green")}
        first = self._deploy(arns)
        traffic = Traffic(self.url)
        traffic.start()
        with Live(self._table(), console=self._console, refresh_per_second=10) as live:
            self._observe(live, traffic, Phase("deployed: blue alone", 0.0))
            second = self._canary(arns, percent=10)
            self._observe(live, traffic, Phase("canary 10 %", 0.1))
            for percent in (50, 100):
                self._patch(("replace", "/canarySettings/percentTraffic", str(percent)))
                self._observe(live, traffic, Phase(f"canary {percent} %", percent / 100))
            self._promote()
            self._observe(live, traffic, Phase(f"promoted: deployment {second}", 1.0))
            self._patch(("replace", "/deploymentId", first))
            self._observe(live, traffic, Phase(f"rolled back: deployment {first}", 0.0))
        traffic.stop()

    def _function(self, color: str) -> str:
        created = self._functions.create_function(
            FunctionName=f"orders-{color}",
            Runtime="python3.13",
            Role=ROLE,
            Handler="orders.handle",
            Code={"ZipFile": zip_of(color)},
        )
        self._allow(f"orders-{color}")
        arn: str = created["FunctionArn"]
        return arn

    def _allow(self, function: str, **qualifier: str) -> None:
        self._functions.add_permission(
            FunctionName=function,
            StatementId="gateway",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            **qualifier,
        )

    def shop(self) -> str:
        """An API that calls the function `orders` by its alias `live`; where its stage answers."""
        created = self._functions.create_function(
            FunctionName="orders",
            Runtime="python3.13",
            Role=ROLE,
            Handler="orders.handle",
            Code={"ZipFile": zip_of("blue")},
            Publish=True,
        )
        self._functions.create_alias(FunctionName="orders", Name="live", FunctionVersion=created["Version"])
        self._allow("orders", Qualifier="live")
        shop = self._apis.create_rest_api(name="shop")
        where = {"restApiId": shop["id"], "resourceId": shop["rootResourceId"], "httpMethod": "GET"}
        self._apis.put_method(**where, authorizationType="NONE")
        arn = created["FunctionArn"].removesuffix(f":{created['Version']}")
        self._apis.put_integration(**where, **_proxy(f"{arn}:live"))
        self._apis.create_deployment(restApiId=shop["id"], stageName="production")
        return f"{self._gateway}/_aws/execute-api/{shop['id']}/production/"

    def _deploy(self, arns: dict[str, str]) -> str:
        api = self._apis.create_rest_api(name="orders")
        self.api_id = api["id"]
        self._resource = self._apis.create_resource(
            restApiId=self.api_id, parentId=api["rootResourceId"], pathPart="orders"
        )["id"]
        self._apis.put_method(
            restApiId=self.api_id, resourceId=self._resource, httpMethod="GET", authorizationType="NONE"
        )
        self._integrate(arns["blue"])
        deployment: str = self._apis.create_deployment(restApiId=self.api_id, stageName="production")["id"]
        return deployment

    def _canary(self, arns: dict[str, str], percent: int) -> str:
        self._integrate(arns["green"])
        deployment: str = self._apis.create_deployment(
            restApiId=self.api_id, stageName="production", canarySettings={"percentTraffic": percent}
        )["id"]
        return deployment

    def _promote(self) -> None:
        self._patch(
            ("replace", "/canarySettings/percentTraffic", "0.0"),
            ("copy", "/deploymentId", "/canarySettings/deploymentId"),
            ("remove", "/canarySettings", ""),
        )

    def _integrate(self, function_arn: str) -> None:
        """The integration as one edits it: nothing is served before it is deployed."""
        self._apis.put_integration(
            restApiId=self.api_id,
            resourceId=self._resource,
            httpMethod="GET",
            **_proxy(function_arn),
        )

    def _patch(self, *operations: tuple[str, str, str]) -> None:
        patches = [
            {"op": op, "path": path, "from" if op == "copy" else "value": operand} for op, path, operand in operations
        ]
        self._apis.update_stage(restApiId=self.api_id, stageName="production", patchOperations=patches)

    def _observe(self, live: Live, traffic: Traffic, phase: Phase) -> None:
        self.phases.append(phase)
        traffic.begin(phase)
        while not traffic.wait(0.1):
            live.update(self._table())
        traffic.begin(Phase("", 0.0))  # what comes until the next phase counts for none
        live.update(self._table())

    def _table(self) -> Table:
        wide = self._console.width >= 100
        table = Table(expand=False, pad_edge=False)
        table.add_column("stage production")
        table.add_column("requests", justify="right")
        table.add_column("asked", justify="right")
        table.add_column("observed", justify="right")
        table.add_column("split")
        for phase in self.phases:
            table.add_row(
                phase.title,
                str(phase.total),
                f"{phase.green_share:.0%} green",
                f"{phase.observed:.1%}",
                _bar(phase, 40 if wide else 16),
            )
        return table

    def _say(self, text: str) -> None:
        self._console.print(f"[bold]>[/] {text}")


def _proxy(function_arn: str) -> dict[str, str]:
    return {
        "type": "AWS_PROXY",
        "integrationHttpMethod": "POST",
        "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
    }


class Releases:
    """A second API, whose function moves with its side; releases of it by `headgate release`."""

    def __init__(self, console: Console, demo: Demo, endpoint: str) -> None:
        self._console = console
        self._demo = demo
        self._environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
        self.failures: list[str] = []

    def run(self) -> None:
        url = self._demo.shop()
        traffic = Traffic(url)
        phase = Phase("releases", 0.0)
        traffic.begin(phase)
        traffic.start()
        self._release("green", "A good release, by the file examples/orders/release-green.yaml", status=0)
        self._release("red", "A release that fails for one request in six", status=1)
        traffic.stop()
        others = set(phase.seen) - {"blue", "green", "red"}
        if others:
            self.failures.append(f"requests failed: {[(each, phase.seen[each]) for each in others]}")
        if _version(url) != "green":
            self.failures.append(f"the stage serves {_version(url)} in the end, not green")
        self._console.print(
            f"{phase.total} requests meanwhile: {phase.seen['blue']} blue, {phase.seen['green']} green, "
            f"{phase.seen['red']} red, {sum(phase.seen[each] for each in others)} failed by the gateway"
        )

    def _release(self, color: str, title: str, status: int) -> None:
        self._console.print(f"[bold]>[/] {title}")
        name = f"release-{color}.yaml"
        (DATA / name).write_bytes((HERE / "orders" / name).read_bytes())
        (DATA / f"{color}.zip").write_bytes(zip_of(color))
        command = [sys.executable, "-m", "headgate", "release", "start", str(DATA / name), "--watch"]
        ended = subprocess.run(command, env=self._environment, check=False).returncode
        if ended != status:
            self.failures.append(f"the release {color} ended with status {ended}, not {status}")


def zip_of(color: str) -> bytes:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(HERE / "orders" / f"{color}.py", "orders.py")
    return code.getvalue()


def _version(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.headers["X-Version"])


def _bar(phase: Phase, width: int) -> Text:
    green = round(phase.observed * width) if phase.total else 0
    rest = width - green if phase.total else 0
    others = phase.total - phase.seen["blue"] - phase.seen["green"]
    failed = Text(f" {others} failed", style="red") if others else Text("")
    return Text("█" * green, style="green") + Text("█" * rest, style="blue") + failed


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _start() -> tuple["subprocess.Popen[str]", str, str]:
    """The server, its control plane and its gateway; on the usual ports where they are free."""
    port, gateway_port = (4566, 8080) if _is_free(4566) and _is_free(8080) else (0, 0)
    shutil.rmtree(DATA, ignore_errors=True)
    began = time.monotonic()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "headgate",
            "up",
            "--port",
            str(port),
            "--gateway-port",
            str(gateway_port),
            "--data",
            str(DATA),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    urls: list[str] = []
    assert server.stdout is not None
    for line in server.stdout:
        urls += [word for word in line.split() if word.startswith("http://")]
        if len(urls) == 2:
            break
    else:
        raise SystemExit("the server did not start; try: .venv/bin/headgate up")
    started_ms = (time.monotonic() - began) * 1000
    Console().print(f"[bold]>[/] Headgate is up in {started_ms:.0f} ms: {urls[0]}")
    return server, urls[0], urls[1].partition("/_aws")[0]


def main() -> int:
    console = Console()
    began = time.monotonic()
    server, endpoint, gateway = _start()
    try:
        demo = Demo(console, endpoint, gateway)
        demo.run()
        releases = Releases(console, demo, endpoint)
        releases.run()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
    console.print()
    wrong = [phase for phase in demo.phases if not phase.holds]
    for phase in wrong:
        console.print(
            f"[red]{phase.title}: asked {phase.green_share:.0%}, observed {phase.observed:.1%} ({dict(phase.seen)})"
        )
    if not wrong:
        failed = sum(phase.total - phase.seen["blue"] - phase.seen["green"] for phase in demo.phases)
        console.print(
            f"[bold green]Every share was what it should be[/]: {len(demo.phases)} phases of {REQUESTS} requests, "
            f"{failed} failed."
        )
    for failure in releases.failures:
        console.print(f"[red]{failure}")
    if not releases.failures:
        console.print("[bold green]Both releases ended as the evidence says[/]: green promoted, red rolled back.")
    console.print(f"{time.monotonic() - began:.0f} s.")
    console.print("The APIs are in .headgate/demo. To go on with it:", highlight=False)
    for line in (
        f".venv/bin/headgate up --data {DATA}",
        f"curl http://127.0.0.1:8080/_aws/execute-api/{demo.api_id}/production/orders",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo",
        f".venv/bin/aws apigateway get-stage --rest-api-id {demo.api_id} --stage-name production",
        ".venv/bin/headgate release history orders-red",
    ):
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    return 1 if wrong or releases.failures else 0


if __name__ == "__main__":
    sys.exit(main())
