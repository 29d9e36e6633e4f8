from pathlib import Path

import pytest

from headgate.model.release import Duration, Percentage
from headgate.release.file import FileError, read_release

_HEAD = "release: r\napi: a\nstage: s\nchange: {deployment: current}\n"

WHOLE = """\
release: orders-2.1
api: orders
stage: production
strategy: canary
change:
  deployment: current
  variables: {pricing: v2, limit: 0010, beta: on}
  functions: {orders-handler: {alias: live, zip: build/orders.zip}}
require: {variables: [database_url, log_level]}
steps:
  - {weight: 10, bake: 5m}
  - {weight: 25%, bake: 1h30m}
  - {weight: 50, bake: 5m, approval: {timeout: 2h, then: abort}}
  - {weight: 100, watch: 10m}
analysis:
  alpha: 0.01
  compare: [errors-5xx, latency-p50, latency-p90, latency-p99]
  limits: {error-rate: 5%, latency-p99: 800ms}
  alarms: [orders-5xx]
  inconclusive: hold
gates:
  before: [{http: {get: /health, status: 200}}, {run: "pytest -q smoke"}, {load: {rps: 50, for: 30s, p99: 300ms}}]
  step: [{function: check-orders}]
  after: [{webhook: "https://example.com/done"}]
migrate: {expand: "alembic upgrade +1", verify: "true", contract: "alembic upgrade +1"}
mirror: {percent: 20, compare: true}
route: {header: "x-canary=1"}
sticky: {header: authorization}
notify: [{webhook: "https://example.com/hook"}, {sns: "arn:aws:sns:us-east-1:000000000000:releases"}]
regions: [us-east-1, {wave: [eu-west-1, ap-south-1], after: 30m}]
freeze: [{from: "fri 16:00", to: "mon 08:00", why: weekend}]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(FileError) as caught:
        read_release(text, "r.yaml")
    return str(caught.value).splitlines()


def test_a_whole_file_is_read() -> None:
    release = read_release(WHOLE, "r.yaml")

    assert release.steps[1].weight == Percentage(25)
    assert release.steps[1].bake == Duration(5400)
    assert release.migrate.contract == "alembic upgrade +1"


def test_a_variable_is_the_text_that_stands_there_whatever_yaml_would_make_of_it() -> None:
    release = read_release(WHOLE, "r.yaml")

    assert release.change.variables == {"pricing": "v2", "limit": "0010", "beta": "on"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_HEAD + "wat: 1\n", "r.yaml:5: wat: there is no such field; known are release, change, api, stage, "),
        (
            _HEAD + "strategy: slow\n",
            "r.yaml:5: strategy: invalid enum value 'slow'; it is one of all-at-once, blue-green, ",
        ),
        (_HEAD + "steps:\n  - {weight: 120%}\n", "r.yaml:6: steps[0].weight: '120%' is no percentage; write it as 5%"),
        (_HEAD + "steps:\n  - {weight: 10, bake: 5}\n", "r.yaml:6: steps[0].bake: '5' is no duration; write it as 90s"),
        (
            _HEAD + "analysis:\n  alpha: 3\n",
            "r.yaml:6: analysis.alpha: expected `float` < 0.5; it is a number above 0 below",
        ),
        (_HEAD + "change: {}\n", "r.yaml:5: change: stands here a second time"),
        ("release: r\n", "r.yaml:1: change is missing"),
        ("- 1\n", "r.yaml:1: a release file is a mapping that begins with release: NAME"),
        ("a: [\n", "r.yaml:2: this is not YAML: "),
        (
            "release: r\nchange: {functions: {f: {zp: a}}}\n",
            "r.yaml:2: change.functions.*.zp: there is no such field; known are alias, zip, version",
        ),
        (
            _HEAD + "gates: {before: [{load: {rps: x, for: 1s}}]}\n",
            "r.yaml:5: gates.before[0].load.rps: expected `float`, got `str`; it is a number above 0 to 10000",
        ),
    ],
    ids=[
        "unknown field",
        "unknown value",
        "percentage",
        "duration",
        "range",
        "field twice",
        "missing field",
        "no mapping",
        "no YAML",
        "below a name",
        "number",
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_accepted(text: str, message: str) -> None:
    (problem,) = problems(text)

    assert problem.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "release: r\nstage: s\nchange: {deployment: current}\n",
            "r.yaml:1: api is missing: strategy canary changes a stage",
        ),
        (_HEAD.replace("{deployment: current}", "{}"), "r.yaml:4: change: nothing is changed"),
        (_HEAD + "steps: [{weight: 10, bake: 1m}]\n", "r.yaml:5: steps[0].weight: the last step must be weight: 100"),
        (
            _HEAD + "steps:\n  - {weight: 50, bake: 1m}\n  - {weight: 20, bake: 1m}\n  - {weight: 100}\n",
            "r.yaml:7: steps[1].weight: 20% is not above 50% of the step before",
        ),
        (
            _HEAD + "steps: [{weight: 10, bake: 3s}, {weight: 100}]\n",
            "r.yaml:5: steps[0].bake: 3s is no longer than analysis.settle, 5s",
        ),
        (_HEAD + "steps: [{weight: 100, bake: 1m}]\n", "r.yaml:5: steps[0].bake: at 100 % it is promoted"),
        (_HEAD + "strategy: blue-green\n", "r.yaml:1: green is missing"),
        (_HEAD + "strategy: blue-green\ngreen: s\n", "r.yaml:6: green: it must be another stage than s"),
        (
            _HEAD + "strategy: all-at-once\nmirror: {percent: 1}\n",
            "r.yaml:6: mirror: it needs a canary; strategy all-at-once has none",
        ),
        (_HEAD + "analysis: {compare: [errors]}\n", "r.yaml:5: analysis.compare[0]: 'errors' is none of errors-5xx, "),
        (
            _HEAD + "analysis: {limits: {errors: 5%}}\n",
            "r.yaml:5: analysis.limits.errors: there is no such limit; known are error-rate, ",
        ),
        (
            _HEAD + "gates: {before: [{}]}\n",
            "r.yaml:5: gates.before[0]: a gate is exactly one of http, run, load, function and webhook; this is none",
        ),
        (
            _HEAD + "gates: {before: [{run: a, function: b}]}\n",
            (
                "r.yaml:5: gates.before[0]: a gate is exactly one of http, run, load, function and "
                "webhook; this is run and function"
            ),
        ),
        (_HEAD + "notify: [{}]\n", "r.yaml:5: notify[0]: give one of webhook and sns"),
        (_HEAD + "freeze: [{from: noon, to: night}]\n", "r.yaml:5: freeze[0]: from is 'noon'; write 2026-12-24T00:00"),
        (_HEAD + "regions: [a, {wave: [b, a]}]\n", "r.yaml:5: regions[1]: a stands here a second time"),
        (
            _HEAD + "migrate: {sql: [/etc/passwd]}\n",
            "r.yaml:5: migrate.sql[0]: '/etc/passwd' must lie beside the release file",
        ),
        (
            _HEAD + "sticky: {header: a}\nanalysis: {compare: [throttles]}\n",
            "r.yaml:6: analysis.compare[0]: throttles is not counted by caller",
        ),
        (
            "release: r\nstrategy: rolling\nchange: {deployment: current}\n",
            "r.yaml:3: change: strategy rolling needs functions to change",
        ),
        (
            "release: r\napi: a\nstage: s\nchange: {functions: {f: {}}}\n",
            "r.yaml:4: change.functions.f: give one of zip",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, message: str) -> None:
    assert any(each.startswith(message) for each in problems(text))


def test_a_variable_s_value_may_be_a_secret_and_is_not_shown() -> None:
    text = _HEAD.replace("{deployment: current}", "{variables: {key: 'hunter2!'}}")

    assert "hunter2" not in "\n".join(problems(text))


@pytest.mark.parametrize("name", ["release-green.yaml", "release-red.yaml"])
def test_the_examples_can_be_read(name: str) -> None:
    file = Path(__file__).parents[3] / "examples" / "orders" / name

    assert read_release(file.read_text(encoding="utf-8"), name).api == "shop"


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(_HEAD + "strategy: blue-green\nsteps: [{weight: 10, bake: 1s}]\n")) >= 3


def test_aliases_may_be_used_but_not_to_grow_without_bound() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + each)}: &{chr(98 + each)} [{','.join([f'*{chr(97 + each)}'] * 9)}]\n" for each in range(8)
    )

    assert problems(bomb) == ["r.yaml: the file has over 20000 values once its aliases are expanded"]


@pytest.mark.parametrize("text", ["45s", "5m", "1h30m", "800ms", "2d", "1d2h3m4s", "0s"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    assert str(Duration.parse(text)) == text
