"""Pins: a side of a canary runs the version that it names, whatever the alias says (an extension, docs/canaries.md)."""

from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, control, patches, refusal
from support.functions import allow_gateway, replying
from support.lambdas import a_version, create, invoke, new_name
from support.server import RunningServer

PINS = "/canarySettings/functionVersions"
BASE_PINS = "/canarySettings/baseFunctionVersions"


class Pinned:
    """A stage over an alias `live` on version 1; version 2 and 3 are published, and each replies with its number."""

    def __init__(self, api: Api, alias: str = "live") -> None:
        self.api = api
        self.name = new_name("pin_ned")
        self.functions = api.server.client("lambda")
        arn = create(api.server, self.name, replying("1"), Publish=True, Timeout=30)["FunctionArn"].removesuffix(":1")
        a_version(api.server, self.name, replying("2"))
        a_version(api.server, self.name, replying("3"))
        self.functions.create_alias(FunctionName=self.name, Name=alias, FunctionVersion="1")
        allow_gateway(api.server, self.name, Qualifier=alias)
        self.pin = f"{self.name}:{alias}"
        api.function(api.root, f"{arn}:{alias}")
        api.deploy("prod")

    def patch(self, *operations: tuple[str, ...]) -> Any:
        return self.api.patch_stage("prod", *operations)

    def refused(self, *operations: tuple[str, ...]) -> Refused:
        return refusal(
            self.api.client.update_stage,
            restApiId=self.api.id,
            stageName="prod",
            patchOperations=patches(*operations),
        )

    def canary(self) -> Any:
        """As GetStage shows it to whoever reads more than the SDK's model knows."""
        shown = control(self.api.server, "GET", f"/restapis/{self.api.id}/stages/prod").json
        return shown.get("canarySettings")

    def at(self, percent: str) -> bytes:
        self.patch(("replace", "/canarySettings/percentTraffic", percent))
        return self.api.get().body


@pytest.fixture
def pinned(api: Api) -> Pinned:
    return Pinned(api)


def test_each_side_runs_what_it_pins_and_a_side_without_pins_what_the_alias_says(pinned: Pinned) -> None:
    pinned.patch(("replace", f"{PINS}/{pinned.pin}", "2"))
    unpinned_base = (pinned.at("0"), pinned.at("100"))

    pinned.patch(("replace", f"{BASE_PINS}/{pinned.pin}", "3"))
    both_pinned = (pinned.at("0"), pinned.at("100"))

    pinned.patch(("remove", f"{PINS}/{pinned.pin}"))
    unpinned_canary = (pinned.at("0"), pinned.at("100"))

    assert (unpinned_base, both_pinned, unpinned_canary) == ((b"1", b"2"), (b"3", b"2"), (b"3", b"1"))


def test_a_pin_wins_over_the_alias_s_weights_and_moves(pinned: Pinned) -> None:
    pinned.patch(("replace", f"{BASE_PINS}/{pinned.pin}", "1"))
    routing = {"AdditionalVersionWeights": {"3": 1.0}}
    pinned.functions.update_alias(FunctionName=pinned.name, Name="live", FunctionVersion="2", RoutingConfig=routing)

    assert pinned.api.get().body == b"1"


def test_a_pinned_call_is_still_the_alias_s_in_its_policy(pinned: Pinned) -> None:
    pinned.patch(("replace", f"{BASE_PINS}/{pinned.pin}", "2"))
    pinned.functions.remove_permission(FunctionName=pinned.name, StatementId="gateway", Qualifier="live")

    assert pinned.api.get().status == 500


def test_a_pinned_call_is_still_the_alias_s_in_its_event_and_metrics(server: RunningServer, pinned: Pinned) -> None:
    said = "def handle(event, context):\n    said = context.invoked_function_arn + ' ' + context.function_version\n"
    version = a_version(server, pinned.name, said + '    return {"statusCode": 200, "body": said}\n')
    pinned.patch(("replace", f"{BASE_PINS}/{pinned.pin}", version))

    body = pinned.api.get().body.decode()

    assert body.endswith(f"function:{pinned.pin} {version}")
    found = server.client("cloudwatch").list_metrics(
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Dimensions=[{"Name": "Resource", "Value": pinned.pin}, {"Name": "ExecutedVersion", "Value": version}],
    )
    assert len(found["Metrics"]) == 1


def test_get_stage_shows_pins_in_the_canary_settings_and_nothing_of_them_when_unset(pinned: Pinned) -> None:
    pinned.patch(("replace", "/canarySettings/percentTraffic", "0"))
    unset = pinned.canary()
    pinned.patch(("replace", f"{PINS}/{pinned.pin}", "2"), ("replace", f"{BASE_PINS}/{pinned.pin}", "1"))
    is_set = pinned.canary()
    pinned.patch(("remove", PINS), ("remove", f"{BASE_PINS}/{pinned.pin}"))

    pins = {"functionVersions": {pinned.pin: "2"}, "baseFunctionVersions": {pinned.pin: "1"}}
    assert is_set == {**unset, **pins}
    assert pinned.canary() == unset
    assert set(unset) == {"deploymentId", "percentTraffic", "useStageCache"}


def test_pins_go_with_the_canary(pinned: Pinned) -> None:
    pinned.patch(("replace", f"{BASE_PINS}/{pinned.pin}", "2"))

    pinned.patch(("remove", "/canarySettings"))

    assert pinned.canary() is None
    assert pinned.api.get().body == b"1"
    assert pinned.patch(("replace", "/canarySettings/percentTraffic", "0"))["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "baseFunctionVersions" not in pinned.canary()


def test_the_name_of_a_pin_is_a_token_of_a_json_pointer(pinned: Pinned) -> None:
    refused = pinned.refused(("replace", f"{PINS}/a~1b:live", "2"))

    assert refused == bad_request(f"Invalid pin a/b:live for path {PINS}/a~1b:live: give function:alias, both by name")


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("{pin}", "9", "Invalid pin {pin}=9: function {name} has no version 9"),
        ("{name}:gone", "1", "Invalid pin {name}:gone=1: there is no alias gone of a function {name}"),
        ("none:live", "1", "Invalid pin none:live=1: there is no alias live of a function none"),
        ("{pin}", "$LATEST", "Invalid version $LATEST for path {path}: give the number of a published version"),
        ("{pin}", "live", "Invalid version live for path {path}: give the number of a published version"),
        ("{pin}", "", "Invalid null or empty value for path {path}"),
        ("{name}", "1", "Invalid pin {name} for path {path}: give function:alias, both by name"),
        ("{name}:1", "1", "Invalid pin {name}:1 for path {path}: give function:alias, both by name"),
    ],
)
@pytest.mark.parametrize("side", [PINS, BASE_PINS])
def test_a_pin_that_cannot_hold_is_refused(pinned: Pinned, side: str, name: str, version: str, message: str) -> None:
    names = {"pin": pinned.pin, "name": pinned.name}
    path = f"{side}/{name.format(**names)}"

    refused = pinned.refused(("replace", path, version))

    assert refused == bad_request(message.format(**names, path=path))
    assert pinned.canary() is None


@pytest.mark.parametrize("path", [PINS, f"{PINS}/none:live", BASE_PINS])
@pytest.mark.parametrize("has_canary", [True, False])
def test_a_pin_that_is_not_there_is_not_removed(pinned: Pinned, path: str, *, has_canary: bool) -> None:
    if has_canary:
        pinned.patch(("replace", "/canarySettings/percentTraffic", "0"))

    assert pinned.refused(("remove", path)) == bad_request(
        f"Cannot remove method setting {path[1:]} because there is no method setting for this method "
    )


@pytest.mark.parametrize("side", [PINS, BASE_PINS])
def test_what_is_pinned_is_not_deleted_until_the_pin_goes(pinned: Pinned, side: str) -> None:
    pinned.patch(("replace", f"{side}/{pinned.pin}", "2"))
    where = f"the canaries of the following stages pin it: [{pinned.api.id}/prod]"

    version = refusal(pinned.functions.delete_function, FunctionName=pinned.name, Qualifier="2")
    function = refusal(pinned.functions.delete_function, FunctionName=pinned.name)
    pinned.functions.delete_function(FunctionName=pinned.name, Qualifier="3")
    pinned.patch(("remove", "/canarySettings"))
    pinned.functions.delete_function(FunctionName=pinned.name, Qualifier="2")

    assert version == Refused("ResourceConflictException", f"Unable to delete version because {where}", 409)
    assert function == Refused("ResourceConflictException", f"Unable to delete function because {where}", 409)
    assert invoke(pinned.api.server, f"{pinned.name}:live") is not None


def test_an_alias_that_a_stage_variable_names_is_pinned_by_its_name(server: RunningServer, pinned: Pinned) -> None:
    api = Api(server)
    api.function(api.root, f"arn:aws:lambda:us-east-1:000000000000:function:{pinned.name}:${{stageVariables.alias}}")
    api.deploy("prod", variables={"alias": "live"})
    api.patch_stage("prod", ("replace", f"{BASE_PINS}/{pinned.pin}", "3"))

    assert api.get().body == b"3"
