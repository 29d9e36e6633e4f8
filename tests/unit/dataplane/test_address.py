import pytest

from headgate.dataplane.address import Address, locate
from unit.dataplane.builders import a_call


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param(
            "localhost", "/_aws/execute-api/a1/prod/x/y", ("a1", "prod", "/x/y", "/prod/x/y"), id="path style"
        ),
        pytest.param("localhost", "/_aws/execute-api/a1/prod", ("a1", "prod", "/", "/prod"), id="the stage alone"),
        pytest.param(
            "localhost", "/restapis/a1/prod/_user_request_/x", ("a1", "prod", "/x", "/prod/x"), id="old style"
        ),
        pytest.param("localhost", "/restapis/a1/prod/_user_request_", ("a1", "prod", "/", "/prod"), id="old, bare"),
        pytest.param("localhost", "/restapis/a1/stages/prod", None, id="a control-plane path is none"),
        pytest.param("localhost", "/restapis/a1/prod/_user_request_2/x", None, id="nor one that resembles"),
        pytest.param("a1.execute-api.localhost", "/prod/x", ("a1", "prod", "/x", "/prod/x"), id="by host"),
        pytest.param(
            "a1.execute-api.us-east-1.amazonaws.com", "/prod/x/", ("a1", "prod", "/x/", "/prod/x/"), id="AWS host"
        ),
        pytest.param(
            "a1.execute-api.localhost", "//prod/x", ("a1", "prod", "/x", "/prod/x"), id="slashes before the stage"
        ),
        pytest.param(
            "a1.execute-api.localhost", "/prod//x", ("a1", "prod", "/x", "/prod//x"), id="two after the stage"
        ),
        pytest.param("a1.execute-api.localhost", "/", ("a1", "", "/", "/"), id="no stage"),
        pytest.param("a1.other.localhost", "/prod/x", None, id="another host"),
    ],
)
def test_address(host: str, path: str, expected: tuple[str, str, str, str] | None) -> None:
    found = locate(a_call(path, host=host))

    assert found == (None if expected is None else Address(*expected))
