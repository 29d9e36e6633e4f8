"""Layers: their versions, who may use them, and what a function finds of them."""

import base64
import hashlib
import json
from typing import Any

import pytest

from support.apis import Refused, fields, refusal, status
from support.functions import archive, zipped
from support.lambdas import (
    ACCOUNT,
    a_function,
    conflict,
    create,
    invalid,
    invoke,
    missing,
    new_name,
    stale,
)
from support.server import RunningServer, fetch

NOT_THERE = missing("The resource you requested does not exist.")
NO_POLICY = missing("No policy is associated with the given resource.")
IMPORTS = "import shared\n\ndef handle(event, context):\n    return shared.NAME\n"


def layer_arn(name: str, version: int = 0, account: str = ACCOUNT) -> str:
    return f"arn:aws:lambda:us-east-1:{account}:layer:{name}" + (f":{version}" if version else "")


def a_layer(server: RunningServer, files: dict[str, str] | None = None, name: str = "", **options: Any) -> str:
    """The ARN of a new layer version."""
    content = {"ZipFile": archive(files or {"python/shared.py": "NAME = 'layer'\n"})}
    published = server.client("lambda").publish_layer_version(
        LayerName=name or new_name("layer"), Content=content, **options
    )
    arn: str = published["LayerVersionArn"]
    return arn


def test_a_layer_version_is_shown_with_all_it_was_published_with(server: RunningServer) -> None:
    client = server.client("lambda")
    name, body = new_name("layer"), archive({"python/a.py": ""})

    published = client.publish_layer_version(
        LayerName=name,
        Description="what",
        Content={"ZipFile": body},
        CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    found = client.get_layer_version(LayerName=name, VersionNumber=1)
    by_arn = client.get_layer_version_by_arn(Arn=layer_arn(name, 1))

    shown = fields(published)
    assert status(published) == 201
    assert fetch(found["Content"]["Location"]).body == body
    for each in (shown, found, by_arn):
        each["Content"].pop("Location")
    assert fields(found) == fields(by_arn) == shown
    assert shown.pop("CreatedDate").endswith(".000+0000")
    assert shown == {
        "LayerArn": layer_arn(name),
        "LayerVersionArn": layer_arn(name, 1),
        "Version": 1,
        "Description": "what",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"],
        "Content": {
            "CodeSha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            "CodeSize": len(body),
        },
    }


def test_each_publication_is_a_new_version_and_no_number_comes_twice(server: RunningServer) -> None:
    client = server.client("lambda")
    name = new_name("layer")
    for _ in range(2):
        a_layer(server, name=name)

    client.delete_layer_version(LayerName=name, VersionNumber=2)
    a_layer(server, name=name)

    listed = client.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [each["Version"] for each in listed] == [3, 1]


def test_layers_are_listed_with_their_newest_version_that_fits(server: RunningServer) -> None:
    client = server.client("lambda", access_key="200000000010")
    for name, runtime in (("b", "python3.13"), ("a", "python3.13"), ("a", "nodejs22.x")):
        client.publish_layer_version(
            LayerName=name, Content={"ZipFile": archive({"x": ""})}, CompatibleRuntimes=[runtime]
        )

    whole = client.list_layers()["Layers"]
    fitting = client.list_layers(CompatibleRuntime="python3.13")["Layers"]
    first = client.list_layers(MaxItems=1)

    def shown(layers: Any) -> list[tuple[str, int]]:
        return [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in layers]

    assert shown(whole) == [("a", 2), ("b", 1)]
    assert shown(fitting) == [("a", 1), ("b", 1)]
    assert shown(client.list_layers(Marker=first["NextMarker"])["Layers"]) == [("b", 1)]


@pytest.mark.parametrize("folder", ["python", "python/lib/python3.13/site-packages"])
def test_a_python_function_imports_from_its_layer(server: RunningServer, folder: str) -> None:
    layer = a_layer(server, {f"{folder}/shared.py": "NAME = 'from a layer'\n"})

    name = a_function(server, IMPORTS, Layers=[layer])

    assert invoke(server, name) == "from a layer"


def test_of_two_layers_with_the_same_file_the_later_counts(server: RunningServer) -> None:
    first = a_layer(server, {"python/shared.py": "NAME = 'first'\n", "python/only.py": "HERE = 'first'\n"})
    second = a_layer(server, {"python/shared.py": "NAME = 'second'\n"})
    source = "import only, shared\n\ndef handle(event, context):\n    return [only.HERE, shared.NAME]\n"

    assert invoke(server, a_function(server, source, Layers=[first, second])) == ["first", "second"]
    assert invoke(server, a_function(server, source, Layers=[second, first])) == ["first", "first"]


def test_the_code_of_the_function_goes_before_its_layers(server: RunningServer) -> None:
    client = server.client("lambda")
    name = a_function(server, IMPORTS, Layers=[a_layer(server)])
    own = archive({"handler.py": IMPORTS, "shared.py": "NAME = 'own'\n"})

    client.update_function_code(FunctionName=name, ZipFile=own)

    assert invoke(server, name) == "own"


def test_a_function_finds_the_files_and_programs_of_its_layers(server: RunningServer) -> None:
    layer = a_layer(server, {"data/words.txt": "from the layer", "bin/tool": "", "lib/x.so": ""})
    source = (
        "import os\n\ndef handle(event, context):\n    opt = os.environ['HEADGATE_OPT']\n"
        "    paths = [os.environ[name].split(':') for name in ('PATH', 'LD_LIBRARY_PATH')]\n"
        "    return [open(opt + '/data/words.txt').read(), opt + '/bin' in paths[0], opt + '/lib' in paths[1]]\n"
    )

    assert invoke(server, a_function(server, source, Layers=[layer])) == ["from the layer", True, True]


def test_a_function_shows_its_layers_and_loses_them_to_an_empty_list(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_layer(server)
    size = client.get_layer_version_by_arn(Arn=arn)["Content"]["CodeSize"]

    name = a_function(server, IMPORTS, Layers=[arn])
    shown = client.get_function_configuration(FunctionName=name)["Layers"]
    kept = client.update_function_configuration(FunctionName=name, Timeout=5)["Layers"]
    without = client.update_function_configuration(FunctionName=name, Layers=[])

    assert shown == kept == [{"Arn": arn, "CodeSize": size}]
    assert "Layers" not in without
    assert invoke(server, name)["errorType"] == "Runtime.ImportModuleError"


def test_a_published_version_keeps_its_layers(server: RunningServer) -> None:
    name = a_function(server, IMPORTS, Layers=[a_layer(server)], Publish=True)

    server.client("lambda").update_function_configuration(FunctionName=name, Layers=[])

    assert invoke(server, name, Qualifier="1") == "layer"


def test_a_layer_that_is_deleted_goes_on_working_where_it_is_used(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_layer(server)
    name = a_function(server, IMPORTS, Layers=[arn])
    layer, version = arn.split(":")[-2:]

    deleted = client.delete_layer_version(LayerName=layer, VersionNumber=int(version))
    again = client.delete_layer_version(LayerName=layer, VersionNumber=int(version))
    client.update_function_configuration(FunctionName=name, Layers=[arn], Timeout=4)

    assert (status(deleted), status(again)) == (204, 204)
    assert refusal(client.get_layer_version, LayerName=layer, VersionNumber=int(version)) == NOT_THERE
    assert invoke(server, name) == "layer"
    refused = refusal(create, server=server, name=new_name(), Layers=[arn])
    assert refused == invalid(f"Layer version {arn} does not exist.")


def test_five_layers_are_the_most(server: RunningServer) -> None:
    layers = [a_layer(server, {"python/shared.py": f"NAME = {number}\n"}) for number in range(6)]

    name = a_function(server, IMPORTS, Layers=layers[:5])

    assert invoke(server, name) == 4
    refused = refusal(create, server=server, name=new_name(), Layers=layers)
    assert refused == invalid("Cannot reference more than 5 layers.")


def test_code_and_layers_unpack_to_250_mb_at_most(server: RunningServer) -> None:
    large = "\0" * 131_072_000  # half of what is allowed
    first, second = (a_layer(server, {"big": large, "mark": mark}) for mark in "ab")

    create(server, new_name(), Layers=[first])
    refused = refusal(create, server=server, name=new_name(), Layers=[first, second])

    source = len("def handle(event, context):\n    return event\n")
    assert refused == invalid(
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "
        f"The actual size is {2 * 131_072_001 + source} bytes."
    )


def test_create_refuses_layers(server: RunningServer) -> None:
    arn = a_layer(server)
    other_version = a_layer(server, name=arn.split(":")[-2])
    elsewhere = arn.replace("us-east-1", "eu-west-1")

    def refused(*layers: str) -> Refused:
        return refusal(create, server=server, name=new_name(), Layers=list(layers))

    assert refused(arn, other_version) == invalid(
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{arn} and {other_version} are versions of the same layer."
    )
    assert refused(elsewhere) == invalid(
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
    )
    assert refused(f"{arn}9") == invalid(f"Layer version {arn}9 does not exist.")
    assert refused(arn.rpartition(":")[0]).code in {"ValidationException", "InvalidParameterValueException"}


def test_another_account_uses_a_layer_once_its_policy_lets_it(server: RunningServer) -> None:
    arn = a_layer(server)
    layer, version = arn.split(":")[-2], int(arn.rpartition(":")[2])
    other = server.client("lambda", access_key="200000000011")
    before = refusal(other.get_layer_version_by_arn, Arn=arn)

    server.client("lambda").add_layer_version_permission(
        LayerName=layer,
        VersionNumber=version,
        StatementId="s1",
        Action="lambda:GetLayerVersion",
        Principal="200000000011",
    )
    other.create_function(
        FunctionName="guest",
        Runtime="python3.13",
        Role="arn:aws:iam::200000000011:role/x",
        Handler="handler.handle",
        Code={"ZipFile": zipped(IMPORTS)},
        Layers=[arn],
    )

    assert (before.code, before.status) == ("AccessDeniedException", 403)
    assert json.loads(other.invoke(FunctionName="guest")["Payload"].read()) == "layer"
    third = server.client("lambda", access_key="200000000012")
    assert refusal(third.get_layer_version_by_arn, Arn=arn).code == "AccessDeniedException"


def test_a_layer_s_policy_is_shown_changed_and_taken_away(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = a_layer(server)
    where = {"LayerName": arn.split(":")[-2], "VersionNumber": int(arn.rpartition(":")[2])}
    grant = {**where, "StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}

    assert refusal(client.get_layer_version_policy, **where) == NO_POLICY
    added = client.add_layer_version_permission(**grant, OrganizationId="o-0123456789")
    shown = client.get_layer_version_policy(**where)

    statement = {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}},
    }
    assert json.loads(added["Statement"]) == statement
    assert json.loads(shown["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert shown["RevisionId"] == added["RevisionId"]
    assert refusal(client.add_layer_version_permission, **grant) == conflict(
        "The statement id (s1) provided already exists. "
        "Please provide a new statement id, or remove the existing statement."
    )
    assert refusal(client.add_layer_version_permission, **{**grant, "StatementId": "s2"}, RevisionId="old") == stale(
        "GetLayerPolicy"
    )
    assert refusal(client.remove_layer_version_permission, **where, StatementId="s9") == missing(
        "Statement s9 is not found in resource policy."
    )
    client.remove_layer_version_permission(**where, StatementId="s1")
    assert refusal(client.get_layer_version_policy, **where) == NO_POLICY


@pytest.mark.parametrize(
    ("operation", "given", "expected"),
    [
        ("get_layer_version", {"LayerName": "ghost", "VersionNumber": 1}, NOT_THERE),
        (
            "get_layer_version",
            {"LayerName": "ghost", "VersionNumber": 0},
            invalid("Layer Version Cannot be less than 1"),
        ),
        (
            "delete_layer_version",
            {"LayerName": "ghost", "VersionNumber": 0},
            invalid("Layer Version Cannot be less than 1"),
        ),
        ("get_layer_version_by_arn", {"Arn": layer_arn("ghost", 1)}, NOT_THERE),
        (
            "get_layer_version_policy",
            {"LayerName": "ghost", "VersionNumber": 1},
            missing(f"Layer version {layer_arn('ghost', 1)} does not exist."),
        ),
        (
            "publish_layer_version",
            {"LayerName": "bad", "Content": {"ZipFile": b"no zip"}},
            invalid("Could not unzip uploaded file. Please check your file, then try to upload again."),
        ),
    ],
)
def test_what_is_not_there_or_no_layer_is_refused(
    server: RunningServer, operation: str, given: dict[str, Any], expected: Refused
) -> None:
    assert refusal(getattr(server.client("lambda"), operation), **given) == expected
