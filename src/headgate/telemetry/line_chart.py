"""Time series as a picture: lines or stacked areas over time, with axes, a legend and levels to compare with.

Pillow draws, where `headgate[charts]` is installed. Twice as large and then shrunk, which makes lines smooth.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, Final

from headgate.model.value import Value

if TYPE_CHECKING:
    from PIL import ImageDraw

PALETTE: Final = (
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#bcbd22",
    "#17becf",
)
_SCALE: Final = 2
_FONT: Final = 11
_LEFT: Final = 52
_RIGHT: Final = 14
_ROW: Final = 16  # of the legend
_TICKS: Final = 5
_LARGEST: Final = 1e300
_STEPS_S: Final = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400)
_PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))


class Line(Value, frozen=True):
    label: str
    points: tuple[tuple[int, float], ...]  # seconds since the epoch and value, oldest first
    period: int  # seconds; a gap that is longer breaks the line
    color: str


class Level(Value, frozen=True):
    """A horizontal line."""

    value: float
    label: str
    color: str


class Chart(Value, frozen=True):
    """What to draw. Sizes are in pixels, times in seconds since the epoch."""

    width: int
    height: int
    start: int
    end: int
    lines: tuple[Line, ...]
    title: str = ""
    stacked: bool = False
    levels: tuple[Level, ...] = ()
    least: float | None = None  # of the axis of values; None for what the values need
    most: float | None = None
    unit_label: str = ""
    offset_s: int = 0  # of the shown times from UTC


class NoPillow(Exception):
    """The library that draws is not installed."""


def png(chart: Chart) -> bytes:
    """The picture. Raises NoPillow."""
    try:
        from PIL import Image, ImageDraw, ImageFont  # large, and needed for this alone
    except ImportError as error:
        raise NoPillow from error
    picture = Image.new("RGB", (chart.width * _SCALE, chart.height * _SCALE), "white")
    _Drawing(ImageDraw.Draw(picture), ImageFont.load_default(_FONT * _SCALE), chart).draw()
    out = io.BytesIO()
    picture.resize((chart.width, chart.height), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def axis(least: float, most: float, ticks: int = _TICKS) -> list[float]:
    """Round values from at or below `least` to at or above `most`, about so many."""
    least, most = (min(max(value, -_LARGEST), _LARGEST) for value in (least, most))
    if most <= least:
        most = least + 1
    # Of values that hardly differ for their size, no step could tell one from the next.
    rough = max((most - least) / ticks, abs(most) * 1e-12, 1e-300)
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = floor(least / step), ceil(most / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def stacks(lines: Sequence[Line]) -> list[dict[int, float]]:
    """Each line's values on top of those of the lines before it, at the times that any of them has."""
    times = sorted({at for line in lines for at, _ in line.points})
    below = dict.fromkeys(times, 0.0)
    found = []
    for line in lines:
        own = dict(line.points)
        below = {at: below[at] + own.get(at, 0.0) for at in times}
        found.append(below)
    return found


def short_number(value: float) -> str:
    """`1.5K`, `2M`, `0.05`."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{prefix}"
    return f"{value:.4g}"


class _Drawing:
    """One chart on its way; positions are in pixels of the picture that is drawn, from its upper left."""

    def __init__(self, draw: "ImageDraw.ImageDraw", font: Any, chart: Chart) -> None:
        self._draw = draw
        self._font = font
        self._chart = chart
        rows = list(_legend_rows(chart, lambda text: draw.textlength(text, font=font) / _SCALE))
        self._rows = rows[: max(chart.height // 3 // _ROW, 1)]  # half a legend is better than no chart
        top = 28 if chart.title else 12
        bottom = chart.height - 24 - _ROW * len(self._rows)
        self._box = (_LEFT, top, max(chart.width - _RIGHT, _LEFT + 1), max(bottom, top + 1))
        values = [value for line in chart.lines for _, value in line.points]
        if chart.stacked:
            values += [value for stack in stacks(chart.lines) for value in stack.values()]
        values += [level.value for level in chart.levels]
        least = min([0.0, *values]) if chart.least is None else chart.least
        most = max(values, default=1.0) if chart.most is None else chart.most
        self._ticks = axis(least, most)
        self._low = self._ticks[0] if chart.least is None else chart.least
        self._high = self._ticks[-1] if chart.most is None else max(chart.most, self._low + 1e-9)

    def draw(self) -> None:
        chart = self._chart
        left, top, right, bottom = self._box
        if chart.title:
            self._text((chart.width / 2, 14), chart.title, "mm", "#16191f")
        for tick in self._ticks:
            if self._low <= tick <= self._high:
                self._segment([(left, self._y(tick)), (right, self._y(tick))], "#e8e8e8", 1)
                self._text((left - 6, self._y(tick)), short_number(tick), "rm", "#545b64")
        if chart.unit_label:
            self._text((4, top - 6), chart.unit_label, "lm", "#545b64")
        for at, label in self._times():
            self._segment([(self._x(at), bottom), (self._x(at), bottom + 4)], "#aab7b8", 1)
            self._text((self._x(at), bottom + 12), label, "mm", "#545b64")
        self._segment([(left, bottom), (right, bottom)], "#aab7b8", 1)
        if chart.stacked:
            self._areas()
        else:
            for line in chart.lines:
                self._line(line)
        for level in chart.levels:
            self._segment([(left, self._y(level.value)), (right, self._y(level.value))], level.color, 1.5)
            self._text((right - 4, self._y(level.value) - 7), level.label, "rm", level.color)
        if not any(line.points for line in chart.lines):
            self._text(((left + right) / 2, (top + bottom) / 2), "No data available", "mm", "#879596")
        for number, row in enumerate(self._rows):
            for x, line in row:
                y = bottom + 28 + number * _ROW
                self._draw.rectangle(self._scaled([(x, y - 4), (x + 10, y + 4)]), fill=line.color)
                self._text((x + 14, y), line.label, "lm", "#16191f")

    def _areas(self) -> None:
        found = stacks(self._chart.lines)
        floor_of: Mapping[int, float] = dict.fromkeys(found[0] if found else (), 0.0)
        for line, stack in zip(self._chart.lines, found, strict=True):
            outline = [(self._x(at), self._y(value)) for at, value in stack.items()]
            outline += [(self._x(at), self._y(floor_of[at])) for at in reversed(list(stack))]
            if len(stack) > 1:
                self._draw.polygon(self._scaled(outline), fill=line.color)
            floor_of = stack

    def _line(self, line: Line) -> None:
        run: list[tuple[int, float]] = []
        for point in line.points:
            if run and point[0] - run[-1][0] > line.period:
                self._run(run, line.color)
                run = []
            run.append(point)
        self._run(run, line.color)

    def _run(self, run: Sequence[tuple[int, float]], color: str) -> None:
        spots = [(self._x(at), self._y(value)) for at, value in run]
        if len(spots) == 1:
            x, y = spots[0]
            self._draw.ellipse(self._scaled([(x - 2, y - 2), (x + 2, y + 2)]), fill=color)
        elif spots:
            self._segment(spots, color, 1.5)

    def _times(self) -> Iterator[tuple[int, str]]:
        chart = self._chart
        across = max((self._box[2] - self._box[0]) // 80, 1)
        length = chart.end - chart.start
        step = next((step for step in _STEPS_S if length / step <= across), ceil(length / across / 86_400) * 86_400)
        shown = "%H:%M" if step < 86_400 else "%m/%d"
        first = -(-(chart.start + chart.offset_s) // step) * step - chart.offset_s
        for at in range(first, chart.end + 1, step):
            yield at, (datetime.fromtimestamp(at, UTC) + timedelta(seconds=chart.offset_s)).strftime(shown)

    def _x(self, at: float) -> float:
        left, _, right, _ = self._box
        return left + (at - self._chart.start) / max(self._chart.end - self._chart.start, 1) * (right - left)

    def _y(self, value: float) -> float:
        """Within the box, whatever the axis leaves out."""
        _, top, _, bottom = self._box
        share = (value - self._low) / (self._high - self._low)
        return bottom - min(max(share, 0.0), 1.0) * (bottom - top)

    def _segment(self, spots: Sequence[tuple[float, float]], color: str, width: float) -> None:
        self._draw.line(self._scaled(spots), fill=color, width=round(width * _SCALE), joint="curve")

    def _text(self, spot: tuple[float, float], text: str, anchor: str, color: str) -> None:
        self._draw.text(self._scaled([spot])[0], text, fill=color, font=self._font, anchor=anchor)

    def _scaled(self, spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * _SCALE, y * _SCALE) for x, y in spots]


def _legend_rows(chart: Chart, width_of: Callable[[str], float]) -> Iterator[list[tuple[float, Line]]]:
    """Entries side by side for as long as there is room: each line with where it begins."""
    row: list[tuple[float, Line]] = []
    x = float(_LEFT)
    for line in chart.lines:
        width = 14 + width_of(line.label) + 14
        if row and x + width > chart.width:
            yield row
            row, x = [], float(_LEFT)
        row.append((x, line))
        x += width
    if row:
        yield row
