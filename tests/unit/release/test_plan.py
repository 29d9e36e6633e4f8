import pytest

from headgate.release.file import read_release
from headgate.release.plan import plan_of, undo_parts
from headgate.release.steps import title

_HEAD = "release: r\napi: a\nstage: s\n"
_FUNCTIONS = "change: {functions: {orders: {version: '3'}}}\n"


def titles(text: str) -> list[list[str]]:
    plan = plan_of(read_release(text, "r"), "us-east-1")
    return [[title(step) for step in leg.steps] for leg in plan.legs]


def test_a_canary_s_plan_is_its_weights_with_what_comes_before_and_after() -> None:
    text = (
        _HEAD
        + "change: {deployment: current, functions: {orders: {zip: o.zip}}}\n"
        + "steps: [{weight: 10, bake: 1m, approval: {}}, {weight: 100, watch: 1m}]\n"
        + "gates: {before: [{run: a}], step: [{run: b, name: smoke}], after: [{run: c}]}\n"
    )

    assert titles(text) == [
        [
            "check what the release needs",
            "note what is served now",
            "publish a version of orders",
            "make the deployment",
            "put the change beside, at 0 %",
            "gate 1 before any traffic",
            "shift to 10 %",
            "bake 60 s, until there is a verdict",
            "gate smoke at 10 %",
            "approval at 10 %",
            "promote: traffic",
            "promote: aliases",
            "promote: clean",
            "gate 1 after promotion",
            "watch 60 s",
        ]
    ]


def test_a_migration_stands_around_all_regions_and_contracts_when_no_rollback_is_promised_any_more() -> None:
    text = (
        _HEAD
        + "change: {deployment: current}\nregions: [a, {wave: [b, c], after: 30m}]\nrollback-window: 2h\n"
        + "migrate: {expand: e, verify: v, contract: c}\n"
    )
    plan = plan_of(read_release(text, "r"), "us-east-1")

    assert [leg.regions for leg in plan.legs] == [("expand",), ("a",), ("b", "c"), ("verify",), ("contract",)]
    assert [leg.after for leg in plan.legs] == [0, 0, 1800, 0, 7200]


@pytest.mark.parametrize(
    ("strategy", "promoted", "parts"),
    [
        ("strategy: canary\n", False, ("traffic", "clean")),
        ("strategy: canary\n", True, ("traffic", "aliases", "clean")),
        ("strategy: all-at-once\n", False, ()),
        ("strategy: all-at-once\n", True, ("traffic", "aliases", "clean")),
        ("strategy: blue-green\ngreen: g\n", False, ("idle",)),
        ("strategy: blue-green\ngreen: g\n", True, ("traffic", "aliases", "clean", "idle")),
    ],
)
def test_a_rollback_s_first_part_is_the_traffic(strategy: str, promoted: bool, parts: tuple[str, ...]) -> None:
    assert undo_parts(read_release(_HEAD + _FUNCTIONS + strategy, "r"), promoted=promoted) == parts
