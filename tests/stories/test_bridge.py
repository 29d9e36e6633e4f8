"""The services that are not Headgate's own, through its one port: answered by moto, or sent to another endpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.apis import Api
from support.functions import ROLE, allow_gateway, replying, zipped
from support.server import RunningServer, closing, running, start


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


def test_s3_keeps_objects(server: RunningServer) -> None:
    s3 = server.client("s3")
    body = bytes(range(256)) * 4096

    s3.create_bucket(Bucket="objects")
    s3.put_object(Bucket="objects", Key="a folder/ü+1.bin", Body=body, ContentType="image/png", Metadata={"a": "b"})
    got = s3.get_object(Bucket="objects", Key="a folder/ü+1.bin")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="objects")["Contents"]]
    part = s3.get_object(Bucket="objects", Key="a folder/ü+1.bin", Range="bytes=1-3")["Body"].read()

    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"]) == ("image/png", {"a": "b"})
    assert keys == ["a folder/ü+1.bin"]
    assert part == b"\x01\x02\x03"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="objects", Key="absent")
    assert s3.head_object(Bucket="objects", Key="a folder/ü+1.bin")["ContentLength"] == len(body)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="objects", Key="absent")


def test_iam_keeps_roles(server: RunningServer) -> None:
    iam = server.client("iam")

    arn = iam.create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    assert arn == "arn:aws:iam::000000000000:role/lambda"
    assert iam.get_role(RoleName="lambda")["Role"]["Arn"] == arn
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="absent")


def test_sns_and_sqs_pass_a_message(server: RunningServer) -> None:
    sns, sqs = server.client("sns"), server.client("sqs")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)

    sns.publish(TopicArn=topic, Message="one order")

    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert "one order" in message["Body"]


def test_secrets_manager_keeps_secrets(server: RunningServer) -> None:
    secrets = server.client("secretsmanager")

    secrets.create_secret(Name="password", SecretString="s3cr3t")

    assert secrets.get_secret_value(SecretId="password")["SecretString"] == "s3cr3t"
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="absent")


def test_dynamodb_keeps_items(server: RunningServer) -> None:
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}, "total": {"N": "7"}})

    assert dynamodb.get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]["total"] == {"N": "7"}


def test_dashboards_are_the_bridge_s_while_the_rest_of_cloudwatch_is_ours(server: RunningServer) -> None:
    cloudwatch = server.client("cloudwatch")

    cloudwatch.put_dashboard(DashboardName="orders", DashboardBody='{"widgets":[]}')

    assert [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]] == ["orders"]


def test_a_role_is_assumed_by_the_bridge_and_the_caller_s_identity_is_ours(server: RunningServer) -> None:
    sts = server.client("sts", access_key="333333333333")

    assumed = sts.assume_role(RoleArn="arn:aws:iam::333333333333:role/deploy", RoleSessionName="story")
    identity = sts.get_caller_identity()

    assert assumed["AssumedRoleUser"]["Arn"].endswith("assumed-role/deploy/story")
    assert assumed["Credentials"]["SessionToken"]
    assert identity["Account"] == "333333333333"


def test_bridged_services_keep_accounts_and_regions_apart(server: RunningServer) -> None:
    for caller in ({}, {"region": "eu-west-1"}, {"access_key": "444444444444"}):
        secrets = server.client("secretsmanager", **caller)
        assert secrets.list_secrets()["SecretList"] == [] or caller == {}
        secrets.create_secret(Name="apart", SecretString=str(caller))

    assert server.client("secretsmanager").get_secret_value(SecretId="apart")["SecretString"] == "{}"


def _create_from_s3(server: RunningServer, name: str, key: str, **caller: str) -> str:
    arn: str = server.client("lambda", **caller).create_function(
        FunctionName=name,
        Code={"S3Bucket": "code", "S3Key": key},
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.handle",
    )["FunctionArn"]
    return arn


def test_a_function_s_zip_may_be_in_s3(server: RunningServer) -> None:
    s3, functions = server.client("s3"), server.client("lambda")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="v1/the code.zip", Body=zipped(replying("one")))
    s3.put_object(Bucket="code", Key="v2.zip", Body=zipped(replying("two")))

    arn = _create_from_s3(server, "in-s3", "v1/the code.zip")
    allow_gateway(server, "in-s3")
    api = Api(server)
    api.function(api.root, arn)
    api.deploy("prod")
    one = api.get().body
    functions.update_function_code(FunctionName="in-s3", S3Bucket="code", S3Key="v2.zip")

    assert (one, api.get().body) == (b"one", b"two")


def test_a_version_of_an_object_may_be_named(server: RunningServer) -> None:
    s3, functions = server.client("s3"), server.client("lambda")
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket="versions", Key="code.zip", Body=zipped(replying(text)))["VersionId"]
        for text in ("first", "second")
    ]

    for version, expected in zip(versions, (b"first", b"second"), strict=True):
        code: Any = {"S3Bucket": "versions", "S3Key": "code.zip", "S3ObjectVersion": version}
        functions.create_function(
            FunctionName=f"version-{expected.decode()}",
            Code=code,
            Runtime="python3.13",
            Role=ROLE,
            Handler="handler.handle",
        )
        answer = functions.invoke(FunctionName=f"version-{expected.decode()}")["Payload"].read()
        assert expected in answer


def test_another_account_s_function_finds_its_account_s_bucket(server: RunningServer) -> None:
    other = "555555555555"
    s3 = server.client("s3", access_key=other, region="eu-west-1")
    s3.create_bucket(Bucket="code-of-555", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="code-of-555", Key="code.zip", Body=zipped(replying("other")))
    functions = server.client("lambda", access_key=other, region="eu-west-1")

    functions.create_function(
        FunctionName="of-555",
        Code={"S3Bucket": "code-of-555", "S3Key": "code.zip"},
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.handle",
    )

    assert b"other" in functions.invoke(FunctionName="of-555")["Payload"].read()


@pytest.mark.parametrize(
    ("bucket", "key", "code"),
    [("nobucket", "code.zip", "NoSuchBucket"), ("code", "absent.zip", "NoSuchKey")],
)
def test_a_zip_that_is_not_in_s3_is_refused_in_lambda_s_words(
    server: RunningServer, bucket: str, key: str, code: str
) -> None:
    if bucket == "code":
        server.client("s3").create_bucket(Bucket="code")
    functions = server.client("lambda")

    with pytest.raises(functions.exceptions.InvalidParameterValueException) as refused:
        functions.create_function(
            FunctionName="nowhere",
            Code={"S3Bucket": bucket, "S3Key": key},
            Runtime="python3.13",
            Role=ROLE,
            Handler="handler.handle",
        )

    assert refused.value.response["Error"]["Message"].startswith(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: The specified "
    )


def test_a_function_calls_other_services_through_the_server(server: RunningServer) -> None:
    source = """
import boto3

def handle(event, context):
    boto3.client("s3").put_object(Bucket="written", Key="by-a-function", Body=b"hello")
    return {"identity": boto3.client("sts").get_caller_identity()["Account"]}
"""
    server.client("s3").create_bucket(Bucket="written")
    functions = server.client("lambda")
    functions.create_function(
        FunctionName="writes",
        Code={"ZipFile": zipped(source)},
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.handle",
        Timeout=60,
    )

    answer = functions.invoke(FunctionName="writes")["Payload"].read()

    assert answer == b'{"identity": "000000000000"}'
    assert server.client("s3").get_object(Bucket="written", Key="by-a-function")["Body"].read() == b"hello"


_NOT_THERE: list[tuple[str, str, dict[str, Any]]] = [
    ("snowball", "list_jobs", {}),  # a service that moto does not have
    ("sns", "put_data_protection_policy", {"ResourceArn": "arn", "DataProtectionPolicy": "{}"}),  # query
    ("dynamodb", "list_contributor_insights", {}),  # json
    ("medialive", "list_offerings", {}),  # rest-json, without a path of that name
    ("cloudfront", "list_streaming_distributions", {}),  # rest-xml
    ("sts", "decode_authorization_message", {"EncodedMessage": "x"}),  # of a service that is half ours
]


@pytest.mark.parametrize(("service", "operation", "members"), _NOT_THERE, ids=[service for service, *_ in _NOT_THERE])
def test_what_the_bridge_has_not_is_a_4xx_that_says_so(
    server: RunningServer, service: str, operation: str, members: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(server.client(service), operation)(**members)

    response: Any = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Code"] == "UnsupportedOperationException"
    assert "has not been implemented by the bridge" in response["Error"]["Message"]


def test_an_endpoint_of_the_configuration_answers_for_its_service_alone(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "headgate.toml").write_text(
        f'port = 0\ngateway_port = 0\nephemeral = true\n[endpoints]\ns3 = "{server.url}"\nsns = "http://127.0.0.1:1"\n'
    )
    with closing(start(folder=tmp_path)) as near:
        s3 = near.client("s3")
        s3.create_bucket(Bucket="elsewhere")
        s3.put_object(Bucket="elsewhere", Key="a folder/ü+1", Body=b"\x00far away")
        near.client("secretsmanager").create_secret(Name="near", SecretString="here")
        s3.put_object(Bucket="elsewhere", Key="code.zip", Body=zipped(replying("from afar")))
        near.client("lambda").create_function(
            FunctionName="afar",
            Code={"S3Bucket": "elsewhere", "S3Key": "code.zip"},
            Runtime="python3.13",
            Role=ROLE,
            Handler="handler.handle",
        )

        assert server.client("s3").get_object(Bucket="elsewhere", Key="a folder/ü+1")["Body"].read() == b"\x00far away"
        assert s3.get_object(Bucket="elsewhere", Key="a folder/ü+1")["Body"].read() == b"\x00far away"
        assert s3.head_object(Bucket="elsewhere", Key="code.zip")["ContentLength"] > 100
        assert b"from afar" in near.client("lambda").invoke(FunctionName="afar")["Payload"].read()
        s3.put_object(Bucket="elsewhere", Key="large", Body=bytes(12_000_000))  # more than an API's backend may answer
        assert s3.get_object(Bucket="elsewhere", Key="large")["Body"].read() == bytes(12_000_000)
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="elsewhere", Key="absent")
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            server.client("secretsmanager").get_secret_value(SecretId="near")
        with pytest.raises(ClientError, match=r"the endpoint http://127\.0\.0\.1:1 of sns gave no answer") as refused:
            near.client("sns").list_topics()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
