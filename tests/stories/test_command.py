"""`headgate up` as whoever starts it meets it: what it refuses, what it reads, what it keeps."""

import contextlib
import random
import re
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from headgate import __version__
from headgate.store.migrate import schema_version
from support.apis import Api
from support.backends import serving_backend
from support.clients import in_parallel, wait_until_refused
from support.functions import create_function, replying
from support.server import HEADGATE, RunningServer, closing, command, data_options, fetch, running, start

_FREE = ("--port", "0", "--gateway-port", "0")
_OPTIONS = ("port", "gateway-port", "host", "gateway-host", "data", "ephemeral", "account-id", "sandbox", "config")


def _refusal(*arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """The one line with which the command refuses to start."""
    done = command("up", *arguments, environment=environment, folder=folder)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert re.fullmatch(r"headgate: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("headgate: ").rstrip("\n")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_a_port_in_use_is_refused_before_anything_is_made(tmp_path: Path, taken: int, option: str) -> None:
    other = "--gateway-port" if option == "--port" else "--port"

    said = _refusal(option, str(taken), other, "0", folder=tmp_path)

    assert said == f"cannot listen on 127.0.0.1:{taken}: address already in use"
    assert list(tmp_path.iterdir()) == []


def test_of_servers_that_start_together_on_one_port_one_serves_and_the_others_say_why(tmp_path: Path) -> None:
    # At an address that nobody else is at, and below the ports that clients are given.
    host = ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])
    ports = random.sample(range(20_000, 30_000), 2)
    refused = threading.Semaphore(0)

    def act(number: int) -> tuple[int, str, str]:
        where = ("--host", host, "--port", str(ports[0]), "--gateway-host", host, "--gateway-port", str(ports[1]))
        options = (*where, *data_options(tmp_path / str(number)))
        process = subprocess.Popen([*HEADGATE, "up", *options], stdout=PIPE, stderr=PIPE, text=True)
        assert process.stdout is not None
        if said := process.stdout.readline():  # it serves: until the others have ended
            for _ in range(3):
                refused.acquire(timeout=60)
            process.terminate()
        said_more, complaint = process.communicate(timeout=60)
        refused.release()
        return process.returncode, said + said_more, complaint

    results = in_parallel(4, act)

    assert sorted(status for status, *_ in results) == [0, 2, 2, 2]
    for status, said, complaint in results:
        if status == 2:
            assert (said, complaint) == (
                "",
                f"headgate: cannot listen on {host}:{ports[0]}: address already in use\n",
            )
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "abc"), "Invalid value for '--port': .*valid integer.*; see headgate up --help"),
        (("--port", "70000"), "port is 70000; give an integer from 0 to 65535"),
        (("--port",), "Option '--port' requires an argument; see headgate up --help"),
        (("--prot", "1"), r"No such option '--prot' \(did you mean one of: .*'--port'.*; see headgate up --help"),
        (("extra",), r"Got unexpected extra argument \(extra\); see headgate up --help"),
        (("--account-id", "12"), "account_id is '12'; it must have 12 digits"),
        (("--data", ""), "data is ''; give the name of a folder"),
        (("--config", "absent.toml"), "cannot read the configuration file absent.toml: No such file or directory"),
        (("--host", "0.0.0.0"), "host is '0.0.0.0'; the control plane has no authentication yet and binds loopback .*"),
        (("--gateway-host", "203.0.113.7", *_FREE), r"cannot listen on 203\.0\.113\.7:0: .*"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert re.fullmatch(said, _refusal(*arguments, folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = = 1", "the configuration file headgate.toml is not TOML: .*"),
        ("prot = 1", "the configuration file headgate.toml has an unknown setting 'prot'; known are .*"),
        ('port = "many"', "port is 'many'; give an integer from 0 to 65535"),
        ('[endpoints]\ns3 = "minio:9000"', "endpoints.s3 is 'minio:9000'; give a URL such as .*"),
    ],
    ids=["no TOML", "an unknown key", "a bad value", "a bad endpoint"],
)
def test_a_configuration_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "headgate.toml").write_text(text)

    assert re.fullmatch(said, _refusal(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["headgate.toml"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "abc", "port is 'abc'; .*"),
        ("GATEWAY_PORT", "-1", "gateway_port is '-1'; .*"),
        ("HOST", "10.0.0.1", "host is '10.0.0.1'; .*"),
        ("GATEWAY_HOST", "nowhere", "gateway_host is 'nowhere'; .*"),
        ("DATA", "", "data is ''; .*"),
        ("EPHEMERAL", "maybe", "ephemeral is 'maybe'; .*"),
        ("ACCOUNT_ID", "x", "account_id is 'x'; .*"),
        ("CONFIG", "absent.toml", "cannot read the configuration file absent.toml: .*"),
    ],
)
def test_every_option_is_read_from_the_environment_and_refused_there_too(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    assert re.fullmatch(said, _refusal(environment={f"HEADGATE_{name}": value}, folder=tmp_path))
    assert name.lower().replace("_", "-") in _OPTIONS


def test_a_start_by_the_environment_alone(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("drain_s = 1.5\n")
    environment = {
        "HEADGATE_PORT": "0",
        "HEADGATE_GATEWAY_PORT": "0",
        "HEADGATE_HOST": "127.0.0.2",
        "HEADGATE_GATEWAY_HOST": "127.0.0.3",
        "HEADGATE_DATA": "kept",
        "HEADGATE_EPHEMERAL": "false",
        "HEADGATE_ACCOUNT_ID": "222222222222",
        "HEADGATE_CONFIG": "other.toml",
    }
    with closing(start(environment=environment, folder=tmp_path)) as server:
        identity = server.client("sts").get_caller_identity()
        health = fetch(f"{server.url}/_headgate/health").status
        api = fetch(f"{server.gateway}/_aws/execute-api/a/b").status

    assert server.url.startswith("http://127.0.0.2:")
    assert server.gateway.startswith("http://127.0.0.3:")
    assert (identity["Account"], health, api) == ("222222222222", 200, 403)
    assert (tmp_path / "kept" / "headgate.db").exists()


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "headgate.toml").write_text('port = 0\ngateway_port = 0\ndata = "file"\naccount_id = "111111111111"\n')
    environment = {"HEADGATE_DATA": "environment", "HEADGATE_ACCOUNT_ID": "222222222222"}

    with closing(start("--data", "line", environment=environment, folder=tmp_path)) as server:
        account = server.client("sts").get_caller_identity()["Account"]

    assert account == "222222222222"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["headgate.toml", "line"]


def test_an_ipv6_loopback_address_is_served_and_printed_as_a_url(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with running("--ephemeral", "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert fetch(f"{server.url}/_headgate/health").status == 200


def test_help_in_eighty_columns_has_every_option() -> None:
    done = command("up", "--help", environment={"COLUMNS": "80", "TERM": "dumb"})

    assert done.returncode == 0
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    for option in _OPTIONS:
        assert f"--{option} " in done.stdout
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stdout).split())
    for default in ("4566", "8080", "127.0.0.1", ".headgate", "000000000000", "headgate.toml, when it is there"):
        assert f"Default: {default}." in text


def test_an_unknown_command_is_refused_in_one_line() -> None:
    ended = command("frob")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "headgate: No such command 'frob'; see headgate --help\n"


def test_version_is_printed() -> None:
    assert command("version").stdout == f"headgate {__version__}\n"


def _state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its inode, its time of change and its content.

    SQLite's shared memory is no content: a server that runs may touch it at any time.
    """
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A data folder that a server has used and left."""
    with running(*data_options(tmp_path / "used")) as server:
        Api(server)
    return tmp_path / "used"


def test_a_newer_data_folder_is_refused_and_left_as_it_is(used: Path) -> None:
    with contextlib.closing(sqlite3.connect(used / "headgate.db")) as database:
        database.execute(f"PRAGMA user_version = {schema_version() + 1}")
    before = _state(used)

    said = _refusal(*_FREE, *data_options(used))

    assert f"has schema version {schema_version() + 1}, written by a newer Headgate" in said
    assert _state(used) == before


@pytest.mark.parametrize("left", [60, 5000], ids=["in its header", "in the middle"])
def test_a_damaged_data_folder_is_refused_and_left_as_it_is(used: Path, left: int) -> None:
    database = used / "headgate.db"
    database.write_bytes(database.read_bytes()[:left])
    before = _state(used)

    said = _refusal(*_FREE, *data_options(used))

    assert said.startswith(f"{database} is damaged or not a Headgate database; ")
    assert _state(used) == before


def test_a_data_folder_in_use_is_refused_and_its_server_goes_on(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        api = Api(server)
        api.mock(api.root, body="here")
        api.deploy("prod")
        before = _state(tmp_path)

        said = _refusal(*_FREE, *data_options(tmp_path))

        assert said.startswith(
            f"the data folder {tmp_path} is in use by another server (process {server.process.pid});"
        )
        assert _state(tmp_path) == before
        assert api.get().body == b"here"


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    assert _refusal(*_FREE, "--data", "file", folder=tmp_path).startswith("cannot use the data folder ")
    assert (tmp_path / "file").read_text() == "mine"


def test_health_says_version_and_revision_and_the_revision_advances(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        url = f"{server.url}/_headgate/health"
        before = fetch(url)
        Api(server)
        after = fetch(url)

        assert before.status == 200
        revision = before.json["revision"]
        assert before.json == {
            "status": "ok",
            "version": __version__,
            "revision": revision,
            "gateway": server.gateway,
        }
        assert after.json["revision"] > before.json["revision"]
        assert fetch(url, "HEAD").body == b""
        assert fetch(url, "POST", b"").status == 405
        assert fetch(f"{server.url}/_headgate/absent").status == 404
        assert fetch(f"{server.url}/_headgate/reset").status == 405


def _whole(server: RunningServer) -> Api:
    """An API with a function and a mock on a stage with a canary, variables and a limit."""
    api = Api(server)
    api.function(api.resource("function"), create_function(server, "kept", replying("from the function")))
    api.mock(api.resource("mock"), body="one")
    api.deploy("prod", variables={"colour": "blue"})
    api.mock(api.resource("mock"), body="two")
    api.deploy("prod", canarySettings={"percentTraffic": 100.0, "stageVariableOverrides": {"colour": "green"}})
    return api


def _shown(server: RunningServer, api: Api) -> list[Any]:
    """What a client can ask for, and what the gateway answers."""
    gateway, functions = server.client("apigateway"), server.client("lambda")
    answers = [
        gateway.get_rest_apis()["items"],
        gateway.get_resources(restApiId=api.id, embed=["methods"])["items"],
        gateway.get_deployments(restApiId=api.id)["items"],
        gateway.get_stages(restApiId=api.id)["item"],
        functions.list_functions()["Functions"],
        functions.get_policy(FunctionName="kept")["Policy"],
    ]
    bodies = [fetch(server.stage_url(api.id, "prod", path)).body for path in ("/function", "/mock")]
    return [*answers, *bodies]


def test_a_restart_serves_the_same(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        api = _whole(server)
        before = _shown(server, api)
        assert server.stop() == 0

    with running(*data_options(tmp_path)) as server:
        assert _shown(server, api) == before

    assert before[-2:] == [b"from the function", b"two"]


def test_an_ephemeral_server_is_reset_to_empty_with_its_bridge(tmp_path: Path) -> None:
    with running("--ephemeral", environment={"TMPDIR": str(tmp_path)}) as server:
        api = _whole(server)
        gateway, functions, s3 = server.client("apigateway"), server.client("lambda"), server.client("s3")
        s3.create_bucket(Bucket="orders")
        api.get(path="/function")

        answer = fetch(f"{server.url}/_headgate/reset", "POST", b"")

        assert answer.status == 200
        assert gateway.get_rest_apis()["items"] == []
        assert functions.list_functions()["Functions"] == []
        assert s3.list_buckets()["Buckets"] == []
        assert api.get(path="/mock").body == b'{"message":"Forbidden"}'
        assert _shown(server, _whole(server))[-2:] == [b"from the function", b"two"]
        assert server.stop() == 0

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_keeps_its_data_is_not_reset(tmp_path: Path) -> None:
    with running(*data_options(tmp_path)) as server:
        api = _whole(server)

        answer = fetch(f"{server.url}/_headgate/reset", "POST", b"")

        assert answer.status == 403
        assert "--ephemeral" in answer.json["message"]
        assert len(server.client("apigateway").get_rest_apis()["items"]) == 1
        assert api.get(path="/mock").body == b"two"


def test_regions_and_accounts_are_apart(tmp_path: Path) -> None:
    callers = [
        {},
        {"region": "eu-west-1"},
        {"access_key": "111111111111"},
        {"access_key": "111111111111", "region": "eu-west-1"},
    ]
    with running("--ephemeral") as server:
        clients = [server.client("apigateway", **caller) for caller in callers]
        ids = [client.create_rest_api(name=f"api {number}")["id"] for number, client in enumerate(clients)]

        seen = [[each["id"] for each in client.get_rest_apis()["items"]] for client in clients]

        assert seen == [[api_id] for api_id in ids]
        for number, client in enumerate(clients):
            with pytest.raises(client.exceptions.NotFoundException):
                client.get_rest_api(restApiId=ids[number - 1])


def test_a_second_signal_ends_a_server_that_still_waits(tmp_path: Path) -> None:
    with serving_backend() as backend, running(*data_options(tmp_path)) as server:
        api = Api(server)
        api.http_proxy(api.root, f"{backend.url}/hold")
        api.deploy("prod")

        def act(number: int) -> object:
            if number == 0:
                return api.get().status
            backend.wait_for("/hold", 1)
            server.process.terminate()
            wait_until_refused(server.gateway)
            server.process.terminate()
            return server.process.wait(timeout=60)

        answer, status = in_parallel(2, act)

    assert isinstance(answer, OSError)
    assert status == 130
