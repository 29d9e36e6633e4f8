"""`headgate release`: look at releases, and tell them what a person decides."""

import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import click

from headgate.cli.failure import fail
from headgate.cli.programs import Programs
from headgate.cli.release_options import (
    ACTOR,
    NAME,
    REASON,
    about_releases,
    printed,
    releases_of,
    user,
)
from headgate.cli.release_view import print_event, print_list, print_report
from headgate.cli.release_watch import watch_until_over
from headgate.client.releases import ReleasesApi

_POLL_S: Final = 1.0


@click.command("list")
@about_releases
def list_releases(programs: Programs, state: Path | None, endpoint_url: str | None, as_json: bool) -> None:
    """List all releases, the newest first."""
    with releases_of(programs, state, endpoint_url) as releases:
        printed({"releases": releases.all()}, as_json, print_list)


@click.command()
@NAME
@about_releases
def show(programs: Programs, name: str, state: Path | None, endpoint_url: str | None, as_json: bool) -> None:
    """Show one release: its steps, and the evidence against its threshold."""
    with releases_of(programs, state, endpoint_url) as releases:
        printed(releases.show(name), as_json, print_report)


@click.command()
@NAME
@about_releases
def watch(programs: Programs, name: str, state: Path | None, endpoint_url: str | None, as_json: bool) -> None:
    """Show a release live until it ends. Exit status as of `run`; with --json a line for each event."""
    with releases_of(programs, state, endpoint_url) as releases:
        raise SystemExit(watch_until_over(releases, name, as_json))


@click.command()
@NAME
@about_releases
def history(programs: Programs, name: str, state: Path | None, endpoint_url: str | None, as_json: bool) -> None:
    """Print a release's journal: who, or which evidence, decided what, and what was seen."""
    with releases_of(programs, state, endpoint_url) as releases:
        for event in _events(releases, name):
            printed(event, as_json, print_event)


def _telling(verb: str, text: str) -> click.Command:
    @click.command(verb, help=text)
    @NAME
    @REASON
    @click.option("--region", help="Of one region alone.")
    @ACTOR
    @about_releases
    def tell(
        programs: Programs,
        name: str,
        reason: str,
        region: str | None,
        actor: str | None,
        state: Path | None,
        endpoint_url: str | None,
        as_json: bool,
    ) -> None:
        with releases_of(programs, state, endpoint_url) as releases:
            releases.command(name, verb, actor or user(), reason, region)
            printed({"release": name, "told": verb}, as_json, lambda _: print(f"{name}: {verb}"))

    return tell


approve = _telling("approve", "Say yes to what the release waits for.")
reject = _telling("reject", "Say no to it: the release is rolled back.")
pause = _telling("pause", "Raise no weight until it is resumed. Evidence may still roll it back.")
resume = _telling("resume", "Go on: after a pause, or, after a drift, by putting back what the release wants.")
abort = _telling("abort", "Roll the release back now.")
abandon = _telling("abandon", "Stop driving it, and leave all as it is now.")
promote = _telling("promote", "Go on in spite of evidence that is not there.")


@click.command()
@NAME
@ACTOR
@about_releases
def retry(
    programs: Programs, name: str, actor: str | None, state: Path | None, endpoint_url: str | None, as_json: bool
) -> None:
    """Run a release that was rolled back once more: the same file and code, as another attempt."""
    with releases_of(programs, state, endpoint_url) as releases:
        releases.retry(name, actor or user())
        printed({"release": name, "told": "retry"}, as_json, lambda _: print(f"{name}: another attempt is started"))


@click.command()
@click.argument("name", required=False, help="The release to undo, with all that came after it.")
@click.option("--to", help="Undo all that came after this release, and not itself.")
@REASON
@ACTOR
@about_releases
def rollback(
    programs: Programs,
    name: str | None,
    to: str | None,
    reason: str,
    actor: str | None,
    state: Path | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Bring back what was served before a release. Later releases of the same stage are undone first."""
    if (name is None) == (to is None):
        fail("give the release to undo, or --to the one to come back to")
    with releases_of(programs, state, endpoint_url) as releases:
        undone: list[str] = []
        newer = _newer_of_the_same(releases, name or to or "")
        if state is not None and len(newer) > (1 if to is None else 2):
            # Nobody would drive the first while this waits for it.
            fail(f"roll {newer[0]} back first: releases of a state file are driven one at a time, by run")
        for each in newer if to is None else newer[:-1]:
            if undone:
                _wait_until_over(releases, undone[-1])
            releases.command(each, "rollback", actor or user(), reason)
            undone.append(each)
        if not undone:
            fail(f"nothing was promoted after release {to}")
        printed({"rollback": undone}, as_json, lambda _: print(f"rolling back {', then '.join(undone)}"))


def _events(releases: ReleasesApi, name: str) -> Iterator[dict[str, Any]]:
    number = 0
    while events := releases.history(name, number):
        yield from events
        number = events[-1]["number"]


def _newer_of_the_same(releases: ReleasesApi, name: str) -> list[str]:
    """The releases to undo, the newest first, down to the one that is named."""
    all_releases = releases.all()
    mine = next((each for each in all_releases if each["release"] == name), None)
    if mine is None:
        return [name]  # the refusal says what there is
    later = [
        each
        for each in all_releases
        if each.get("phase") == "promoted"
        and each["startedAt"]
        > mine.get("startedAt", mine["createdAt"])  # of the last attempt: when it moved what it moved
        and set(each["targets"]) & set(mine["targets"])
    ]
    return [*(each["release"] for each in sorted(later, key=itemgetter("startedAt"), reverse=True)), name]


def _wait_until_over(releases: ReleasesApi, name: str) -> None:
    while (phase := releases.show(name)["phase"]) != "rolled-back":
        if phase == "abandoned":
            fail(f"release {name} was abandoned: what came before it is not rolled back")
        time.sleep(_POLL_S)
