"""The command `headgate`."""

import sys
from typing import Final

import click

from headgate import __version__
from headgate.cli.failure import fail
from headgate.cli.lazy_group import LazyGroup
from headgate.cli.programs import Programs


@click.command()
def version() -> None:
    """Print the version."""
    print(f"headgate {__version__}")


_RELEASE: Final = LazyGroup(
    "release",
    {
        **{name: f"release:{name}" for name in ("plan", "start", "run", "simulate", "schema", "work")},
        "list": "release_tell:list_releases",
        **{name: f"release_tell:{name}" for name in ("show", "watch", "history")},
        **{name: f"release_tell:{name}" for name in ("approve", "reject", "pause", "resume")},
        **{name: f"release_tell:{name}" for name in ("abort", "abandon", "promote", "retry", "rollback")},
    },
    text="Releases: traffic shifted on evidence, and rolled back as one.",
)
HEADGATE: Final = LazyGroup(
    "headgate",
    {
        "up": "up:up",
        "dev": "dev:dev",
        "diff": "diff:diff",
        "history": "stage:history",
        "rollback": "stage:rollback",
        "release": _RELEASE,
        "version": version,
    },
    text="An API gateway with stages, immutable deployments and releases that decide on evidence.",
)


def main(programs: Programs) -> None:
    """Run the command. `programs` are what a client knows nothing of."""
    try:
        # Not standalone: click would print its usage around what is wrong.
        status = HEADGATE.main(obj=programs, standalone_mode=False, prog_name="headgate")
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(error.exit_code) from error
    except click.ClickException as error:
        fail(f"{_one_line(error.format_message())}; see {_command_of(error)} --help")
    except click.Abort:
        raise SystemExit(130) from None
    raise SystemExit(status or 0)


def _command_of(error: click.ClickException) -> str:
    """The command that was used wrongly, as it is called."""
    context: click.Context | None = getattr(error, "ctx", None)
    if context is not None:
        return context.command_path
    # The parser raises some without a context.
    path, command = "headgate", HEADGATE
    for name in sys.argv[1:]:
        found = command.get_command(click.Context(command), name)
        if found is None:
            break
        path += f" {name}"
        if not isinstance(found, LazyGroup):
            break
        command = found
    return path


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace(". (Did", " (did").rstrip(".")
