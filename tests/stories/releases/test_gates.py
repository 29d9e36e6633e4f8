"""Gates against real servers, real processes and under real load."""

import asyncio
import json
import os
import select
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest

from headgate.model.release import Duration, Gate, HttpGate, LoadGate
from headgate.release.failures import Refused
from headgate.release.gates.gate import Cancelled, GateContext, run_gate
from headgate.release.gates.load import measure
from headgate.release.gates.load_generator import LoadPlan, Tally, generate
from support.backends import Backend, serving_backend
from support.certificates import self_signed
from support.raw_servers import serving_raw

WAIT_S: Final = 60.0
NEVER: Final = threading.Event()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving_backend() as serving:
        yield serving


def a_context(stage_url: str = "", **fields: Any) -> GateContext:
    return GateContext(
        **{
            "key": "orders-2.1/1/eu-west-1/3",
            "release": "orders-2.1",
            "region": "eu-west-1",
            "stage_url": stage_url,
            "headers": {"x-canary": "let-me-in"},
            "artefacts": {"orders": "ab12"},
            **fields,
        }
    )


def run(gate: Gate, context: GateContext | None = None, cancelled: threading.Event = NEVER) -> str:
    def no_function(function: str, payload: bytes) -> bytes:
        raise AssertionError

    return run_gate(gate, context or a_context(), no_function, cancelled)


def refusal(gate: Gate, context: GateContext | None = None) -> str:
    with pytest.raises(Refused) as refused:
        run(gate, context)
    return str(refused.value)


class Running:
    """A gate that runs in a thread, and can be cancelled."""

    def __init__(self, gate: Gate, context: GateContext | None = None) -> None:
        self._cancelled = threading.Event()
        self._end: Future[str] = Future()

        def target() -> None:
            try:
                self._end.set_result(run(gate, context, self._cancelled))
            except BaseException as error:
                self._end.set_exception(error)

        threading.Thread(target=target, daemon=True).start()

    def cancel(self) -> None:
        self._cancelled.set()
        with pytest.raises(Cancelled):
            self._end.result(WAIT_S)

    def result(self) -> str:
        return self._end.result(WAIT_S)


def ends(pid: int) -> bool:
    """Whether a process that is no child of ours comes to its end."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], WAIT_S)[0])
    finally:
        os.close(pidfd)


class TestHttp:
    def test_a_path_is_asked_of_the_stage_with_the_test_header(self, backend: Backend) -> None:
        seen = run(
            Gate(http=HttpGate(get="/health?full=1", contains='["x-canary", "let-me-in"]')), a_context(backend.url)
        )

        assert seen.startswith("GET /health answered 200 in ")
        assert backend.paths == ["/health?full=1"]

    def test_a_body_is_posted(self, backend: Backend) -> None:
        run(Gate(http=HttpGate(post="/bytes", body="grüße", contains="grüße")), a_context(backend.url))

    def test_another_status_is_a_no(self, backend: Backend) -> None:
        told = refusal(Gate(http=HttpGate(get="/status/503")), a_context(backend.url))

        assert told.startswith("GET /status/503 answered 503 in ")
        assert told.endswith(", not 200: no body")

    def test_a_redirect_is_an_answer_like_others(self, backend: Backend) -> None:
        run(Gate(http=HttpGate(get="/status/302", status=302)), a_context(backend.url))

    def test_missing_text_is_a_no_that_shows_the_body_without_the_headers_values(self, backend: Backend) -> None:
        gate = Gate(
            http=HttpGate(get=f"{backend.url}/echo?t=1", headers={"authorization": "Bearer abc"}, contains="x!")
        )

        told = refusal(gate)

        assert f"GET {backend.url}/echo answered 200 in " in told
        assert "but 'x!' is not in its body: " in told
        assert '["authorization", "***"]' in told

    def test_the_test_header_is_not_sent_elsewhere(self, backend: Backend) -> None:
        told = refusal(Gate(http=HttpGate(get=f"{backend.url}/echo", contains="x!")), a_context("http://127.0.0.1:1"))

        assert "x-canary" not in told

    def test_a_large_body_is_read_in_part(self, backend: Backend) -> None:
        told = refusal(Gate(http=HttpGate(get="/big/5000000", contains="y")), a_context(backend.url))

        assert "'y' is not in the first 65536 bytes of its body" in told

    def test_chunks_are_a_body(self, backend: Backend) -> None:
        run(Gate(http=HttpGate(get="/chunked", contains="one, two, three")), a_context(backend.url))

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (b"HTTP/1.0 200 OK\r\n\r\nto the end", None),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nto the end", None),
            (b"", "the connection was closed before the end of the answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nto the end", "closed before the end of the answer"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is not HTTP"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "the head of the answer is over 65536 bytes"),
        ],
        ids=["until the end", "after an interim answer", "nothing", "less than promised", "not HTTP", "endless head"],
    )
    def test_an_answer_is_whole_http_or_none(self, answer: bytes, told: str | None) -> None:
        with serving_raw([answer]) as server:
            gate = Gate(http=HttpGate(get=server.url, contains="to the end"))
            if told is None:
                run(gate)
            else:
                assert told in refusal(gate)

    def test_no_listener_is_a_no(self) -> None:
        told = refusal(Gate(http=HttpGate(get="/")), a_context("http://127.0.0.1:1"))

        assert told == "http://127.0.0.1:1: connection refused"

    def test_an_answer_that_does_not_come_is_a_no(self, backend: Backend) -> None:
        told = refusal(Gate(http=HttpGate(get="/hold"), timeout=Duration(0.2)), a_context(backend.url))

        assert told == f"{backend.url} gave no answer within 0.2 s"

    def test_a_cancelled_gate_hangs_up(self, backend: Backend) -> None:
        running = Running(Gate(http=HttpGate(get="/hold")), a_context(backend.url))
        backend.wait_for("/hold", 1)

        running.cancel()

    def test_tls_is_spoken_and_the_certificate_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        gate = Gate(http=HttpGate(get="/", contains="ok"))

        with serving_raw([answer], context) as server:
            untrusted = refusal(gate, a_context(server.url))
            monkeypatch.setenv("SSL_CERT_FILE", certificate)
            run(gate, a_context(server.url))

        assert "its certificate is not trusted: self-signed certificate" in untrusted


class TestWebhook:
    def test_it_is_told_what_functions_are_told_and_the_key(self) -> None:
        with serving_raw([b"HTTP/1.1 204 No Content\r\n\r\n"]) as server:
            run(Gate(webhook=server.url))
            head, _, body = server.requests[0].partition(b"\r\n\r\n")

        assert b"Idempotency-Key: orders-2.1/1/eu-west-1/3\r\n" in head
        assert b"Content-Type: application/json\r\n" in head
        assert json.loads(body)["artefacts"] == {"orders": "ab12"}

    def test_another_status_than_2xx_is_a_no_and_the_secret_path_is_not_told(self) -> None:
        answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 33\r\n\r\nno hook at /services/T0/B0/s3cret"
        with serving_raw([answer]) as server:
            told = refusal(Gate(webhook=f"{server.url}/services/T0/B0/s3cret"))

        assert told == f"webhook {server.url} answered 404: no hook at ***"


class TestRun:
    def test_a_command_knows_the_release_and_runs_in_its_folder(self, tmp_path: Path) -> None:
        told = run(
            Gate(run='echo "$PWD|$HEADGATE_RELEASE|$HEADGATE_IDEMPOTENCY_KEY|$HEADGATE_STAGE_URL|$EXTRA"'),
            a_context("http://gw/prod", folder=str(tmp_path), environment={"EXTRA": "more"}),
        )

        assert told.endswith(f":\n{tmp_path}|orders-2.1|orders-2.1/1/eu-west-1/3|http://gw/prod|more")

    def test_a_command_is_not_given_the_server_s_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADGATE_KEY", "s3cret")

        assert "s3cret" not in run(Gate(run="env"))

    def test_the_test_header_is_there_for_the_command_alone(self) -> None:
        told = run(Gate(run='test "$HEADGATE_TEST_HEADER" = "x-canary: let-me-in" && echo "$HEADGATE_TEST_HEADER"'))

        assert told.endswith("x-canary: ***")

    def test_a_status_is_a_no_with_the_end_of_the_output(self) -> None:
        told = refusal(Gate(run="seq 100000; echo last >&2; exit 3"))

        assert "failed with exit status 3 after" in told
        assert told.endswith("\n99999\n100000\nlast")
        assert len(told) < 2300

    def test_a_signal_is_a_no(self) -> None:
        assert "was killed by signal 9 after" in refusal(Gate(run="kill -9 $$"))

    def test_a_folder_that_is_gone_is_a_no(self, tmp_path: Path) -> None:
        told = refusal(Gate(run="true"), a_context(folder=str(tmp_path / "gone")))

        assert told == f"the command cannot be started in {tmp_path}/gone: No such file or directory"

    def test_what_a_command_leaves_behind_is_killed(self, tmp_path: Path) -> None:
        run(Gate(run="sleep 1000 & echo $! > pid"), a_context(folder=str(tmp_path)))

        assert ends(int((tmp_path / "pid").read_text(encoding="ascii")))

    def test_at_the_timeout_all_of_it_is_killed(self, tmp_path: Path) -> None:
        # It ignores what can be ignored.
        command = "trap '' TERM HUP INT; sleep 1000 & echo $! > pid; echo begun; wait"

        told = refusal(Gate(run=command, timeout=Duration(3)), a_context(folder=str(tmp_path)))

        assert "s, its timeout:\nbegun" in told
        assert ends(int((tmp_path / "pid").read_text(encoding="ascii")))

    def test_cancelled_all_of_it_is_killed(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "begun")
        running = Running(Gate(run="trap '' TERM; sleep 1000 & echo $! > begun; wait"), a_context(folder=str(tmp_path)))
        pid = int((tmp_path / "begun").read_text(encoding="ascii"))  # waits for it

        running.cancel()

        assert ends(pid)

    def test_one_that_closed_its_output_is_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        running = Running(
            Gate(run="exec >/dev/null 2>&1; read x < go; echo done > end; exit 7"), a_context(folder=str(tmp_path))
        )
        (tmp_path / "go").write_text("x\n", encoding="ascii")

        with pytest.raises(Refused, match="exit status 7"):
            running.result()
        assert (tmp_path / "end").exists()


def a_plan(url: str, **fields: Any) -> LoadPlan:
    return LoadPlan(
        **{"url": url, "headers": {}, "rps": 20.0, "seconds": 1.0, "answer_s": WAIT_S, "most_at_once": 100, **fields}
    )


def started(act: Callable[[], Any]) -> "Future[Any]":
    end: Future[Any] = Future()
    threading.Thread(target=lambda: end.set_result(act()), daemon=True).start()
    return end


class TestLoad:
    def test_the_schedule_s_requests_are_all_made_on_the_stage(self, backend: Backend) -> None:
        gate = Gate(load=LoadGate(rps=100, for_=Duration(2), get="/echo/orders"))

        told = run(gate, a_context(backend.url))

        assert told.startswith("GET /echo/orders at 100/s for 2s: 200 requests, 200 answered 2XX, errors 0 %, p50 ")
        assert backend.count("/echo/orders") == 200

    def test_requests_start_though_no_answer_comes_and_their_time_counts_from_the_schedule(
        self, backend: Backend
    ) -> None:
        tally = started(lambda: measure(a_plan(f"{backend.url}/hold"), NEVER))

        backend.wait_for("/hold", 20)
        backend.release()

        # The 20th was due 950 ms after the first, and only then was anything answered.
        result = tally.result(WAIT_S)
        assert result.by_class == {"2XX": 20}
        assert result.latency.most >= 940

    def test_what_starts_late_counts_from_when_it_was_due(self, backend: Backend) -> None:
        async def stall() -> None:
            while not backend.count("/"):  # noqa: ASYNC110  what is observed has no event
                await asyncio.sleep(0)
            time.sleep(0.3)  # noqa: ASYNC251  the generator's loop stands still for six requests

        async def stalled() -> Tally:
            return (await asyncio.gather(generate(a_plan(backend.url)), stall()))[0]

        tally = asyncio.run(stalled())

        # Those due 50, 100, 150 ms after the first started 250, 200, 150 ms late; p90 of 20 is the third longest.
        assert tally.late.most >= 240
        assert tally.latency.p90 >= 195

    def test_what_is_never_answered_is_an_error_and_ends(self, backend: Backend) -> None:
        tally = measure(a_plan(f"{backend.url}/hold", answer_s=0.5), NEVER)

        assert (tally.unanswered, tally.by_class) == (20, {})
        assert tally.latency.p50 >= 495

    def test_what_no_connection_is_left_for_is_an_error(self, backend: Backend) -> None:
        tally = measure(a_plan(f"{backend.url}/hold", answer_s=1.0, most_at_once=5), NEVER)

        assert (tally.requests, tally.unanswered, tally.not_started) == (20, 5, 15)

    def test_connections_that_break_are_errors(self, backend: Backend) -> None:
        tally = measure(a_plan(f"{backend.url}/cut"), NEVER)

        assert (tally.broken, tally.by_class) == (20, {})

    def test_a_kept_connection_that_the_server_gave_up_is_no_error(self) -> None:
        # Each connection answers once, and closes at its second request.
        with serving_raw([b"HTTP/1.1 204 No Content\r\n\r\n", b""]) as server:
            tally = measure(a_plan(server.url), NEVER)

        assert (tally.by_class, tally.broken) == ({"2XX": 20}, 0)
        assert len(server.requests) > 20  # so they were sent again

    def test_server_errors_over_the_limit_are_a_no(self, backend: Backend) -> None:
        told = refusal(Gate(load=LoadGate(rps=50, for_=Duration(1), get="/status/500")), a_context(backend.url))

        assert told.startswith("errors 100 % are over 1%; GET /status/500 at 50/s for 1s: 50 requests, 50 answered 5XX")

    def test_no_listener_is_a_no(self) -> None:
        gate = Gate(load=LoadGate(rps=50, for_=Duration(1)))

        assert refusal(gate, a_context("http://127.0.0.1:1")) == "http://127.0.0.1:1: connection refused"

    def test_a_load_longer_than_the_timeout_is_refused_before_it_begins(self, backend: Backend) -> None:
        gate = Gate(load=LoadGate(rps=50, for_=Duration(600)))

        told = refusal(gate, a_context(backend.url))

        assert told == "load for 10m does not fit into a timeout of 5m; raise the timeout"
        assert backend.paths == []

    def test_cancelled_it_ends(self, backend: Backend) -> None:
        running = Running(Gate(load=LoadGate(rps=50, for_=Duration(200))), a_context(backend.url))
        backend.wait_for("/", 1)

        running.cancel()

    def test_it_ends_with_the_process_that_wanted_it(self, backend: Backend) -> None:
        wanting = subprocess.Popen([sys.executable, "-c", _MEASURE, backend.url])
        backend.wait_for("/", 1)
        children = Path(f"/proc/{wanting.pid}/task/{wanting.pid}/children").read_text(encoding="ascii").split()

        wanting.kill()
        wanting.wait()

        (generator,) = children
        assert ends(int(generator))

    def test_it_is_put_on_tls_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)

        with serving_raw([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 20, context) as server:
            tally = measure(a_plan(server.url), NEVER)

        assert tally.by_class == {"2XX": 20}


_MEASURE: Final = """
import sys, threading
from headgate.release.gates.load import LoadPlan, measure
plan = LoadPlan(url=sys.argv[1], headers={}, rps=5.0, seconds=1000.0, answer_s=5.0, most_at_once=5)
measure(plan, threading.Event())
"""
