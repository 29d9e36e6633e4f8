"""Differences between deployments, as a person reads them in a terminal: a paragraph for each method."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headgate.cli.printable import printable

_STYLES: Final = {"added": "green", "removed": "red", "changed": "yellow"}
_SIGNS: Final = {"added": "+", "removed": "-", "changed": " "}
_WORDS: Final = {
    "methodIntegration": "integration",
    "integrationResponses": "response",
    "methodResponses": "response",
    "requestParameters": "request parameter",
    "responseParameters": "parameter",
    "requestTemplates": "request template",
    "responseTemplates": "template",
    "requestModels": "request model",
    "responseModels": "model",
}
"""What is read better than the wire's name. All others are told as they are, so that they can be looked up."""

_INDENT: Final = 6
_LABEL_ROOM: Final = 36  # columns at most that values are aligned behind; a longer label stands for itself
_CONTEXT: Final = 2  # lines around a changed one of a text

Difference = Mapping[str, Any]


def print_differences(document: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    for number, comparison in enumerate(document["comparisons"]):
        if number:
            console.print()
        console.print(_headline(comparison))
        for place, found in groupby(comparison["differences"], key=_place):
            _print_place(console, place, list(found))


def _headline(comparison: Mapping[str, Any]) -> Text:
    a, b, count = comparison["a"], comparison["b"], len(comparison["differences"])
    if b["is"] == "current" and a["is"] in {"stage", "canary"}:
        who, share = a["stage"], ""
        if a["is"] == "canary":
            who, share = f"{a['stage']}'s canary", f" to {a['percentTraffic']:g} % of the traffic"
        line = Text.assemble((who, "bold"), f" serves {_deployment(a)}{share}, ")
        if not count:
            return line.append("and all is deployed", "green")
        return line.append(f"{count} changes are not deployed" if count > 1 else "1 change is not deployed", "yellow")
    if not count:
        return Text(f"{_side(a)} and {_side(b)} do not differ")
    return Text(f"{_side(a)} -> {_side(b)}, {count} difference{'s' if count > 1 else ''}", "bold")


def _side(side: Mapping[str, Any]) -> str:
    match side["is"]:
        case "stage":
            return f"{side['stage']} ({_deployment(side)})"
        case "canary":
            return f"the canary of {side['stage']} ({_deployment(side)})"
        case "deployment":
            return _deployment(side)
        case _:
            return "the resources as they stand"


def _deployment(side: Mapping[str, Any]) -> str:
    return f"{side['deploymentId']} of release {side['release']}" if "release" in side else str(side["deploymentId"])


def _place(difference: Difference) -> str:
    """What the difference is of, and the heading that it stands below."""
    if "resource" not in difference:
        return "API"
    return f"{difference['method']} {difference['resource']}" if "method" in difference else difference["resource"]


def _print_place(console: Console, place: str, found: Sequence[Difference]) -> None:
    first = found[0]
    if not first["path"] and place != "API":
        style = _STYLES[first["kind"]]
        what = (
            "a resource without methods" if "method" not in first else _method(first.get("after", first.get("before")))
        )
        line = Text(f"  {_SIGNS[first['kind']]} {printable(place)}", f"bold {style}")
        console.print(line.append(f"  {what}", f"not bold {style}"))
        return
    console.print(Text(f"    {printable(place)}", "bold"))
    labels = [len(_label(each["path"])) for each in found]
    room = max((each for each in labels if each <= _LABEL_ROOM), default=0)
    for each in found:
        _print_change(console, each, room)


def _print_change(console: Console, difference: Difference, room: int) -> None:
    """In a line where there is room, else with what was and what is below each other."""
    label, before, after = _label(difference["path"]), difference.get("before"), difference.get("after")
    line = Text(f"{label:<{room}}  ") + _in_a_line(before, after)
    if line.cell_len + _INDENT <= console.width and "\n" not in line.plain:
        console.print(Padding(line, (0, 0, 0, _INDENT), expand=False))
        return
    console.print(Padding(Text(label), (0, 0, 0, _INDENT), expand=False))
    lines = Table.grid(padding=(0, 1))  # the signs stand apart: a wrapped line begins below its own beginning
    for sign, text in _below_each_other(before, after):
        style = {"+": "green", "-": "red"}.get(sign, "dim")
        lines.add_row(Text(sign, style), Text(text, style, overflow="fold"))
    console.print(Padding(lines, (0, 0, 0, _INDENT + 2), expand=False))


def _in_a_line(before: Any, after: Any) -> Text:
    if isinstance(before, list) or isinstance(after, list):
        gone = [each for each in before or () if each not in (after or ())]
        new = [each for each in after or () if each not in (before or ())]
        parts = [Text(f"- {_value(each)}", "red") for each in gone] + [
            Text(f"+ {_value(each)}", "green") for each in new
        ]
        return Text(", ").join(parts)
    if before is None:
        return Text(f"+ {_value(after)}", "green")
    if after is None:
        return Text(f"- {_value(before)}", "red")
    return Text.assemble((_value(before), "red"), " -> ", (_value(after), "green"))


def _below_each_other(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """Lines with their signs; of two long texts only what is around a change."""
    olds, news = ([] if each is None else _value(each).splitlines() for each in (before, after))
    if olds == news:  # they end otherwise
        olds, news = [json.dumps(before)], [json.dumps(after)]
    if len(olds) > 1 and len(news) > 1:
        # Without its heading: two lines for the files, one for where the first change is.
        for line in list(difflib.unified_diff(olds, news, n=_CONTEXT, lineterm=""))[3:]:
            yield ("…", "") if line.startswith("@@") else (line[0], line[1:])
        return
    yield from (("-", line) for line in olds)
    yield from (("+", line) for line in news)


def _label(path: Sequence[str]) -> str:
    """The path in words: `methodIntegration.uri` is "integration uri"."""
    return printable(" ".join(_WORDS.get(part, part) for part in path))


def _method(method: Mapping[str, Any]) -> str:
    """What a method does, in a line."""
    integration = method.get("methodIntegration")
    if integration is None:
        return "no integration"
    parts = [integration["type"], integration.get("uri", "")]
    if method["authorizationType"] != "NONE":
        parts.append(f"authorization {method['authorizationType']}")
    if method["apiKeyRequired"]:
        parts.append("API key")
    return printable("  ".join(each for each in parts if each))


def _value(value: Any) -> str:
    if isinstance(value, str):
        return printable(value) if value else '""'
    return printable(json.dumps(value, ensure_ascii=False))
