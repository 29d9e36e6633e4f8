"""Hands over to the command line, with what it may run. Each imports what it needs as it runs: --help is at once."""

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headgate.cli.programs import LocalReleases, Programs
from headgate.settings import Settings

_START_OBJECTS: Final = 200_000  # more than a start makes


def main() -> None:
    # Modules make many objects and no garbage; looking for some as often as usual takes a quarter of the start.
    gc.set_threshold(_START_OBJECTS)

    from headgate.cli.main import main as run_command

    run_command(
        Programs(
            serve=_serve,
            releases=_releases,
            work=_work,
            files=_files,
            plan=_plan,
            simulate=_simulate,
            schema=_schema,
        )
    )


def _serve(settings: Settings) -> None:
    import logging
    from concurrent.futures import ThreadPoolExecutor

    from headgate.cli.failure import fail
    from headgate.wiring.start_error import StartError
    from headgate.wiring.state import choose_isolation

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A sandbox is tried while the rest is imported: it takes a fifth of the start.
    beside = ThreadPoolExecutor(1, "isolation")
    isolated = beside.submit(choose_isolation, settings)
    beside.shutdown(wait=False)

    import uvloop

    from headgate.app import run

    try:
        uvloop.run(run(settings, isolated))
    except StartError as error:
        fail(str(error))


def _releases(state: Path) -> LocalReleases:
    from headgate.releasing import Releases

    return Releases(state)


def _work(state: Path, endpoint_url: str) -> None:
    from headgate.releasing import work

    work(state, endpoint_url)


def _files(text: str, name: str) -> list[str]:
    from headgate.releasing import files

    return files(text, name)


def _plan(document: Mapping[str, Any], artefacts: Mapping[str, bytes]) -> dict[str, Any]:
    from headgate.releasing import planned

    return planned(document, artefacts)


def _simulate(text: str, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    from headgate.releasing import simulated

    return simulated(text, name, asked)


def _schema() -> bytes:
    from headgate.release.schema import schema

    return schema()


if __name__ == "__main__":
    main()
