"""`headgate up`: serve, until told to stop."""

import os
from pathlib import Path
from typing import Any

import click

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.settings import SettingsError, load_settings


@click.command()
@click.option("--port", type=int, help="Port of the control plane; 0 picks a free one. Default: 4566.")
@click.option("--gateway-port", type=int, help="Port of the gateway; 0 picks a free one. Default: 8080.")
@click.option("--host", help="Address of the control plane: loopback only. Default: 127.0.0.1.")
@click.option("--gateway-host", help="Address of the gateway. Default: 127.0.0.1.")
@click.option("--data", help="The data folder. Default: .headgate.")
@click.option("--ephemeral/--no-ephemeral", default=None, help="Keep nothing, and allow POST /_headgate/reset.")
@click.option("--account-id", help="Account of callers whose key names none: 12 digits. Default: 000000000000.")
@click.option(
    "--sandbox", help="Around functions: auto, bwrap (bubblewrap) or none. Default: auto, bwrap where it works."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file, in TOML. Default: headgate.toml, when it is there.",
)
@click.pass_obj
def up(programs: Programs, /, config: Path | None, **given: Any) -> None:
    """Serve the control plane and the gateway, until SIGTERM or Ctrl-C.

    Every option can stand in the environment too, as HEADGATE_PORT and so on, and in the configuration file.
    """
    try:
        programs.serve(load_settings(given, os.environ, _config_file(config)))
    except SettingsError as error:
        fail(str(error))


def _config_file(given: Path | None) -> Path | None:
    if given is not None:
        return given
    if named := os.environ.get("HEADGATE_CONFIG"):
        return Path(named)
    default = Path("headgate.toml")
    return default if default.exists() else None
