"""How differences read in a terminal."""

from typing import Any

import pytest

from headgate.cli.diff_view import print_differences

_DEPLOYMENT = {"is": "deployment", "deploymentId": "dep001"}
_STAGE = {"is": "stage", "stage": "prod", "deploymentId": "dep001"}
_CANARY = {"is": "canary", "stage": "prod", "deploymentId": "dep002", "percentTraffic": 12.5, "release": "orders-2.1"}
_CURRENT = {"is": "current"}
_OTHER = {"is": "deployment", "deploymentId": "dep009"}


def _shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *differences: dict[str, Any],
    a: dict[str, Any] = _DEPLOYMENT,
    b: dict[str, Any] = _OTHER,
    width: int = 80,
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    print_differences({"comparisons": [{"a": a, "b": b, "differences": list(differences)}]})
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def _changed(path: str, before: Any, after: Any) -> dict[str, Any]:
    sides = {name: value for name, value in (("before", before), ("after", after)) if value is not None}
    return {"kind": "changed", "resource": "/orders", "method": "GET", "path": path.split(" "), **sides}


@pytest.mark.parametrize(
    ("a", "b", "differs", "headline"),
    [
        (_STAGE, _CURRENT, 0, "prod serves dep001, and all is deployed"),
        (_STAGE, _CURRENT, 1, "prod serves dep001, 1 change is not deployed"),
        (_STAGE, _CURRENT, 2, "prod serves dep001, 2 changes are not deployed"),
        (
            _CANARY,
            _CURRENT,
            0,
            "prod's canary serves dep002 of release orders-2.1 to 12.5 % of the traffic, and all is deployed",
        ),
        (_DEPLOYMENT, _OTHER, 0, "dep001 and dep009 do not differ"),
        (_DEPLOYMENT, _OTHER, 1, "dep001 -> dep009, 1 difference"),
        (_STAGE, _CANARY, 2, "prod (dep001) -> the canary of prod (dep002 of release orders-2.1), 2 differences"),
        (_DEPLOYMENT, _CURRENT, 0, "dep001 and the resources as they stand do not differ"),
    ],
)
def test_the_headline(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    a: dict[str, Any],
    b: dict[str, Any],
    differs: int,
    headline: str,
) -> None:
    found = [_changed(f"p{number}", "1", "2") for number in range(differs)]

    assert _shown(monkeypatch, capsys, *found, a=a, b=b, width=140)[0] == headline


@pytest.mark.parametrize(
    ("path", "before", "after", "line"),
    [
        ("methodIntegration uri", "http://a/", "http://b/", "integration uri  http://a/ -> http://b/"),
        ("methodIntegration timeoutInMillis", 29000, 3000, "integration timeoutInMillis  29000 -> 3000"),
        ("apiKeyRequired", False, True, "apiKeyRequired  false -> true"),
        ("authorizationScopes", ["a", "b"], ["b", "c"], "authorizationScopes  - a, + c"),
        ("methodIntegration requestTemplates a/b", None, "", 'integration request template a/b  + ""'),
        (
            "methodIntegration integrationResponses 200 responseTemplates a/b",
            "x",
            None,
            "integration response 200 template a/b  - x",
        ),
        ("methodResponses 404", None, {"statusCode": "404"}, 'response 404  + {"statusCode": "404"}'),
        ("operationName", "a\x1b[2J", "b", "operationName  a\ufffd[2J -> b"),
    ],
)
def test_a_change_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, before: Any, after: Any, line: str
) -> None:
    assert _shown(monkeypatch, capsys, _changed(path, before, after))[1:] == ["    GET /orders", f"      {line}"]


def test_what_has_no_room_stands_below_each_other_and_wraps_below_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _changed("methodIntegration uri", "http://a/", "http://b/" + "x" * 30)

    assert _shown(monkeypatch, capsys, found, width=40)[2:] == [
        "      integration uri",
        "        - http://a/",
        "        + http://b/" + "x" * 21,
        "          " + "x" * 9,
    ]


def test_of_long_texts_only_what_changed_is_shown_with_the_lines_around(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"line {number}" for number in range(30)]
    changed = [*lines[:10], "changed", *lines[11:25], *lines[26:]]
    found = _changed("methodIntegration requestTemplates a/b", "\n".join(lines), "\n".join(changed))

    assert [line.strip() for line in _shown(monkeypatch, capsys, found)[3:]] == [
        "line 8",
        "line 9",
        "- line 10",
        "+ changed",
        "line 11",
        "line 12",
        "…",
        "line 23",
        "line 24",
        "- line 25",
        "line 26",
        "line 27",
    ]


def test_texts_that_differ_in_how_they_end_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _changed("methodIntegration requestTemplates a/b", "one\ntwo", "one\ntwo\n")

    assert _shown(monkeypatch, capsys, found)[3:] == [r'''        - "one\ntwo"''', r'''        + "one\ntwo\n"''']


def test_methods_and_resources_that_are_new_or_gone_are_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    method = {
        "authorizationType": "CUSTOM",
        "apiKeyRequired": True,
        "methodIntegration": {"type": "HTTP", "uri": "http://a/"},
    }
    post: dict[str, Any] = {"kind": "added", "resource": "/orders", "method": "POST", "path": [], "after": method}
    bare = {"authorizationType": "NONE", "apiKeyRequired": False}
    gone: dict[str, Any] = {"kind": "removed", "resource": "/orders", "method": "PUT", "path": [], "before": bare}
    resource: dict[str, Any] = {"kind": "added", "resource": "/new", "path": []}

    assert _shown(monkeypatch, capsys, post, gone, resource)[1:] == [
        "  + POST /orders  HTTP  http://a/  authorization CUSTOM  API key",
        "  - PUT /orders  no integration",
        "  + /new  a resource without methods",
    ]
