"""Every command is found by its name, and its help fits a terminal of 80 columns."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from headgate.cli.main import HEADGATE


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *_commands(HEADGATE)], ids=" ".join)
def test_help_says_what_a_command_does_and_fits_eighty_columns(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(HEADGATE, [*path, "--help"], prog_name="headgate", terminal_width=80)

    assert shown.exit_code == 0, shown.output
    usage, _, rest = shown.output.partition("\n\n")
    assert usage.startswith(" ".join(("Usage: headgate", *path)))
    assert rest.lstrip()[:1].isupper()
    assert max(map(len, shown.output.splitlines())) <= 80


def test_the_commands_of_a_group_are_listed_in_their_order_with_a_whole_sentence_each() -> None:
    shown = CliRunner().invoke(HEADGATE, ["release", "--help"], terminal_width=80).output.partition("Commands:\n")[2]

    listed = [line.split()[0] for line in shown.splitlines() if line[2:3] != " "]
    assert listed[:4] == ["plan", "start", "run", "simulate"]
    assert listed[-1] == "rollback"
    assert "work" not in listed  # the server's own
    assert "..." not in shown
