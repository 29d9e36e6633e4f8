"""Hands over to the command line."""

from headgate.cli.failure import fail
from headgate.cli.main import main as run_command
from headgate.settings import Settings


def main() -> None:
    run_command(_serve)


def _serve(settings: Settings) -> None:
    # Imported here, so that --help and a bad setting answer at once.
    import logging

    import uvloop

    from headgate.app import StartError, run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        uvloop.run(run(settings))
    except StartError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
