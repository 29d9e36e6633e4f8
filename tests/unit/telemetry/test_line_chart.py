import io

import pytest
from msgspec.structs import replace
from PIL import Image

from headgate.telemetry.line_chart import Chart, Level, Line, axis, png, short_number, stacks

_NOON = 1_728_561_600
_LINE = Line(label="Orders", points=((_NOON, 1.0), (_NOON + 60, 2.0), (_NOON + 300, 1.0)), period=60, color="#ff0000")
_CHART = Chart(width=300, height=200, start=_NOON, end=_NOON + 3600, lines=(_LINE,))


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 95, [0, 20, 40, 60, 80, 100]),
        (-3, 3, [-4, -2, 0, 2, 4]),
        (0, 0.013, [0, 0.005, 0.01, 0.015]),
        (5, 5, [5, 5.2, 5.4, 5.6, 5.8, 6]),
    ],
)
def test_an_axis_has_round_values_around_what_is_shown(least: float, most: float, expected: list[float]) -> None:
    assert axis(least, most) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("least", "most"), [(-1e308, 1e308), (0.0, 5e-324), (1e16, 1e16), (2.0**360, 2.0**360), (1e-320, 2e-320)]
)
def test_an_axis_has_few_values_whatever_is_shown(least: float, most: float) -> None:
    assert 1 <= len(axis(least, most)) <= 12


@pytest.mark.parametrize(("value", "text"), [(0.05, "0.05"), (999, "999"), (1500, "1.5K"), (2e6, "2M"), (-3e9, "-3G")])
def test_a_number_is_short(value: float, text: str) -> None:
    assert short_number(value) == text


def test_stacked_lines_stand_on_each_other_where_any_has_a_point() -> None:
    other = replace(_LINE, points=((_NOON, 5.0), (_NOON + 120, 7.0)))

    assert stacks([_LINE, other]) == [
        {_NOON: 1.0, _NOON + 60: 2.0, _NOON + 120: 0.0, _NOON + 300: 1.0},
        {_NOON: 6.0, _NOON + 60: 2.0, _NOON + 120: 7.0, _NOON + 300: 1.0},
    ]


def _colors(chart: Chart) -> set[tuple[int, ...]]:
    picture = Image.open(io.BytesIO(png(chart)))
    assert (picture.format, picture.size) == ("PNG", (chart.width, chart.height))
    return {color for _, color in picture.convert("RGB").getcolors(1 << 24) or [] if isinstance(color, tuple)}


@pytest.mark.parametrize("stacked", [False, True])
def test_a_picture_has_its_size_and_the_colors_of_its_lines(stacked: bool) -> None:
    level = Level(value=1.5, label="limit", color="#0000ff")

    colors = _colors(replace(_CHART, stacked=stacked, levels=(level,), title="Orders", least=0.0, most=3.0))

    assert {(255, 0, 0), (0, 0, 255)} <= colors


@pytest.mark.parametrize("size", [(100, 100), (2000, 100)])
def test_a_picture_without_points_or_with_many_lines_is_one_too(size: tuple[int, int]) -> None:
    width, height = size
    lines = tuple(replace(_LINE, label=f"line {number}") for number in range(200))

    assert (255, 0, 0) not in _colors(replace(_CHART, width=width, height=height, lines=()))
    assert (255, 0, 0) in _colors(replace(_CHART, width=width, height=height, lines=lines))
