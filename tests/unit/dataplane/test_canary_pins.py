"""Pins are decided when a stage is compiled: per side, and for functions of the stage's own account and region."""

import asyncio

import pytest

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import Integration, Method
from headgate.model.stage import CanarySettings
from unit.dataplane.builders import API, FakePorts, a_call, a_definition, a_stage

_OWN = "arn:aws:lambda:us-east-1:000000000000:function:orders:live"
_CANARY = CanarySettings(
    deployment_id=DeploymentId("dep1"),
    percent_traffic=50.0,
    function_versions={"orders:live": "2"},
    base_function_versions={"orders:live": "1"},
)


def _version_run(function_arn: str, canary: CanarySettings | None, draw: float) -> str:
    """The version that a request with this draw asks for; "" where it leaves that to the reference."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    method = Method(http_method="GET", method_integration=Integration(type="AWS_PROXY", http_method="POST", uri=uri))
    stage = a_stage(canary_settings=canary)
    snapshot = compile_stage(stage, {"dep1": a_definition(("/pets", method))}, Buckets(), Meters())
    stages = Stages()
    stages.publish({(API, "prod"): snapshot}, frozenset({API}))
    ports = FakePorts()
    ports.drawn = draw

    async def ask() -> None:
        await serve(a_call(), stages, ports)

    asyncio.run(ask())
    [version] = ports.versions
    return version


@pytest.mark.parametrize(
    ("function_arn", "canary", "versions"),
    [
        pytest.param(_OWN, _CANARY, ("2", "1"), id="each side has its own"),
        pytest.param(_OWN, None, ("", ""), id="none without a canary"),
        pytest.param(_OWN.replace(":live", ":other"), _CANARY, ("", ""), id="not of another alias"),
        pytest.param(_OWN.removesuffix(":live"), _CANARY, ("", ""), id="not of the function itself"),
        pytest.param(_OWN.replace("us-east-1", "eu-west-1"), _CANARY, ("", ""), id="not in another region"),
        pytest.param(_OWN.replace("0" * 12, "1" * 12), _CANARY, ("", ""), id="not in another account"),
    ],
)
def test_a_pin(function_arn: str, canary: CanarySettings | None, versions: tuple[str, str]) -> None:
    assert (_version_run(function_arn, canary, 0.0), _version_run(function_arn, canary, 99.0)) == versions


def test_a_change_of_pins_begins_a_new_interval() -> None:
    meters = Meters()

    def begun(steering: tuple[str, ...]) -> int:
        return meters.interval("", "", API, "orders", "prod", "dep1", ("dep1", 10.0), steering).began_ms

    first, same, pinned = begun(()), begun(()), begun(("canary orders:live=2",))

    assert (first == same, pinned > same) == (True, True)
