"""What a stage's history keeps of a move, and where a roll-back goes."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.model.ids import DeploymentId, RestApiId, StageName
from headgate.model.stage import CanarySettings, Stage
from headgate.model.stage_history import (
    MAX_NAMES,
    ServedDeployment,
    Serving,
    StageMove,
    actor_of,
    move_of,
    program_name,
    released_by,
    way_back,
)

_DESCRIPTIONS = {"d2": "second", "d9": "headgate release orders-2.1/1/us-east-1/0"}


def a_stage(deployment_id: str = "d1", **settings: Any) -> Stage:
    return Stage(
        stage_name=StageName("prod"),
        deployment_id=DeploymentId(deployment_id),
        created_date=1.0,
        last_updated_date=1.0,
        rest_api_id=RestApiId("api1234567"),
        account_id="000000000000",
        region="us-east-1",
        **settings,
    )


def a_canary(deployment_id: str = "d2", percent: float = 10.0, **settings: Any) -> CanarySettings:
    return CanarySettings(deployment_id=DeploymentId(deployment_id), percent_traffic=percent, **settings)


def moved(before: Stage | None, after: Stage | None, user_agent: str = "") -> StageMove | None:
    return move_of(
        before,
        after,
        number=1,
        at=5.0,
        operation="UpdateStage",
        access_key="AKIA",
        user_agent=user_agent,
        describe=_DESCRIPTIONS.get,
    )


def test_a_move_has_what_was_served_before_and_after_with_the_deployments_descriptions() -> None:
    move = moved(a_stage("d1"), a_stage("d1", canary_settings=a_canary("d2", 10.0)))

    assert move is not None
    assert move.before == Serving(base=ServedDeployment(deployment_id="d1"))
    assert move.after == Serving(
        base=ServedDeployment(deployment_id="d1"),
        canary=ServedDeployment(deployment_id="d2", description="second", percent_traffic=10.0),
    )
    assert (move.number, move.at, move.operation, move.access_key) == (1, 5.0, "UpdateStage", "AKIA")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (a_stage(), a_stage(description="other")),
        (a_stage(), a_stage(tracing_enabled=True)),
        (a_stage(variables={"a": "1"}), a_stage(variables={"a": "1"})),
    ],
    ids=["a description", "tracing", "nothing"],
)
def test_what_changes_nothing_that_is_served_is_no_move(before: Stage, after: Stage) -> None:
    assert moved(before, after) is None


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (a_stage(variables={"a": "1", "b": "1"}), a_stage(variables={"b": "2"}), "variables/a variables/b"),
        (None, a_stage(variables={"a": "1"}), "variables/a"),
        (a_stage(variables={"a": "1"}), None, ""),
        (
            a_stage(),
            a_stage(canary_settings=a_canary(stage_variable_overrides={"x": "1"})),
            "canarySettings/stageVariableOverrides/x",
        ),
        (a_stage(canary_settings=a_canary(stage_variable_overrides={"x": "1"})), a_stage(), ""),
        (
            a_stage(canary_settings=a_canary(function_versions={"f:live": "1"})),
            a_stage(canary_settings=a_canary(function_versions={"f:live": "2"}, route_header="x=1")),
            "canarySettings/functionVersions/f:live canarySettings/routeHeader",
        ),
    ],
    ids=["variables", "a new stage", "a deleted stage", "a new canary", "a removed canary", "settings of a canary"],
)
def test_changed_names(before: Stage | None, after: Stage | None, names: str) -> None:
    move = moved(before, after)

    assert move is not None
    assert " ".join(move.changed) == names


def test_values_of_variables_are_not_kept() -> None:
    move = moved(a_stage(variables={"a": "old-secret"}), a_stage(variables={"a": "new-secret"}))

    assert "secret" not in repr(move)


def test_names_beyond_the_bound_are_counted() -> None:
    move = moved(a_stage(), a_stage(variables={f"v{number}": "" for number in range(MAX_NAMES + 7)}))

    assert move is not None
    assert (len(move.changed), move.changed_more) == (MAX_NAMES, 7)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux lang/python#3.11.2", "Boto3/1.40.1"),
        ("aws-cli/1.42.3 md/Botocore#1.40.1", "aws-cli/1.42.3"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.9.0 (+https://x) terraform-provider-aws/5.100", "Terraform/1.9.0"),
        ("curl", "curl"),
        ("", ""),
        ("a\x1b[31m/1", "a[31m/1"),
        ("x" * 500, "x" * 160),
        (
            "Boto3/1.40.1 md/Botocore#1.40.1 headgate-release/orders-2.1 headgate-actor/ann",
            "headgate-release/orders-2.1",
        ),
    ],
    ids=["boto3", "the CLI", "Terraform", "no product", "none", "control characters", "too long", "a release"],
)
def test_the_program_of_a_user_agent(header: str, name: str) -> None:
    assert program_name(header) == name


@pytest.mark.parametrize(
    ("header", "actor"),
    [
        ("headgate/0.1.0 headgate-actor/ann", "ann"),
        ("Boto3/1.40.1 headgate-release/a headgate-actor/Ann%20B%C3%B6hm", "Ann Böhm"),
        ("headgate/0.1.0 headgate-actor/%1B%5B2J", "[2J"),
        ("Boto3/1.40.1", ""),
    ],
)
def test_the_person_of_a_user_agent(header: str, actor: str) -> None:
    assert actor_of(header) == actor


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("headgate release orders-2.1/1/us-east-1/0", "orders-2.1"),
        ("headgate release team/orders/3/eu-west-1/4", "team/orders"),
        ("headgate release notes", None),
        ("first", None),
        (None, None),
    ],
)
def test_the_release_that_made_a_deployment(description: str | None, name: str | None) -> None:
    assert released_by(description) == name


def _history(*served: str | None, before: str | None = None) -> list[StageMove]:
    """Moves over these deployments, the oldest first; None is a deletion."""
    states: list[Stage | None] = [None if each is None else a_stage(each) for each in (before, *served)]
    return [move for old, new in pairwise(states) if (move := moved(old, new)) is not None]


@pytest.mark.parametrize(
    ("moves", "present", "expected"),
    [
        (_history("d1", "d2", "d3"), "d3", "d1 d2"),
        (_history("d1"), "d1", ""),
        ([], "d1", ""),
        (_history("d2", before="d1"), "d2", "d1"),
        (_history("d1", "d2", "d3", "d2"), "d2", "d1"),
        (_history("d1", "d2", "d3", "d2", "d1"), "d1", ""),
        (_history("d1", "d2", "d1", "d3"), "d3", "d1"),
        (_history("d1", "d2", "d3", "d1", "d3"), "d3", "d1"),
        (_history("d1", None, "d2"), "d2", ""),
        (_history("d1", "d2"), "d5", "d1 d2"),
    ],
    ids=[
        "each deployment that was served",
        "a new stage has none",
        "nor has one without a history",
        "what was served before the history began",
        "a roll-back goes on going back",
        "to the first, and no further",
        "and never to what was rolled back",
        "nor is it on the way when it was left out",
        "a stage that was deleted begins anew",
        "a history that misses the last move",
    ],
)
def test_the_way_back(moves: list[StageMove], present: str, expected: str) -> None:
    assert " ".join(way_back(moves, present)) == expected


@given(st.lists(st.sampled_from(["d1", "d2", "d3", "d4"]), min_size=1))
def test_rolling_back_again_and_again_ends_and_comes_to_no_deployment_twice(served: list[str]) -> None:
    came: list[str] = [served[0]]
    for each in served[1:]:
        if each != came[-1]:
            came.append(each)
    visited = [came[-1]]

    while way := way_back(_history(*came), came[-1]):
        came.append(way[-1])
        visited.append(way[-1])

    assert len(visited) == len(set(visited))
