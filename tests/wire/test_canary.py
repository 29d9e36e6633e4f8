"""Canaries: the nine recorded rules (aws-recorded, "Canary"), and what the gateway serves after each move."""

from typing import Any

import pytest

from support.apis import Api, bad_request, patches, refusal, status

INVALID_COPY = (
    "Invalid copy operation with path: {} and from {}. Valid copy:path are [/deploymentId, /variables] and valid "
    "copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
)
PROMOTION = (
    ("replace", "/canarySettings/percentTraffic", "0.0"),
    ("copy", "/deploymentId", "/canarySettings/deploymentId"),
    ("copy", "/variables", "/canarySettings/stageVariableOverrides"),
)
HEADERS = {
    "canary": "context.isCanaryRequest",
    "shared": "stageVariables.shared",
    "kept": "stageVariables.kept",
    "added": "stageVariables.added",
}


class Released:
    """An API with the deployment "one" on its stage `prod` and a second one, "two", on none."""

    def __init__(self, api: Api) -> None:
        self.api = api
        api.mock(api.root, body="one", headers=HEADERS)
        self.one = api.deploy("prod", variables={"shared": "base", "kept": "base"})
        api.mock(api.root, body="two", headers=HEADERS)
        self.two = api.deploy()

    def patch(self, *operations: tuple[str, ...]) -> Any:
        return self.api.patch_stage("prod", *operations)

    def canary(self) -> Any:
        return self.api.stage().get("canarySettings")

    def refused(self, *operations: tuple[str, ...]) -> Any:
        return refusal(
            self.api.client.update_stage,
            restApiId=self.api.id,
            stageName="prod",
            patchOperations=patches(*operations),
        )


@pytest.fixture
def released(api: Api) -> Released:
    return Released(api)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({}, {"deploymentId": "one", "percentTraffic": 0.0, "useStageCache": False}, id="nothing"),
        pytest.param(
            {"percentTraffic": 50},
            {"deploymentId": "one", "percentTraffic": 50.0, "useStageCache": False},
            id="a percentage",
        ),
        pytest.param(
            {"deploymentId": "two", "percentTraffic": 50.0, "stageVariableOverrides": {"shared": "canary"}},
            {
                "deploymentId": "two",
                "percentTraffic": 50.0,
                "stageVariableOverrides": {"shared": "canary"},
                "useStageCache": False,
            },
            id="all that was recorded",
        ),
        pytest.param(
            {"useStageCache": True},
            {"deploymentId": "one", "percentTraffic": 0.0, "useStageCache": True},
            id="the stage's cache",
        ),
    ],
)
def test_rule_1_a_stage_is_made_with_a_canary(released: Released, given: dict[str, Any], shown: dict[str, Any]) -> None:
    ids = {"one": released.one, "two": released.two}
    settings = {name: ids.get(value, value) if name == "deploymentId" else value for name, value in given.items()}

    answer = released.api.client.create_stage(
        restApiId=released.api.id, stageName="dev", deploymentId=released.one, canarySettings=settings
    )

    assert status(answer) == 201
    assert answer["canarySettings"] == {**shown, "deploymentId": ids[shown["deploymentId"]]}
    assert isinstance(answer["canarySettings"]["percentTraffic"], float)
    assert released.api.stage("dev")["canarySettings"] == answer["canarySettings"]


def test_rule_2_a_canary_deployment_leaves_the_stage_where_it_is(released: Released) -> None:
    third = released.api.deploy(
        "prod", canarySettings={"percentTraffic": 40.0, "stageVariableOverrides": {"shared": "canary"}}
    )

    assert released.api.stage()["deploymentId"] == released.one
    assert released.canary() == {
        "deploymentId": third,
        "percentTraffic": 40.0,
        "stageVariableOverrides": {"shared": "canary"},
        "useStageCache": False,
    }


def test_rule_2_a_second_canary_deployment_replaces_the_canary_whole(released: Released) -> None:
    released.api.deploy(
        "prod",
        canarySettings={"percentTraffic": 40.0, "stageVariableOverrides": {"a": "b"}, "useStageCache": True},
    )

    second = released.api.deploy("prod", canarySettings={"percentTraffic": 50.0})

    assert released.canary() == {"deploymentId": second, "percentTraffic": 50.0, "useStageCache": False}


def test_rule_2_an_ordinary_deployment_to_a_stage_with_a_canary_is_refused(released: Released) -> None:
    released.patch(("replace", "/canarySettings/percentTraffic", "10"))
    before = released.api.stage()

    refused = refusal(released.api.client.create_deployment, restApiId=released.api.id, stageName="prod")

    assert refused == bad_request(
        "Invalid deployment content specified.Non canary deployment not supported on stage prod because Canary is "
        "enabled. Provide CanarySettings in deploymentInput."
    )
    assert released.api.stage() == before


def test_rule_3_a_deployment_is_one_stage_s_canary_and_another_s_own(released: Released) -> None:
    released.patch(
        ("replace", "/canarySettings/deploymentId", released.two), ("replace", "/canarySettings/percentTraffic", "100")
    )
    released.api.client.create_stage(restApiId=released.api.id, stageName="dev", deploymentId=released.two)

    assert (released.api.get("prod").body, released.api.get("dev").body) == (b"two", b"two")


def test_rule_5_a_canary_s_deployment_must_exist(released: Released) -> None:
    refused = released.refused(
        ("replace", "/canarySettings/percentTraffic", "10"), ("replace", "/canarySettings/deploymentId", "wrong1")
    )

    assert refused == bad_request("Deployment id does not exist")
    assert released.canary() is None


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("percentTraffic", "100.0", {"percentTraffic": 100.0}),
        ("percentTraffic", "0", {"percentTraffic": 0.0}),
        ("percentTraffic", "0.01", {"percentTraffic": 0.01}),
        ("useStageCache", "true", {"useStageCache": True}),
        ("useStageCache", "false", {"useStageCache": False}),
        ("stageVariableOverrides/v", "x", {"stageVariableOverrides": {"v": "x"}}),
        ("stageVariableOverrides/v", "", {"stageVariableOverrides": {"v": ""}}),
    ],
)
def test_rule_6_a_patch_of_any_part_makes_a_canary_with_the_defaults(
    released: Released, path: str, value: str, changed: dict[str, Any]
) -> None:
    released.patch(("replace", f"/canarySettings/{path}", value))

    defaults = {"deploymentId": released.one, "percentTraffic": 0.0, "useStageCache": False}
    assert released.canary() == {**defaults, **changed}


def test_rule_6_a_patch_of_the_deployment_makes_a_canary_of_it(released: Released) -> None:
    released.patch(("replace", "/canarySettings/deploymentId", released.two))

    assert released.canary() == {"deploymentId": released.two, "percentTraffic": 0.0, "useStageCache": False}
    assert released.api.stage()["deploymentId"] == released.one


def test_rule_6_a_patch_of_one_part_leaves_the_others(released: Released) -> None:
    released.patch(
        ("replace", "/canarySettings/deploymentId", released.two),
        ("replace", "/canarySettings/percentTraffic", "50.0"),
        ("replace", "/canarySettings/stageVariableOverrides/a", "1"),
    )

    released.patch(("replace", "/canarySettings/stageVariableOverrides/b", "2"))

    assert released.canary() == {
        "deploymentId": released.two,
        "percentTraffic": 50.0,
        "stageVariableOverrides": {"a": "1", "b": "2"},
        "useStageCache": False,
    }


@pytest.mark.parametrize("value", ["100.1", "-0.1", "nan", "inf", "half", ""])
def test_a_percentage_is_from_0_to_100(released: Released, value: str) -> None:
    refused = released.refused(("replace", "/canarySettings/percentTraffic", value))

    assert (refused.code, refused.status) == ("BadRequestException", 400)
    assert released.canary() is None


@pytest.mark.parametrize("part", ["deploymentId", "percentTraffic", "useStageCache", "stageVariableOverrides/v"])
def test_rule_6_nothing_of_a_canary_is_added(released: Released, part: str) -> None:
    refused = released.refused(("add", f"/canarySettings/{part}", "1"))

    assert refused == bad_request(f"Invalid add operation with path: /canarySettings/{part}")


@pytest.mark.parametrize(
    "part", ["deploymentId", "percentTraffic", "useStageCache", "stageVariableOverrides", "stageVariableOverrides/v"]
)
def test_rule_6_only_the_whole_canary_is_removed(released: Released, part: str) -> None:
    released.patch(("replace", "/canarySettings/stageVariableOverrides/v", "1"))

    refused = released.refused(("remove", f"/canarySettings/{part}"))

    assert refused == bad_request(
        f"Cannot remove method setting canarySettings/{part} because there is no method setting for this method "
    )


def test_rule_6_the_canary_is_removed_whole(released: Released) -> None:
    before = released.api.stage()
    released.patch(("replace", "/canarySettings/percentTraffic", "50"))

    answer = released.patch(("remove", "/canarySettings"))

    assert status(answer) == 200
    assert {**released.api.stage(), "lastUpdatedDate": before["lastUpdatedDate"]} == before


def test_rule_7_promotion_is_a_copy(released: Released) -> None:
    released.patch(
        ("replace", "/canarySettings/deploymentId", released.two),
        ("replace", "/canarySettings/percentTraffic", "50.0"),
        ("replace", "/canarySettings/stageVariableOverrides/shared", "canary"),
        ("replace", "/canarySettings/stageVariableOverrides/added", "canary"),
    )

    answer = released.patch(*PROMOTION)

    assert answer["deploymentId"] == released.two
    # Rule 8: the copy merges, and the canary stays with all that it has.
    assert answer["variables"] == {"shared": "canary", "kept": "base", "added": "canary"}
    assert answer["canarySettings"] == {
        "deploymentId": released.two,
        "percentTraffic": 0.0,
        "stageVariableOverrides": {"shared": "canary", "added": "canary"},
        "useStageCache": False,
    }
    assert released.api.get().body == b"two"


def test_rule_8_the_percentage_stays_unless_it_is_set(released: Released) -> None:
    released.patch(("replace", "/canarySettings/percentTraffic", "50.0"))

    answer = released.patch(("copy", "/deploymentId", "/canarySettings/deploymentId"))

    assert answer["canarySettings"]["percentTraffic"] == 50.0


def test_rule_8_without_overrides_the_variables_stay(released: Released) -> None:
    released.patch(("replace", "/canarySettings/percentTraffic", "50.0"))

    answer = released.patch(("copy", "/variables", "/canarySettings/stageVariableOverrides"))

    assert answer["variables"] == {"shared": "base", "kept": "base"}
    assert "stageVariableOverrides" not in answer["canarySettings"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/deploymentId", "/canarySettings/stageVariableOverrides"),
        ("/variables", "/canarySettings/deploymentId"),
        ("/description", "/canarySettings/deploymentId"),
        ("/deploymentId", "/description"),
        ("/canarySettings/deploymentId", "/deploymentId"),
        ("/variables/v", "/canarySettings/stageVariableOverrides/v"),
    ],
)
def test_rule_7_nothing_else_is_copied(released: Released, path: str, source: str) -> None:
    released.patch(("replace", "/canarySettings/percentTraffic", "50.0"))

    assert released.refused(("copy", path, source)) == bad_request(INVALID_COPY.format(path, source))


@pytest.mark.parametrize("operation", PROMOTION[1:], ids=["deployment", "variables"])
def test_rule_7_without_a_canary_there_is_nothing_to_promote(released: Released, operation: tuple[str, ...]) -> None:
    assert released.refused(operation) == bad_request("Promotion not available. Canary does not exist.")


def test_rule_7_a_canary_made_earlier_in_the_same_call_can_be_promoted(released: Released) -> None:
    answer = released.patch(("replace", "/canarySettings/deploymentId", released.two), *PROMOTION)

    assert answer["deploymentId"] == released.two


def test_rule_7_a_refused_promotion_leaves_the_stage_as_it_was(released: Released) -> None:
    before = released.api.stage()

    released.refused(("replace", "/description", "new"), PROMOTION[1])

    assert released.api.stage() == before
    assert released.api.get().body == b"one"


def test_rule_9_the_canary_side_has_its_deployment_and_the_overlaid_variables(released: Released) -> None:
    overrides = (
        ("replace", "/canarySettings/deploymentId", released.two),
        ("replace", "/canarySettings/stageVariableOverrides/shared", "canary"),
        ("replace", "/canarySettings/stageVariableOverrides/added", "canary"),
    )

    released.patch(*overrides, ("replace", "/canarySettings/percentTraffic", "0"))
    base = released.api.get()
    released.patch(("replace", "/canarySettings/percentTraffic", "100.0"))
    canary = released.api.get()

    assert (base.body, {name: base.headers.get(name, "") for name in HEADERS}) == (
        b"one",
        {"canary": "false", "shared": "base", "kept": "base", "added": ""},
    )
    assert (canary.body, {name: canary.headers.get(name, "") for name in HEADERS}) == (
        b"two",
        {"canary": "true", "shared": "canary", "kept": "base", "added": "canary"},
    )


def test_a_stage_without_a_canary_has_no_canary_requests(released: Released) -> None:
    assert released.api.get().headers.get("canary", "") == ""


def test_each_move_of_the_traffic_is_served_when_it_is_answered(released: Released) -> None:
    released.patch(("replace", "/canarySettings/deploymentId", released.two))

    seen = []
    for percent in ("100", "0", "100.0", "0.0"):
        released.patch(("replace", "/canarySettings/percentTraffic", percent))
        seen.append({released.api.get().body for _ in range(5)})
    released.patch(("replace", "/canarySettings/percentTraffic", "100"), ("remove", "/canarySettings"))
    seen.append({released.api.get().body for _ in range(5)})

    assert seen == [{b"two"}, {b"one"}, {b"two"}, {b"one"}, {b"one"}]


def test_half_of_the_traffic_reaches_either_side(released: Released) -> None:
    released.patch(
        ("replace", "/canarySettings/deploymentId", released.two), ("replace", "/canarySettings/percentTraffic", "50")
    )

    # By chance one side stays unseen once in 2 to the 60th runs.
    assert {released.api.get().body for _ in range(61)} == {b"one", b"two"}


def test_method_settings_are_the_stage_s_on_both_sides(released: Released) -> None:
    released.patch(
        ("replace", "/canarySettings/deploymentId", released.two),
        ("replace", "/canarySettings/percentTraffic", "100"),
        ("replace", "/*/*/throttling/burstLimit", "0"),
    )

    assert released.api.get().status == 429
