"""A real `headgate up` in a process of its own, as a user starts it."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

HEADGATE: Final = (sys.executable, "-m", "headgate")
START_S: Final = 60  # seconds after which a server that says nothing has failed
END_S: Final = 60  # seconds after which a process that was to end has not


class RunningServer:
    """One server process. `url` is its control plane, `gateway` its gateway."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, gateway: str) -> None:
        self.process = process
        self.url = url
        self.gateway = gateway
        self._clients: dict[tuple[str, str, str], Any] = {}

    def client(self, service: Any, region: str = "us-east-1", access_key: str = "test") -> Any:
        """An unmodified boto3 client of this server. It tries once: a retry would hide an error."""
        key = (service, region, access_key)
        if key not in self._clients:  # making one takes longer than most tests
            self._clients[key] = _client(self.url, *key)
        return self._clients[key]

    def close(self) -> None:
        """Close what this side has opened. The process must have ended."""
        for client in self._clients.values():
            client.close()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stage_url(self, api_id: str, stage: str, path: str = "/") -> str:
        return f"{self.gateway}/_aws/execute-api/{api_id}/{stage}{path}"

    def kill(self) -> None:
        """As a crash would: SIGKILL, and nothing is told."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As an operator would; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def _client(url: str, service: Any, region: str, access_key: str) -> Any:
    session = boto3.Session(region_name=region, aws_access_key_id=access_key, aws_secret_access_key="test")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    return session.client(service, endpoint_url=url, config=config)


class Answer:
    """One HTTP answer; `headers` by lower-case name."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One HTTP request, with any status an answer."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, dict(response.headers.items()), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers.items()), error.read())


def launch(*options: str, environment: Mapping[str, str] | None = None) -> RunningServer:
    """Start a server on free ports and wait until it says that it serves."""
    return start("--port", "0", "--gateway-port", "0", *options, environment=environment)


def start(*options: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> RunningServer:
    """Start a server in `folder` with these options alone, and wait until it says that it serves."""
    process = subprocess.Popen(
        [*HEADGATE, "up", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(environment),
        cwd=folder,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "data " in line:
            break
    urls = re.findall(r"http://[^\s/]+:\d+", said)
    if len(urls) != 2:
        process.kill()
        process.wait()
        process.stdout.close()
        raise RuntimeError(f"the server did not start: {said!r}")
    return RunningServer(process, urls[0], urls[1])


def command(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_s: float = START_S,
) -> "subprocess.CompletedProcess[str]":
    """Run `headgate` to its end."""
    return subprocess.run(
        [*HEADGATE, *arguments],
        capture_output=True,
        text=True,
        env=_environment(environment),
        cwd=folder,
        timeout=timeout_s,
        check=False,
    )


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Nothing of the test run's own but where programs are."""
    return {"PATH": os.environ["PATH"], **(extra or {})}


@contextmanager
def running(*options: str, environment: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    with closing(launch(*options, environment=environment)) as server:
        yield server


@contextmanager
def closing(server: RunningServer) -> Iterator[RunningServer]:
    """This server until the end of the block, whatever has become of it by then."""
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        server.close()


def wait_for_end(pid: int) -> None:
    """Until there is no such process."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([fd], [], [], END_S)
    finally:
        os.close(fd)
    assert ended, f"process {pid} has not ended"


def data_options(folder: Path) -> tuple[str, ...]:
    return ("--data", str(folder))
