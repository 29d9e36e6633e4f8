"""Output cut into lines, and Lambda's own lines."""

import weakref

from headgate.functions.logs import (
    MAX_LINE_BYTES,
    TAIL_BYTES,
    EnvironmentLog,
    OutputLines,
    iso_timestamp,
    log_stream_name,
    report,
)


class Sink:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        self.lines += lines


def test_a_line_is_whole_however_its_output_came() -> None:
    lines = OutputLines()

    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\n\nthree") == ["two", ""]
    assert lines.finish() == ["three"]
    assert lines.finish() == []


def test_what_is_no_text_becomes_replacement_signs() -> None:
    assert OutputLines().feed(b"a\xff\xfeb\n") == ["a��b"]


def test_a_record_of_many_lines_is_one_event() -> None:
    assert OutputLines().feed(b"[ERROR] X\x1eTraceback\x1e  File\nnext\n") == ["[ERROR] X\nTraceback\n  File", "next"]


def test_a_line_above_the_limit_becomes_several() -> None:
    lines = OutputLines()

    assert [len(line) for line in lines.feed(b"x" * (MAX_LINE_BYTES + 1) + b"\n")] == [MAX_LINE_BYTES, 1]


def test_a_line_without_an_end_is_not_kept_beyond_the_limit() -> None:
    lines = OutputLines()

    events = [event for _ in range(9) for event in lines.feed(b"x" * 65_536)]

    assert [len(event) for event in events] == [MAX_LINE_BYTES, MAX_LINE_BYTES]
    assert [len(line) for line in lines.finish()] == [65_536]


def test_the_tail_is_the_last_4_kb_of_the_call() -> None:
    log = EnvironmentLog(Sink(), "group", "stream")
    log.write("before")

    log.keep_tail()
    log.output(b"".join(b"%04d\n" % number for number in range(2000)))

    assert log.take_tail() == b"".join(b"%04d\n" % number for number in range(2000))[-TAIL_BYTES:]
    assert log.take_tail() == b""


def test_long_lines_are_not_kept_beyond_the_tail() -> None:
    class Line(str):  # noqa: SLOT000  # slots would take its weak references
        """One whose end can be seen."""

    sink = Sink()
    log = EnvironmentLog(sink, "group", "stream")
    log.keep_tail()
    line = Line("a" * 100_000)
    kept = weakref.ref(line)
    log.write(line)
    sink.lines.clear()
    del line

    log.write("b" * TAIL_BYTES)

    assert kept() is None
    assert log.take_tail() == b"b" * (TAIL_BYTES - 1) + b"\n"


def test_the_report_is_lambda_s() -> None:
    assert report("id", 0.00123, 128, 39, 0.09876) == (
        "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 39 MB\tInit Duration: 98.76 ms\t"
    )
    assert "Init Duration" not in report("id", 0.001, 128, 39, None)


def test_the_stream_has_the_day_and_the_version() -> None:
    assert log_stream_name("$LATEST", "abc", 86_400.0) == "1970/01/02/[$LATEST]abc"


def test_a_timestamp_has_milliseconds() -> None:
    assert iso_timestamp(1.0625) == "1970-01-01T00:00:01.062Z"
