import asyncio
from pathlib import Path

import pytest

from headgate.telemetry.log_files import LogFiles

_AT = 1_728_568_536_250


def _written(root: Path, *lines: tuple[str, str], **limits: int) -> None:
    """Write these (group, line) pairs through a sink of its own."""

    async def run() -> None:
        logs = LogFiles(root, **limits)
        for group, line in lines:
            logs.write(group, "stream", _AT, line)
        await logs.close()

    asyncio.run(run())


def test_a_line_says_when_and_in_which_stream(tmp_path: Path) -> None:
    _written(tmp_path, ("/aws/lambda/orders", "START"), ("/aws/lambda/orders", "END"), ("/aws/lambda/other", "x"))

    assert (tmp_path / "aws/lambda/orders.log").read_text() == (
        "2024-10-10T13:55:36.250Z stream START\n2024-10-10T13:55:36.250Z stream END\n"
    )
    assert (tmp_path / "aws/lambda/other.log").read_text() == "2024-10-10T13:55:36.250Z stream x\n"


@pytest.mark.parametrize("group", ["../../etc/passwd", "/..", "", "a/../../b", "..."])
def test_no_group_name_leads_out_of_the_folder(tmp_path: Path, group: str) -> None:
    path = LogFiles(tmp_path / "logs").path_of(group)

    assert path.is_relative_to(tmp_path / "logs")
    assert ".." not in path.parts


def test_a_full_file_makes_room(tmp_path: Path) -> None:
    _written(tmp_path, ("g", "first"), max_file_bytes=10)
    _written(tmp_path, ("g", "second"), max_file_bytes=10)

    assert "second" in (tmp_path / "g.log.1").read_text()
    assert not (tmp_path / "g.log").exists()


def test_what_is_too_much_is_dropped_from_the_oldest_and_counted(tmp_path: Path) -> None:
    _written(tmp_path, *(("g", str(number)) for number in range(5)), max_gathered=2)

    first, *rest = (tmp_path / "g.log").read_text().splitlines()
    assert first == "3 lines were dropped: the disk did not keep up"
    assert [line[-1] for line in rest] == ["3", "4"]


def test_a_group_that_makes_no_file_loses_its_own_lines_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    too_long = "x" * 300

    _written(tmp_path, ("g", "first"), ("g.log/below", "lost"), (too_long, "lost"), ("h", "last"))

    assert "first" in (tmp_path / "g.log").read_text()
    assert "last" in (tmp_path / "h.log").read_text()
    assert [record.getMessage().partition(" are lost")[0] for record in caplog.records] == [
        "1 lines of log group g.log/below",
        f"1 lines of log group {too_long}",
    ]
