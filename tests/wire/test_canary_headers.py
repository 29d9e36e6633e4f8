"""Headers that say which side a caller comes to (extensions, docs/canaries.md): how they are set, shown and refused."""

from typing import Any

import pytest

from support.apis import Api, bad_request, control, patches, refusal


def _canary(api: Api) -> Any:
    return control(api.server, "GET", f"/restapis/{api.id}/stages/prod").json.get("canarySettings")


def _refused(api: Api, *operations: tuple[str, ...]) -> Any:
    return refusal(api.client.update_stage, restApiId=api.id, stageName="prod", patchOperations=patches(*operations))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("routeHeader", "x-canary=1"),
        ("routeHeader", "X-Canary=yes, it is = so"),
        ("stickyHeader", "authorization"),
        ("stickyHeader", "X-User_Id"),
        ("stickyHeader", "cookie:session"),
    ],
)
def test_a_header_is_shown_while_it_is_set(staged: Api, name: str, value: str) -> None:
    path = f"/canarySettings/{name}"
    staged.patch_stage("prod", ("replace", path, value))
    shown = _canary(staged)
    staged.patch_stage("prod", ("remove", path))
    unset = _canary(staged)

    assert shown == {**unset, name: value}
    assert set(unset) == {"deploymentId", "percentTraffic", "useStageCache"}
    refused = _refused(staged, ("remove", path))
    assert refused == bad_request(
        f"Cannot remove method setting {path[1:]} because there is no method setting for this method "
    )


def test_headers_go_with_the_canary(staged: Api) -> None:
    staged.patch_stage(
        "prod",
        ("replace", "/canarySettings/routeHeader", "x=1"),
        ("replace", "/canarySettings/stickyHeader", "y"),
    )

    staged.patch_stage("prod", ("remove", "/canarySettings"))
    staged.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "1"))

    assert set(_canary(staged)) == {"deploymentId", "percentTraffic", "useStageCache"}


@pytest.mark.parametrize("value", ["x-canary", "=1", "x-canary=", "x canary=1", "x=\u00e9", "x= 1", "x=1\n", "x" * 200])
def test_what_is_no_header_with_its_value_is_refused(staged: Api, value: str) -> None:
    assert _refused(staged, ("replace", "/canarySettings/routeHeader", value)) == bad_request(
        f"Invalid value {value!r} for path /canarySettings/routeHeader: give name=value, a header and its value"
    )


@pytest.mark.parametrize("value", ["a b", "cookie:", "cookie:a b", "cookie:a:b", "header:a", "x=1", "\u00e9", "a\n"])
def test_what_is_no_name_of_a_header_or_cookie_is_refused(staged: Api, value: str) -> None:
    assert _refused(staged, ("replace", "/canarySettings/stickyHeader", value)) == bad_request(
        f"Invalid value {value!r} for path /canarySettings/stickyHeader: "
        "give the name of a header, or cookie:name of a cookie"
    )


@pytest.mark.parametrize("name", ["routeHeader", "stickyHeader"])
def test_an_empty_value_is_refused(staged: Api, name: str) -> None:
    path = f"/canarySettings/{name}"

    assert _refused(staged, ("replace", path, "")) == bad_request(f"Invalid null or empty value for path {path}")
