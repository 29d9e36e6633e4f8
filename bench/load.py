"""Load from wrk, and nginx beside it: both Debian's packages."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec


class Load(msgspec.Struct, frozen=True):
    """What one run of wrk saw. Latencies are in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int  # answers other than 2xx and 3xx, and socket errors

    def __str__(self) -> str:
        failed = f", {self.failed} FAILED" if self.failed else ""
        return f"{self.per_s:,.0f}/s, p50 {self.p50_ms:.2f} ms, p99 {self.p99_ms:.2f} ms{failed}"


def wrk(url: str, *, connections: int, seconds: int, core: int | None = None) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", said))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    failed += sum(int(number) for number in errors.groups()) if errors else 0
    return Load(
        _number(r"Requests/sec:\s+([\d.]+)", said),
        _latency("50%", said),
        _latency("99%", said),
        int(_number(r"(\d+) requests in", said)),
        failed,
    )


def missing_tools() -> list[str]:
    return [name for name in ("wrk", "nginx", "taskset") if shutil.which(name) is None]


@contextmanager
def nginx(port: int, location: str, core: int) -> Iterator[str]:
    """nginx with one worker on one core; `location` is what stands in its only location. Gives its URL."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-bench-"))
    config = f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
            fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            upstream backend {{ server 127.0.0.1:{BACKEND_PORT}; keepalive 64; keepalive_requests 1000000000; }}
            server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ {location} }} }}
        }}
    """
    (folder / "nginx.conf").write_text(config)
    command = ["taskset", "-c", str(core), "nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


BACKEND_PORT = 18081
STATIC = 'default_type application/json; return 200 "{\\"orders\\": [{\\"id\\": 1, \\"total\\": 12.5}]}";'
PROXY = 'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";'


def wait_for(url: str, seconds: float = 20.0) -> None:
    """Until something answers there. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.002)
        else:
            return
    raise TimeoutError(f"nothing answers at {url}")


def pinned(command: Sequence[str], core: int) -> list[str]:
    return ["taskset", "-c", str(core), *command]


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def processor_s(pid: int) -> float:
    """Processor time that one process has used, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"wrk said nothing like {pattern}: {text}")
    return float(found[1])


def _latency(percentile: str, text: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)\b", text)
    if found is None:
        raise ValueError(f"wrk gave no {percentile} latency: {text}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
