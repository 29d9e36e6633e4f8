"""Releases as a person sees them in a terminal: a plan, a live view, a list, a journal."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

OVER: Final = {"promoted": 0, "rolled-back": 1, "abandoned": 1}
"""The phases that a release ends in, and the exit status of each."""
_STYLES: Final = {
    "promoted": "bold green",
    "rolled-back": "bold red",
    "rolling-back": "red",
    "waiting": "yellow",
    "paused": "yellow",
}
_MARKS: Final = {
    "done": ("✓", "green"),
    "now": ("▶", "bold"),
    "stopped": ("✗", "red"),
    "skipped": ("-", "dim"),
    "next": (" ", "dim"),
}
_WIDE: Final = 110  # columns from which on the interval of a ratio has room
_MOST_FIELDS: Final = 5  # of answers that differ
_MOST_STEPS: Final = 9  # shown around the present one


def print_plan(plan: Mapping[str, Any]) -> None:
    console = _console()
    console.print(f"[bold]{plan['release']}[/]  {plan['strategy']}  {plan['target']}")
    for leg in plan["legs"]:
        after = f", {_span(leg['after'])} after the one before" if leg["after"] else ""
        console.print(f"\n{' and '.join(leg['regions'])}{after}", highlight=False)
        for number, step in enumerate(leg["steps"], 1):
            console.print(f"  {number:>2}  {step}", highlight=False)
    if plan["forecast"]:
        console.print("\nWhat the evidence can tell")
        for sentence in plan["forecast"]:
            console.print(f"  {sentence}", highlight=False)
    if plan["problems"]:
        console.print(f"\n[red]{len(plan['problems'])} in the way of a start[/]")
        for problem in plan["problems"]:
            console.print(f"  [red]✗[/] {problem}", highlight=False)
    else:
        console.print("\n[green]✓[/] all that it needs is there")


def print_list(document: Mapping[str, Any]) -> None:
    console = _console()
    releases = document["releases"]
    if not releases:
        console.print("no releases yet")
        return
    table = Table(pad_edge=False, box=None, header_style="dim")
    for name in ("release", "state", "", "started", "by", "what"):
        table.add_column(name, overflow="ellipsis", no_wrap=name != "what")
    for each in releases:
        phase = each.get("phase", "starting")
        table.add_row(
            each["release"],
            Text(phase, _STYLES.get(phase, "")),
            f"{each.get('percent', 0):g} %" if phase not in OVER else "",
            _moment(each["createdAt"]),
            each.get("startedBy", ""),
            each.get("why") or each.get("step", ""),
        )
    console.print(table)


def print_report(report: Mapping[str, Any]) -> None:
    console = _console()
    console.print(_view(report, console.width, time.time(), all_steps=True))


def print_event(event: Mapping[str, Any]) -> None:
    told = sentence(event)
    if told is not None:
        _console().print(Text(f"{_clock(event['at'])}  ", "dim") + told, soft_wrap=True)


def print_simulation(result: Mapping[str, Any]) -> None:
    scenario = result["scenario"]
    console = _console()
    errors = (
        f"errors {_percent(scenario['base_errors'])} on the stable side, {_percent(scenario['change_errors'])} here"
    )
    slower = f"; {scenario['slower']:g} times as slow" if scenario["slower"] != 1 else ""
    console.print(f"{result['runs']} releases at {scenario['requests_per_s']:g} requests/s; {errors}{slower}\n")
    for phase, each in result["outcomes"].items():
        if each["share"]:
            share = Text(f"{each['share']:>5.0%}  {phase}", _STYLES.get(phase, ""))
            numbers = (
                f", half of them after {_span(each['medianSeconds'])} and {each['medianFailed']:,.0f} failed requests"
            )
            console.print(share + Text(numbers, ""))
            console.print(Text(f"       such as: {each['why']}", "dim"))


def watched(show: Callable[[], dict[str, Any]], every_s: float) -> int:
    """A live view until the release is over; the exit status."""
    console = _console()
    report = show()
    with Live(_view(report, console.width, time.time()), console=console, auto_refresh=False) as live:
        while report["phase"] not in OVER:
            time.sleep(every_s)
            report = show()
            live.update(_view(report, console.width, time.time()), refresh=True)
    console.print()
    return OVER[report["phase"]]


def sentence(event: Mapping[str, Any]) -> Text | None:
    """A journal's row in words; None for one that says nothing to a person."""
    where = f"{event['region']}: " if event.get("region") else ""
    match event["event"]:
        case "Started":
            attempt = f", attempt {event['attempt']}" if event["attempt"] > 1 else ""
            return Text(f"started by {event['actor']}{attempt}", "bold")
        case "Began":
            return Text(f"{where}{event['title']}")
        case "Did" if event.get("message"):
            return Text(f"{where}  {event['message']}", "dim")
        case "DidNot":
            again = "" if event["refused"] else "; it is tried again"
            return Text(f"{where}{event['message']}{again}", "yellow")
        case "LookFailed":
            return Text(f"{where}the evidence cannot be read: {event['message']}", "yellow")
        case "Moved" if event["why"] not in {"done", ""}:
            return Text(f"{where}  {event['why']}", "dim")
        case "Asked":
            return Text(f"{where}waits: {event['why']}", "yellow")
        case "Command":
            reason = f" ({event['reason']})" if event.get("reason") else ""
            return Text(f"{event['actor']}: {event['verb']}{reason}", "bold")
        case "RollbackDecided":
            return Text(f"rolling back: {event['why']}", "bold red")
        case "Undid":
            return Text(f"{where}rolled back: {event['part']}", "red")
        case "Ended":
            return Text(f"{event['phase']}: {event['why']}", _STYLES.get(event["phase"], "bold"))
        case "Told" if event.get("failed"):
            return Text(f"{event['to']} could not be told of row {event['number']}: {event['failed']}", "yellow")
        case _:
            return None


def _view(report: Mapping[str, Any], width: int, now: float, *, all_steps: bool = False) -> Group:
    parts: list[RenderableType] = [_headline(report)]
    regions = [each for each in report["regions"] if len(report["regions"]) == 1 or _matters(each)]
    for region in regions:
        if len(report["regions"]) > 1:
            parts.append(Text(region["region"], "bold"))
        parts += _steps(region, now, all_steps=all_steps)
        if region.get("evidence") and region["percent"] and report["phase"] != "promoted":
            parts.append(Text(""))
            parts += _evidence(region["evidence"], width)
        if region["differences"]:
            parts.append(
                Text(f"  mirrored answers differ in {', '.join(region['differences'][:_MOST_FIELDS])}", "yellow")
            )
    if report["why"]:
        parts += [Text(""), Text(report["why"], _STYLES.get(report["phase"], ""))]
    return Group(*parts)


def _headline(report: Mapping[str, Any]) -> Text:
    target = f"{report['api']}/{report['stage']}" if report["api"] else ", ".join(report["functions"])
    attempt = f"  attempt {report['attempt']}" if report["attempt"] > 1 else ""
    weight = "" if report["phase"] in OVER else f"  {report['percent']:g} % of the traffic"
    line = Text.assemble((report["release"], "bold"), f"  {report['strategy']} on {target}{attempt}  ")
    return line + Text(report["phase"], _STYLES.get(report["phase"], "bold")) + Text(weight)


def _matters(region: Mapping[str, Any]) -> bool:
    """Of many regions the ones that are on their way, or have something to say."""
    return any(step["state"] in {"now", "stopped"} for step in region["steps"]) or region["question"] is not None


def _steps(region: Mapping[str, Any], now: float, *, all_steps: bool) -> Iterator[RenderableType]:
    steps = region["steps"]
    at = next((number for number, step in enumerate(steps) if step["state"] in {"now", "stopped"}), len(steps))
    first = 0 if all_steps else max(0, min(at - _MOST_STEPS // 2, len(steps) - _MOST_STEPS))
    last = len(steps) if all_steps else first + _MOST_STEPS
    if first:
        yield Text(f"  ✓ {first} steps before", "dim")
    for step in steps[first:last]:
        mark, style = _MARKS[step["state"]]
        line = Text(f"  {mark} {step['title']}", style)
        if step["state"] == "now" and step.get("until"):
            left = step["until"] - now
            line.append(f"  {_span(left) + ' left' if left > 0 else _awaited(region, step)}", "cyan")
        if step["state"] in {"now", "stopped"} and region["failures"]:
            line.append(f"  {region['message']}", "yellow")
        yield line
    if last < len(steps):
        yield Text(f"    {len(steps) - last} steps after", "dim")
    if region["question"] is not None and region["approvals"]:
        yield Text(f"    approved so far by {', '.join(region['approvals'])}", "yellow")


def _awaited(region: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    """What a step whose time is over still waits for."""
    counted = region.get("evidence") is None or region["evidence"]["until"] >= step["until"]
    return "a verdict is awaited" if counted else "the last counts are awaited"


def _evidence(evidence: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    e_value, threshold = evidence["peak"], evidence["threshold"]
    style = {"fail": "bold red", "pass": "green"}.get(evidence["verdict"], "")
    line = Text("  evidence of harm ")
    line.append(_gauge(e_value, threshold))
    line.append(f" {_number(e_value)} of {_number(threshold)}   ")
    yield line + Text(evidence["verdict"], style)
    if evidence["error"]:
        yield Text(f"  the evidence cannot be read: {evidence['error']}", "yellow")
    is_wide = width >= _WIDE
    if not is_wide:  # else they stand with each share
        stable, change = evidence["base_requests"], evidence["canary_requests"]
        yield Text(f"  {stable:,} requests of the stable side, {change:,} of the change", "dim")
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("  metric")
    for name in ("stable", "change", "ratio", "interval", "of harm", "of none"):
        table.add_column(name, justify="right")
    for each in evidence["metrics"]:
        if each["kind"] != "guard":
            style = {"fail": "red", "pass": "green"}.get(each["verdict"], "")
            table.add_row(f"  {each['name'].removeprefix('limit:')}", *_numbers(each, is_wide), style=style)
    yield table


def _numbers(metric: Mapping[str, Any], is_wide: bool) -> Iterator[str]:
    """Both sides' shares, the ratio of the risks with its interval, and the evidence for and against."""
    compares = metric["kind"] == "compare"
    yield (
        _share(metric["base_bad"], metric["base_units"], is_wide) if compares else f"limit {_percent(metric['limit'])}"
    )
    yield _share(metric["canary_bad"], metric["canary_units"], is_wide)
    yield f"{metric['ratio']:.2g}" if compares and metric["ratio"] is not None else ""
    high = metric["high"]
    yield f"{metric['low']:.2g} to {'…' if high is None else f'{high:.2g}'}" if compares else ""
    yield _number(metric["e_value"])
    yield "" if metric["pass_value"] is None else _number(metric["pass_value"])


def _gauge(e_value: float, threshold: float) -> str:
    """Ten cells on the scale that evidence grows on: each the same factor."""
    from math import log

    filled = 0 if e_value <= 1 else min(10, int(10 * log(e_value) / log(threshold)))
    return "█" * filled + "░" * (10 - filled)


def _share(bad: int, units: int, is_wide: bool) -> str:
    if not units:
        return "-"
    return f"{_percent(bad / units)} of {units:,}" if is_wide else _percent(bad / units)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"


def _number(value: float) -> str:
    if value >= 1e6:
        return "10⁶+"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    return f"{left} s"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def _console() -> Console:
    return Console(highlight=False)
