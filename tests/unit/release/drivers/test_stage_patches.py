from headgate.release.drivers.stage_patches import canary_patches, promotion_patches, stage_patches, without_canary
from headgate.release.seen import CanarySeen, StageSeen


def test_a_canary_is_put_whole_and_its_weight_comes_last() -> None:
    patches = canary_patches("d2", 10.0, {"a/b": "1"}, {"routeHeader": "x=1"})

    assert patches == [
        {"op": "replace", "path": "/canarySettings/deploymentId", "value": "d2"},
        {"op": "replace", "path": "/canarySettings/stageVariableOverrides/a~1b", "value": "1"},
        {"op": "replace", "path": "/canarySettings/routeHeader", "value": "x=1"},
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "10.0"},
    ]


def test_a_promotion_is_one_call_with_the_recorded_copies() -> None:
    assert promotion_patches({"pricing": "v2"}) == [
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
    ]


def test_a_stage_is_brought_back_variable_by_variable() -> None:
    seen = StageSeen(deployment_id="d2", variables={"kept": "1", "changed": "2", "new": "3"})

    assert stage_patches(seen, "d1", {"kept": "1", "changed": "1"}) == [
        {"op": "replace", "path": "/deploymentId", "value": "d1"},
        {"op": "replace", "path": "/variables/changed", "value": "1"},
        {"op": "remove", "path": "/variables/new"},
    ]


def test_a_stage_that_is_as_wanted_needs_no_call() -> None:
    assert stage_patches(StageSeen(deployment_id="d1", variables={"a": "1"}), "d1", {"a": "1"}) == []


def test_a_canary_s_traffic_ends_before_it_is_removed() -> None:
    seen = StageSeen(deployment_id="d1", canary=CanarySeen(deployment_id="d2", percent=50.0))

    assert without_canary(seen) == (
        [{"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"}],
        [{"op": "remove", "path": "/canarySettings"}],
    )
