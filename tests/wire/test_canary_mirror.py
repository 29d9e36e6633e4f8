"""Mirroring's settings (extensions, docs/canaries.md), and its report while there is nothing to tell."""

from typing import Any

import pytest

from support.apis import Api, bad_request, control, patches, refusal

PERCENT = "/canarySettings/mirrorPercent"
COMPARE = "/canarySettings/mirrorCompare"


def _canary(api: Api) -> Any:
    return control(api.server, "GET", f"/restapis/{api.id}/stages/prod").json.get("canarySettings")


def _report(api: Api) -> Any:
    return control(api.server, "GET", f"/_headgate/stages/{api.id}/prod/mirror")


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        (PERCENT, "20", 20.0),
        (PERCENT, "0", 0.0),
        (PERCENT, "100.0", 100.0),
        (COMPARE, "true", True),
        (COMPARE, "false", False),
    ],
)
def test_a_setting_is_shown_while_it_is_set(staged: Api, path: str, value: str, shown: object) -> None:
    staged.patch_stage("prod", ("replace", path, value))
    is_set = _canary(staged)
    staged.patch_stage("prod", ("remove", path))

    assert is_set == {**_canary(staged), path.rpartition("/")[2]: shown}
    assert set(_canary(staged)) == {"deploymentId", "percentTraffic", "useStageCache"}


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        *[(PERCENT, value, "a percentage from 0.0 to 100.0") for value in ("100.1", "-1", "nan", "inf", "half", "")],
        *[(COMPARE, value, "true or false") for value in ("yes", "1", "True", "")],
    ],
)
def test_what_it_cannot_be_is_refused(staged: Api, path: str, value: str, accepted: str) -> None:
    refused = refusal(
        staged.client.update_stage,
        restApiId=staged.id,
        stageName="prod",
        patchOperations=patches(("replace", path, value)),
    )

    assert refused == bad_request(f"Invalid value {value!r} for path {path}: give {accepted}")
    assert _canary(staged) is None


def test_a_stage_that_mirrors_nothing_has_no_report(staged: Api) -> None:
    before = _report(staged)
    staged.patch_stage("prod", ("replace", PERCENT, "0"))
    at_none = _report(staged)
    staged.patch_stage("prod", ("replace", PERCENT, "1"))
    on = _report(staged)
    staged.patch_stage("prod", ("remove", "/canarySettings"))

    assert [each.status for each in (before, at_none, on, _report(staged))] == [404, 404, 200, 404]
    assert before.json == {
        "message": f"no requests of stage prod of {staged.id} are mirrored; set /canarySettings/mirrorPercent"
    }
    assert on.json["fields"] == []
