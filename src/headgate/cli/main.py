"""The command `headgate`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate import __version__
from headgate.cli import release, release_tell  # noqa: F401 - they add their commands, in this order
from headgate.cli.dev import dev
from headgate.cli.diff import diff
from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.cli.release_options import app as release_app
from headgate.cli.stage import history, rollback
from headgate.settings import SettingsError, load_settings

app = typer.Typer(
    name="headgate",
    help="An API gateway with stages, immutable deployments and releases that decide on evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def up(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="Port of the control plane; 0 picks a free one. Default: 4566.")
    ] = None,
    gateway_port: Annotated[
        int | None, typer.Option(help="Port of the gateway; 0 picks a free one. Default: 8080.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address of the control plane: loopback only. Default: 127.0.0.1.")
    ] = None,
    gateway_host: Annotated[str | None, typer.Option(help="Address of the gateway. Default: 127.0.0.1.")] = None,
    data: Annotated[str | None, typer.Option(help="The data folder. Default: .headgate.")] = None,
    ephemeral: Annotated[
        bool | None, typer.Option("--ephemeral/--no-ephemeral", help="Keep nothing, and allow POST /_headgate/reset.")
    ] = None,
    account_id: Annotated[
        str | None,
        typer.Option(help="Account of callers whose key names none: 12 digits. Default: 000000000000."),
    ] = None,
    sandbox: Annotated[
        str | None,
        typer.Option(help="Around functions: auto, bwrap (bubblewrap) or none. Default: auto, bwrap where it works."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file, in TOML. Default: headgate.toml, when it is there."),
    ] = None,
) -> None:
    """Serve the control plane and the gateway, until SIGTERM or Ctrl-C.

    Every option can stand in the environment too, as HEADGATE_PORT and so on, and in the configuration file.
    """
    given = {
        "port": port,
        "gateway_port": gateway_port,
        "host": host,
        "gateway_host": gateway_host,
        "data": data,
        "ephemeral": ephemeral,
        "account_id": account_id,
        "sandbox": sandbox,
    }
    programs: Programs = context.obj
    try:
        programs.serve(load_settings(given, os.environ, _config_file(config)))
    except SettingsError as error:
        fail(str(error))


for command in (dev, diff, history, rollback):
    app.command()(command)
app.add_typer(release_app)


@app.command()
def version() -> None:
    """Print the version."""
    print(f"headgate {__version__}")


def _config_file(given: Path | None) -> Path | None:
    if given is not None:
        return given
    if named := os.environ.get("HEADGATE_CONFIG"):
        return Path(named)
    default = Path("headgate.toml")
    return default if default.exists() else None


def main(programs: Programs) -> None:
    """Run the command. `programs` are what a client knows nothing of."""
    try:
        # Not standalone: typer would draw a box of five lines around what is wrong.
        status = app(obj=programs, standalone_mode=False, prog_name="headgate")
    except typer.TyperException as error:
        if not error.format_message():
            raise SystemExit(error.exit_code) from error  # no command was given: the help has been printed
        fail(f"{_one_line(error.format_message())}; see {_command_of(error)} --help")
    except typer.Abort:
        raise SystemExit(130) from None
    raise SystemExit(status or 0)


def _command_of(error: typer.TyperException) -> str:
    """The command that was used wrongly, as it is called."""
    context: typer.Context | None = getattr(error, "ctx", None)
    # The parser raises some without a context.
    return context.command_path if context is not None else f"headgate {'dev' if 'dev' in sys.argv[1:2] else 'up'}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
