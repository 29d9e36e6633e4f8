"""What a person gets wrong, before anything is started."""

from pathlib import Path

from support.releases import a_file, release
from support.server import RunningServer


def test_a_zip_over_the_most_is_told_before_it_is_sent(server: RunningServer, tmp_path: Path) -> None:
    with (tmp_path / "code.zip").open("wb") as zip_file:
        zip_file.truncate(50 * 1024 * 1024 + 1)
    file = a_file(
        tmp_path,
        """
        release: big-1
        api: orders
        stage: prod
        change: {functions: {orders: {zip: code.zip}}}
        """,
    )

    ended = release(server, "start", str(file))

    assert ended.returncode == 2
    assert "code.zip, which has 52428801 bytes; the most is 52428800" in ended.stderr
