"""A group of commands that are imported when they are run, so that one does not wait for what the others need."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

_WHOLE: Final = 1000  # characters of a first sentence


class LazyGroup(click.Group):
    """Its commands in the order that help lists them: each itself, or its `module:attribute` below `headgate.cli`."""

    def __init__(self, name: str, commands: Mapping[str, click.Command | str], *, text: str) -> None:
        super().__init__(name, help=text, no_args_is_help=True)
        self._named = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        return list(self._named)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        command = self._named.get(cmd_name)
        if isinstance(command, str):
            module, _, attribute = command.partition(":")
            command = getattr(import_module(f"headgate.cli.{module}"), attribute)
            assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command's first sentence, whole: click cuts it to what one line takes."""
        shown = [(name, self.get_command(ctx, name)) for name in self._named]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, each.get_short_help_str(_WHOLE))
                    for name, each in shown
                    if each is not None and not each.hidden
                ]
            )
