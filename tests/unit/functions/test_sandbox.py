"""What a sandbox shows and hides, as bubblewrap is told."""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from headgate.functions.sandbox import RUNTIME_DIR, Sandbox

_DATA = Path("/srv/headgate")


def _command(sandbox: Sandbox, **changed: Any) -> list[str]:
    fields: dict[str, Any] = {
        "code_dir": _DATA / "code" / "abc",
        "layers_dir": None,
        "storage_mb": 512,
        "switches_user": False,
    }
    return sandbox.command(["python3", "-c", "pass"], **(fields | changed))


def _bound(command: list[str]) -> dict[str, str]:
    """What is shown, by the path that it has inside."""
    return {command[at + 2]: command[at + 1] for at, word in enumerate(command) if word in {"--ro-bind", "--bind"}}


def test_a_function_s_code_is_where_lambda_has_it_and_all_that_is_shown_is_read_only() -> None:
    command = _command(Sandbox(bwrap="/usr/bin/bwrap"))

    shown = _bound(command)
    assert shown["/var/task"] == "/srv/headgate/code/abc"
    assert shown["/var/runtime/python_runtime"] == str(RUNTIME_DIR)
    assert "--bind" not in command
    assert ("--remount-ro", "/") in pairwise(command)
    assert command[-4:] == ["--", "python3", "-c", "pass"]


def test_nothing_of_the_data_folder_but_the_code_is_shown() -> None:
    shown = _bound(_command(Sandbox(bwrap="bwrap", hidden=(_DATA,))))

    assert [source for source in shown.values() if source.startswith(str(_DATA))] == ["/srv/headgate/code/abc"]


def test_a_data_folder_within_what_is_shown_is_covered() -> None:
    data = Path("/usr/local/headgate")
    beside = Path(sys.prefix) / "data"

    command = _command(Sandbox(bwrap="bwrap", hidden=(data, beside)))

    for path in (data, beside):
        assert ("--tmpfs", str(path)) in pairwise(command)
        assert ("--remount-ro", str(path)) in pairwise(command)


def test_the_temporary_folder_is_as_large_as_the_ephemeral_storage() -> None:
    command = _command(Sandbox(bwrap="bwrap"), storage_mb=1024)

    at = command.index("/tmp")
    assert command[at - 5 : at] == ["--perms", "1777", "--size", str(1024**3), "--tmpfs"]


def test_layers_are_shown_below_opt(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "bin").mkdir()

    shown = _bound(_command(Sandbox(bwrap="bwrap"), layers_dir=tmp_path))

    assert (shown["/opt/bin"], shown["/opt/python"]) == (str(tmp_path / "bin"), str(tmp_path / "python"))


def test_the_network_is_the_host_s_unless_it_is_taken_away() -> None:
    assert "--unshare-net" not in _command(Sandbox(bwrap="bwrap"))
    assert "--unshare-net" in _command(Sandbox(bwrap="bwrap", network=False))


def test_only_a_program_that_switches_its_user_keeps_the_right_to() -> None:
    assert "--cap-add" not in _command(Sandbox(bwrap="bwrap"))
    command = _command(Sandbox(bwrap="bwrap"), switches_user=True)
    kept = [command[at + 1] for at, word in enumerate(command) if word == "--cap-add"]
    assert kept == ["CAP_SETUID", "CAP_SETGID"]
