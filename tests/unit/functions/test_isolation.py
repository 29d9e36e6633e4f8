"""How functions are kept apart: what is chosen, and what is refused because it cannot be had."""

import os
import stat
from pathlib import Path

import pytest

from headgate.functions.isolation import Account, Isolation, IsolationError, choose, closed_to_others, leave, workplace
from headgate.functions.sandbox import shown_in_temporary

_SELF = str(os.geteuid())


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without bubblewrap."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_a_sandbox_and_as_the_server_s_user_nothing_is_set_up(tmp_path: Path) -> None:
    assert choose(sandbox="none", network="host", user=_SELF, data=tmp_path) == Isolation()


@pytest.mark.usefixtures("no_programs")
def test_auto_goes_on_without_bubblewrap_and_says_so_in_one_line(tmp_path: Path) -> None:
    isolation = choose(sandbox="auto", network="host", user=_SELF, data=tmp_path)

    assert isolation.sandbox is None
    assert isolation.lacks == (
        "functions run without a sandbox: bubblewrap (the command bwrap) is not installed; see docs/isolation.md",
    )


@pytest.mark.usefixtures("no_programs")
def test_bwrap_is_not_replaced_by_less() -> None:
    with pytest.raises(IsolationError, match=r"^sandbox is 'bwrap', but bubblewrap .* is not installed; choose auto"):
        choose(sandbox="bwrap", network="host", user=_SELF, data=Path("/nowhere"))


def test_a_bubblewrap_that_does_not_work_is_named_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _bubblewrap("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", tmp_path, monkeypatch)

    with pytest.raises(IsolationError, match="does not work here: bwrap: No permissions to create new namespace;"):
        choose(sandbox="bwrap", network="host", user=_SELF, data=Path("/nowhere"))


@pytest.mark.parametrize(
    ("says", "own", "lacks"),
    [
        pytest.param("", True, (), id="it can"),
        pytest.param(
            "it is full",
            False,
            ("execution environments of one function version share a /tmp: it is full; see docs/isolation.md",),
            id="it cannot",
        ),
    ],
)
def test_whether_an_environment_can_mount_a_tmp_of_its_own_is_what_the_trial_says(
    says: str,
    own: bool,
    lacks: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if shown_in_temporary():
        pytest.skip("Headgate is below /tmp itself")
    _bubblewrap(f"echo '{says}'", tmp_path, monkeypatch)

    isolation = choose(sandbox="auto", network="host", user=_SELF, data=tmp_path)

    assert isolation.sandbox is not None
    assert isolation.sandbox.own_temporary is own
    assert isolation.lacks == lacks


def _bubblewrap(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this stand for bubblewrap."""
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("sandbox", ["auto", "none"])
@pytest.mark.usefixtures("no_programs")
def test_no_network_is_not_replaced_by_a_network(sandbox: str) -> None:
    with pytest.raises(
        IsolationError, match=r"^function_network is 'none', which needs bubblewrap, but .*; choose host"
    ):
        choose(sandbox=sandbox, network="none", user=_SELF, data=Path("/nowhere"))


@pytest.mark.parametrize("user", ["no-such-user", "4294967290"])
def test_a_user_that_there_is_not_is_refused(user: str) -> None:
    with pytest.raises(IsolationError, match=f"^function_user is '{user}'; there is no such user$"):
        choose(sandbox="none", network="host", user=user, data=Path("/nowhere"))


def test_only_root_can_run_functions_as_another_user(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("this is root")
    with pytest.raises(IsolationError, match=r"^function_user is 'root'; only a server that runs as root"):
        choose(sandbox="none", network="host", user="root", data=tmp_path)


def test_what_a_closed_folder_is_above_is_closed(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    tmp_path.joinpath("python").symlink_to(inner / "python")

    found = closed_to_others(str(tmp_path / "python"))

    assert found is not None
    assert found in (inner / "python").parents  # pytest's own folder is closed too


def test_files_of_functions_of_another_user_are_where_it_may_enter_and_the_data_folder_is_closed(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)

    place = workplace(tmp_path, Isolation(account=Account(name="nobody", uid=65534, gid=65534)))

    assert place != tmp_path
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (place, place / "code", place / "run")] == [0o711] * 3
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    leave(tmp_path)
    assert not place.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_elsewhere_goes_with_the_next_start(tmp_path: Path) -> None:
    left = workplace(tmp_path, Isolation(account=Account(name="nobody", uid=65534, gid=65534)))

    assert workplace(tmp_path, Isolation()) == tmp_path
    assert not left.exists()
