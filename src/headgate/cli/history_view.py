"""What moved a stage, as a table for people; and what a roll-back did."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from headgate.cli.printable import printable

_NAMED: Final = {
    "variables/": "variables",
    "canarySettings/stageVariableOverrides/": "canary variables",
    "canarySettings/functionVersions/": "canary pins",
    "canarySettings/baseFunctionVersions/": "base pins",
    "canarySettings/": "canary settings",
}
"""Where the names of what was changed begin, and what they are then called; the first that fits."""

_TOLD: Final = 48  # characters of a description


def print_history(document: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(_headline(document))
    if not document["moves"]:
        console.print("Nothing has moved it since its history is kept.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("when", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("by", overflow="fold")
    for move in document["moves"]:
        who = printable(move["actor"] or move["accessKey"] or "unsigned")
        table.add_row(_time(move["at"]), _what(move), Text(f"{who}  {printable(move['userAgent'])}".rstrip()))
    console.print()
    console.print(table)


def print_rollback(told: Mapping[str, Any]) -> None:
    before, canary = told["from"], told["from"].get("canary", {})
    console = Console(highlight=False)
    line = Text.assemble((told["stage"], "bold"), f" of {printable(told['apiName'])}: ")
    if told["to"]["deploymentId"] != before["deploymentId"]:
        line.append(f"{_told(before)} -> {_told(told['to'])}")
    else:
        line.append(f"serves {_told(before)} as before")
    if told["canaryEnded"]:
        line.append(
            f"; canary {canary['deploymentId']} had {canary['percentTraffic']:g} % of the traffic and has none now"
        )
    console.print(line)


def _headline(document: Mapping[str, Any]) -> Text:
    line = Text.assemble((document["stage"], "bold"), f" of {printable(document['apiName'])} ")
    serves, previous = document["serves"], document["previous"]
    if serves is None:
        return line + Text("is deleted", "red")
    line.append(f"serves {_told(serves)}")
    if (canary := serves.get("canary")) is not None:
        line.append(f", its canary {_told(canary)} at {canary['percentTraffic']:g} %")
    if document["openRelease"] is not None:
        line.append(f"; release {document['openRelease']} is on its way", "yellow")
    elif previous is not None:
        line.append(f"; a roll-back goes to {_told(previous)}", "dim")
    return line


def _what(move: Mapping[str, Any]) -> Text:
    lines = [*_moved(move["before"], move["after"]), *_named(move)]
    return Text("\n").join(lines)


def _moved(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Text]:
    if after is None:
        yield Text("deleted", "red").append(f", served {_told(before or {})}", "default")
        return
    if before is None:
        yield Text("created", "green").append(f", serves {_told(after)}", "default")
    elif before["deploymentId"] != after["deploymentId"]:
        yield Text(f"{before['deploymentId']} -> {_told(after)}")
    yield from _canary_moved((before or {}).get("canary"), after.get("canary"))


def _canary_moved(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Text]:
    if after is None:
        if before is not None:
            yield Text(f"canary {before['deploymentId']} removed")
        return
    share = f"{after['percentTraffic']:g} %"
    if before is None or before["deploymentId"] != after["deploymentId"]:
        yield Text(f"canary {_told(after)} at {share}")
    elif before["percentTraffic"] != after["percentTraffic"]:
        yield Text(f"canary {after['deploymentId']} {before['percentTraffic']:g} % -> {share}")


def _named(move: Mapping[str, Any]) -> Iterator[Text]:
    """The names of what was changed, by what they are names of."""
    found: dict[str, list[str]] = {}
    for path in move["changed"]:
        start = next(each for each in _NAMED if path.startswith(each))
        found.setdefault(_NAMED[start], []).append(path.removeprefix(start))
    for kind, names in found.items():
        yield Text(f"{kind}: {', '.join(names)}", "dim")
    if move["changedMore"]:
        yield Text(f"and {move['changedMore']} more", "dim")


def _told(served: Mapping[str, Any]) -> str:
    """A deployment by its id, with the release that made it, or what its description begins with."""
    told = f"release {served['release']}" if "release" in served else served.get("description", "")
    if not told:
        return str(served["deploymentId"])
    line = " ".join(printable(told).split())
    return f"{served['deploymentId']} ({line if len(line) <= _TOLD else f'{line[: _TOLD - 1]}…'})"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
