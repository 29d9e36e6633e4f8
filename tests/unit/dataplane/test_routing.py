from collections.abc import Mapping

import pytest

from headgate.dataplane.routing import Routes

_ROUTES = [
    ("/", "GET"),
    ("/pets", "POST"),
    ("/pets/{id}", "GET"),
    ("/pets/dogs", "GET"),
    ("/any", "ANY"),
    ("/any", "GET"),
    ("/deep/{a}/{b}", "GET"),
    ("/deep/{a}/fixed", "PUT"),
    ("/{proxy+}", "OPTIONS"),
    ("/files/{path+}", "ANY"),
]


def _match(http_method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
    routes = Routes([(template, method, f"{method} {template}") for template, method in _ROUTES])
    return routes.match(http_method, path)


@pytest.mark.parametrize(
    ("http_method", "path", "expected"),
    [
        pytest.param("GET", "/", ("GET /", {}), id="the root"),
        pytest.param("GET", "/pets/7", ("GET /pets/{id}", {"id": "7"}), id="a variable takes one segment"),
        pytest.param("GET", "/pets/dogs", ("GET /pets/dogs", {}), id="a literal beats a variable"),
        pytest.param("GET", "/pets/7/", ("GET /pets/{id}", {"id": "7"}), id="one trailing slash is ignored"),
        pytest.param("POST", "/pets/", ("POST /pets", {}), id="also behind a literal"),
        pytest.param("GET", "/pets/a%2Fb", ("GET /pets/{id}", {"id": "a%2Fb"}), id="parameters stay undecoded"),
        pytest.param("GET", "/any", ("GET /any", {}), id="an exact method beats ANY"),
        pytest.param("DELETE", "/any", ("ANY /any", {}), id="ANY stands for the others"),
        pytest.param("TRACE", "/any", None, id="ANY does not stand for every word"),
        pytest.param("HEAD", "/pets/dogs", None, id="HEAD is not derived from GET"),
        pytest.param("OPTIONS", "/pets", ("OPTIONS /{proxy+}", {"proxy": "pets"}), id="a lacking method falls back"),
        pytest.param("OPTIONS", "/", None, id="a greedy segment matches one or more, never none"),
        pytest.param(
            "GET",
            "/deep/x/fixed",
            ("GET /deep/{a}/{b}", {"a": "x", "b": "fixed"}),
            id="a dead end falls back to a sibling",
        ),
        pytest.param("PUT", "/files/a/b//c", ("ANY /files/{path+}", {"path": "a/b//c"}), id="greedy keeps slashes"),
        pytest.param("GET", "/files/a/", ("ANY /files/{path+}", {"path": "a"}), id="greedy loses the trailing slash"),
        pytest.param("GET", "/nowhere", None, id="no route"),
    ],
)
def test_route(http_method: str, path: str, expected: tuple[str, Mapping[str, str]] | None) -> None:
    assert _match(http_method, path) == expected
