"""What a function prints, and what Lambda says about its calls."""

import json
import re
from typing import Any

Fixture = Any


def test_the_log_of_two_calls_reads_as_lambda_s(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, sys
                print("importing")
                def handler(event, context):
                    print("hello"); os.write(1, b"raw\\n"); sys.stderr.write("no line feed")
                """
            )
            await at.invoke(spec, request_id="one")
            await at.invoke(spec, request_id="two")

            times = re.compile(r"\d+\.\d\d ms")
            lines = [re.sub(r"\d+ (ms|MB)", r"N \1", times.sub("T ms", line)) for line in at.logs.lines]
            report = "Duration: T ms\tBilled Duration: N ms\tMemory Size: N MB\tMax Memory Used: N MB\t"
            assert lines[0].startswith("INIT_START Runtime Version: python:3.")
            assert lines[1:] == [
                "importing",
                "START RequestId: one Version: $LATEST",
                "hello",
                "raw",
                "no line feed",
                "END RequestId: one",
                f"REPORT RequestId: one\t{report}Init Duration: T ms\t",
                "START RequestId: two Version: $LATEST",
                "hello",
                "raw",
                "no line feed",
                "END RequestId: two",
                f"REPORT RequestId: two\t{report}",
            ]
            assert {event[:1] for event in at.logs.events} == {
                ("arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/fn",)
            }
            [stream] = {event[1] for event in at.logs.events}
            assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)

    run(story())


def test_logging_has_lambda_s_format_and_a_record_is_one_event(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import logging
                logging.basicConfig(format="mine")  # does nothing, as on Lambda
                logging.getLogger().setLevel("INFO")
                def handler(event, context):
                    logging.info("two\\nlines")
                """
            )
            await at.invoke(spec, request_id="rid")

            [record] = [line for line in at.logs.lines if "[INFO]" in line]
            assert re.fullmatch(r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\trid\ttwo\nlines", record)

    run(story())


def test_an_error_s_traceback_is_one_event(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            await at.invoke(at.function("def handler(event, context): raise ValueError('no good')"))

            [event] = [line for line in at.logs.lines if line.startswith("[ERROR]")]
            assert event.startswith("[ERROR] ValueError: no good\nTraceback (most recent call last):\n  File ")

    run(story())


def test_the_tail_has_the_call_s_own_lines(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("def handler(event, context): print('x' * event)")
            short = await at.invoke(spec, 3, request_id="rid", want_log_tail=True)
            long = await at.invoke(spec, 9999, want_log_tail=True)
            none = await at.invoke(spec, 3)

            assert re.fullmatch(
                rb"START RequestId: rid Version: \$LATEST\nxxx\nEND RequestId: rid\nREPORT RequestId: rid\t.*\t\n",
                short.log_tail,
            )
            assert len(long.log_tail) == 4096
            assert none.log_tail == b""

    run(story())


def test_the_tail_of_a_call_whose_environment_did_not_start_says_why(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            failed = await at.invoke(at.function("print('opening')\nraise SystemExit('no way')"), want_log_tail=True)

            lines = failed.log_tail.decode().splitlines()
            assert lines[0].startswith("INIT_START")
            assert lines[1:3] == ["opening", "no way"]
            assert [line.split()[0] for line in lines[3:]] == ["INIT_REPORT", "START", "END", "REPORT"]

    run(story())


def test_the_report_of_a_call_that_ended_its_process_has_the_memory_that_it_used(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            await at.failure(
                at.function("import os\ndef handler(event, context):\n    x = b'1' * 60_000_000; os._exit(1)")
            )

            report = await at.logs.line("REPORT")
            assert int(report.split("Max Memory Used: ")[1].split()[0]) >= 60_000_000 // 2**20

    run(story())


def test_binary_output_breaks_nothing(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os
                def handler(event, context):
                    for _ in range(20): os.write(1, bytes(range(256)) * 100)
                    return "fine"
                """
            )

            assert [await at.answer(spec), await at.answer(spec)] == ["fine", "fine"]

    run(story())


def test_output_without_a_line_feed_is_cut_into_events(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            await at.answer(at.function("def handler(event, context): print('x' * 600_000, end='')"))

            sizes = [len(line) for line in at.logs.lines if line.startswith("x")]
            assert sizes == [262_144, 262_144, 600_000 - 2 * 262_144]

    run(story())


def test_a_function_that_prints_without_end_waits_for_its_pipe(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(log_burst_bytes=100_000) as at:
            flood = at.function(
                """
                import os
                def handler(event, context):
                    while True: os.write(1, b"x" * 999 + b"\\n")
                """,
                timeout_s=1,
            )

            document = await at.failure(flood)

            # At full speed this would be gigabytes; the slow reading passes some 6 MB a second.
            assert document["errorType"] == "Sandbox.Timedout"
            assert sum(map(len, at.logs.lines)) < 20_000_000

    run(story())


_IN_JSON = """
import logging
log = logging.getLogger("orders")
def handler(event, context):
    print("printed")
    log.info("left out")
    log.warning("%s of %s", 1, 2, extra={"tenant": "blue"})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("no")
    raise ValueError("two\\nlines")
"""


def test_records_and_errors_are_json_objects_from_their_level_on_where_that_is_set(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            await at.failure(at.function(_IN_JSON, log_format="JSON", log_level="WARN"))

            [start] = [at.logs.lines.index(line) for line in at.logs.lines if line.startswith("START")]
            printed, warning, caught, failed = at.logs.lines[start + 1 : start + 5]
            assert printed == "printed"
            told = json.loads(warning)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.pop("timestamp"))
            assert told == {
                "level": "WARNING",
                "message": "1 of 2",
                "logger": "orders",
                "requestId": "id-1",
                "tenant": "blue",
            }
            assert (json.loads(caught)["errorType"], json.loads(caught)["message"]) == ("ZeroDivisionError", "no")
            told = json.loads(failed)
            assert (told["level"], told["errorType"], told["errorMessage"]) == ("ERROR", "ValueError", "two\nlines")

    run(story())
