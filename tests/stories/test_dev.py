"""`headgate dev`: a folder as a function of a running server, from save to the next call."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.server import HEADGATE, RunningServer, command, fetch, running

_WAIT_S = 60


class Dev:
    """A `headgate dev` at work, and what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._came = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(pipe,)) for pipe in (process.stdout, process.stderr)]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: Any) -> None:
        for line in pipe:
            with self._came:
                self.said.append(line.rstrip("\n"))
                self._came.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Until so many of its lines match."""
        with self._came:
            matching = lambda: sum(re.search(pattern, line) is not None for line in self.said) >= count  # noqa: E731
            assert self._came.wait_for(matching, _WAIT_S), self.said

    def end(self) -> int:
        """As by Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(_WAIT_S)
        for reader in self._readers:
            reader.join(_WAIT_S)
        return status


@contextmanager
def developing(server: RunningServer, folder: Path, *options: str) -> Iterator[Dev]:
    process = subprocess.Popen(
        [*HEADGATE, "dev", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": server.url, "PYTHONUNBUFFERED": "1"},
    )
    dev = Dev(process)
    try:
        yield dev
    finally:
        if process.poll() is None:
            dev.end()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as one:
        yield one


def _invoke(server: RunningServer, name: str, event: Any = None) -> Any:
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def _save(path: Path, text: str) -> None:
    """Whole at once: a look between the opening and the writing of a file would find an empty one."""
    saved = path.parent.parent / f"saved-{path.parent.name}"
    saved.write_text(text)
    saved.rename(path)


def _python(text: str) -> str:
    return f"def lambda_handler(event, context):\n    print('said', event)\n    return {text!r}\n"


def test_a_folder_is_served_renewed_on_save_and_its_log_is_shown(tmp_path: Path, server: RunningServer) -> None:
    folder = tmp_path / "my orders"
    folder.mkdir()
    (folder / "app.py").write_text(_python("one"))

    with developing(server, folder) as dev:
        dev.wait_for("serving")
        assert _invoke(server, "my-orders", 1) == "one"
        dev.wait_for("^said 1$")
        dev.wait_for(r"^REPORT RequestId: .*Duration")

        _save(folder / "app.py", _python("two"))
        dev.wait_for(r"renewed in \d+ ms")
        assert _invoke(server, "my-orders", 2) == "two"
        dev.wait_for("^said 2$")

        assert dev.end() == 0

    configuration = server.client("lambda").get_function_configuration(FunctionName="my-orders")
    assert configuration["Handler"] == "app.lambda_handler"
    assert configuration["Runtime"] == f"python3.{sys.version_info.minor}"


def test_a_function_that_was_called_is_started_anew_on_save_before_the_next_call(
    tmp_path: Path, server: RunningServer
) -> None:
    (tmp_path / "app.py").write_text(_python("one"))

    with developing(server, tmp_path, "--name", "warm") as dev:
        dev.wait_for("serving")
        assert _invoke(server, "warm") == "one"

        _save(tmp_path / "app.py", "print('loaded two')\n" + _python("two"))

        dev.wait_for("^loaded two$")  # nobody has called
        assert _invoke(server, "warm") == "two"


def test_a_traceback_is_shown_with_the_paths_of_the_folder(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    raise KeyError('no such pet')\n")

    with developing(server, tmp_path, "--name", "pets") as dev:
        dev.wait_for("serving")
        assert _invoke(server, "pets")["errorType"] == "KeyError"
        dev.wait_for(r"\[ERROR\] KeyError: 'no such pet'")
        dev.wait_for(re.escape(f'File "{tmp_path}/index.py", line 2, in handler'))

        _save(tmp_path / "index.py", "def handler(event, context)\n    return 1\n")
        dev.wait_for("renewed")
        assert _invoke(server, "pets")["errorType"] == "Runtime.UserCodeSyntaxError"
        dev.wait_for(re.escape(f'File "{tmp_path}/index.py" Line 1'))


def test_files_that_come_and_go_are_changes_too(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "index.py").write_text(
        "from importlib.util import find_spec\ndef handler(event, context): return find_spec('extra') is not None\n"
    )
    (tmp_path / ".hidden").write_text("not code")

    with developing(server, tmp_path, "--name", "fn", "--handler", "index.handler", "--runtime", "python3.13") as dev:
        dev.wait_for("serving")
        assert _invoke(server, "fn") is False
        (tmp_path / "extra.py").write_text("")
        dev.wait_for("renewed", 1)
        assert _invoke(server, "fn") is True
        (tmp_path / "extra.py").unlink()
        dev.wait_for("renewed", 2)
        assert _invoke(server, "fn") is False


def test_a_folder_without_a_file_left_is_said_to_be_none(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "index.py").write_text(_python("one"))

    with developing(server, tmp_path, "--name", "fn") as dev:
        dev.wait_for("serving")
        (tmp_path / "index.py").unlink()
        dev.wait_for("not renewed: .* zip")


def test_what_the_server_refuses_is_said_and_the_next_save_is_the_next_try(
    tmp_path: Path, server: RunningServer
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "index.py").write_text(_python("one"))
    (tmp_path / "large").write_bytes(bytes(51 * 1024 * 1024))

    with developing(server, folder, "--name", "fn") as dev:
        dev.wait_for("serving")
        server.client("lambda").delete_function(FunctionName="fn")
        _save(folder / "index.py", _python("again"))
        dev.wait_for("renewed")  # made anew
        assert _invoke(server, "fn") == "again"

        (tmp_path / "large").rename(folder / "large")  # whole at once
        dev.wait_for("not renewed: Request must be smaller")
        assert _invoke(server, "fn") == "again"
        _save(folder / "index.py", _python("small"))
        (folder / "large").unlink()
        dev.wait_for("renewed in", 2)
        assert _invoke(server, "fn") == "small"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")
def test_a_node_folder_is_known_by_its_index(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "index.mjs").write_text("export const handler = async () => { console.log('hi'); return 1 }")

    with developing(server, tmp_path, "--name", "fn") as dev:
        dev.wait_for("serving")
        assert _invoke(server, "fn") == 1
        dev.wait_for("\tINFO\thi$")


def test_a_bootstrap_is_known_by_its_name(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "bootstrap").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "bootstrap").chmod(0o755)

    with developing(server, tmp_path, "--name", "fn") as dev:
        dev.wait_for("serving")
        assert "exit status 7" in _invoke(server, "fn")["errorMessage"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("absent",), "absent is no folder; give one with a function's code"),
        (("empty",), r".*empty has no index\.js, \*\.py or bootstrap; name the runtime: --runtime"),
        (("plain",), r"no file of .*plain looks like a handler; name it: --handler module\.function"),
        (("good", "--endpoint-url", "ftp://x"), "'ftp://x' is no endpoint; give a URL such as http://127.0.0.1:4566"),
        (("good", "--endpoint-url", "http://127.0.0.1:9"), r"nothing answers at http://127\.0\.0\.1:9: .*"),
        (("good", "--colour"), "No such option '--colour'; see headgate dev --help"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    for name, source in (("empty", None), ("plain", "x = 1"), ("good", _python("one"))):
        (tmp_path / name).mkdir()
        if source is not None:
            (tmp_path / name / "app.py").write_text(source)

    done = command("dev", *options, folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"headgate: {said}\n", done.stderr), done.stderr


def test_a_runtime_that_is_not_there_is_refused_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text("exports.handler = async () => 1")
    with running("--ephemeral", environment={"PATH": "/absent"}) as server:
        done = command("dev", str(tmp_path), "--name", "fn", "--endpoint-url", server.url)

    assert done.returncode == 2
    assert re.fullmatch(r"headgate: Runtime nodejs\d+\.x cannot run here: .*install Node\.js.*\n", done.stderr)


def test_the_log_is_asked_for_in_a_way_that_is_told(server: RunningServer) -> None:
    for query in ("", "?group=", "?group=g&after=x", "?group=g&wait_s=1e9", "?group=g&after=" + "9" * 30):
        answer = fetch(f"{server.url}/_headgate/logs{query}")
        assert answer.status == 400
        assert "group=NAME" in answer.json["message"]
    assert fetch(f"{server.url}/_headgate/logs?group=g").json == {"lines": [], "next": 0}
    assert fetch(f"{server.url}/_headgate/logs?group=g&after=0").json == {"lines": [], "next": 0}
    assert fetch(f"{server.url}/_headgate/logs", "POST").status == 405


def test_a_server_stops_at_once_though_somebody_follows_a_log(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(_python("one"))
    with running("--ephemeral") as server, developing(server, tmp_path, "--name", "fn") as dev:
        dev.wait_for("serving")
        assert server.stop() == 0
        _save(tmp_path / "index.py", _python("two"))
        dev.wait_for("not renewed: nothing answers at .*; trying again")
        assert dev.end() == 0
