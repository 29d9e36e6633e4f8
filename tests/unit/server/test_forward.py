"""Requests for another endpoint: as they came for an emulator, signed anew for AWS itself."""

import asyncio
import re
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headgate.dataplane.ports import BackendReply, BackendTimeout, Origin
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.server.forward import EndpointForwarder, signed_headers
from headgate.wire.http import HttpRequest, HttpResponse

_KEY, _SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
_SCOPE = Scope(account_id="000000000000", region="eu-west-1")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the/token==")


class _Wire:
    """An HTTP client that keeps the bytes it was to send."""

    def __init__(self, reply: BackendReply | Exception) -> None:
        self.origin: Origin | None = None
        self.lines: list[str] = []
        self._reply = reply

    async def send(self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float) -> BackendReply:
        self.origin = origin
        self.lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


_OK = BackendReply(200, [(b"Content-Type", b"text/plain"), (b"Date", b"now"), (b"Content-Length", b"2")], b"ok")


def _forward(wire: _Wire, endpoint: str, request: HttpRequest, service: str = "s3") -> HttpResponse:
    return asyncio.run(EndpointForwarder(wire).forward(endpoint, service, request, _SCOPE))


def _recomputed(signer: Any, service: str, method: str, url: str, headers: dict[str, str], body: bytes) -> str:
    """The signature that a verifier computes of what it got."""
    named = re.search("SignedHeaders=([^,]+)", headers["Authorization"])
    assert named is not None
    signed = {name: value for name, value in headers.items() if name.lower() in named[1].split(";")}
    request = AWSRequest(method=method, url=url, headers=signed, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    verifier = signer(Credentials(_KEY, _SECRET, "the/token=="), service, "eu-west-1")
    signature: str = verifier.signature(verifier.string_to_sign(request, verifier.canonical_request(request)), request)
    return signature


@pytest.mark.parametrize(
    ("signer", "service", "method", "url", "body"),
    [
        (SigV4Auth, "sqs", "POST", "https://sqs.eu-west-1.amazonaws.com/", b'{"QueueUrl": "a"}'),
        (SigV4Auth, "iot-data", "GET", "https://data.iot.eu-west-1.amazonaws.com/things/a%20b/shadow?x=1&a=2", b""),
        (S3SigV4Auth, "s3", "PUT", "https://s3.eu-west-1.amazonaws.com/bucket/a%20b/c%2B1?versionId=x", b"\x00body"),
        (S3SigV4Auth, "s3", "GET", "https://s3.eu-west-1.amazonaws.com/bucket?list-type=2&prefix=a%2Fb", b""),
    ],
    ids=["json", "a path with blanks", "an object", "a query"],
)
@pytest.mark.usefixtures("credentials")
def test_a_signature_is_the_one_that_a_verifier_computes(
    signer: Any, service: str, method: str, url: str, body: bytes
) -> None:
    headers = signed_headers(service, "eu-west-1", method, url, {"content-type": "text/plain"}, body)

    found = re.fullmatch(
        rf"AWS4-HMAC-SHA256 Credential={_KEY}/\d{{8}}/eu-west-1/{service}/aws4_request, "
        r"SignedHeaders=(\S+), Signature=([0-9a-f]{64})",
        headers["Authorization"],
    )
    assert found is not None
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(found[1].split(";"))
    assert headers["X-Amz-Security-Token"] == "the/token=="
    assert found[2] == _recomputed(signer, service, method, url, headers, body)


@pytest.mark.usefixtures("credentials")
def test_a_request_for_aws_loses_the_client_s_signature_and_gains_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    wire = _Wire(_OK)
    sent = {
        "host": "127.0.0.1:4566",
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20261120/eu-west-1/s3/aws4_request, Signature=0",
        "x-amz-date": "20200101T000000Z",
        "x-amz-security-token": "the client's",
        "x-amz-content-sha256": "of the client",
        "content-type": "text/plain",
    }

    _forward(
        wire, "https://s3.eu-west-1.amazonaws.com", HttpRequest(method="PUT", path="/b/k", headers=sent, body=b"x")
    )

    assert wire.origin == Origin("https", "s3.eu-west-1.amazonaws.com", 443)
    assert wire.lines[:2] == ["PUT /b/k HTTP/1.1", "Host: s3.eu-west-1.amazonaws.com"]
    text = "\n".join(wire.lines).lower()
    assert text.count("\nauthorization: ") == text.count("\nx-amz-date: ") == text.count("\nhost: ") == 1
    assert f"credential={_KEY}/".lower() in text
    assert "client" not in text
    assert "content-type: text/plain" in text


def test_without_credentials_of_its_own_the_server_calls_no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    wire = _Wire(_OK)

    with pytest.raises(ApiError, match="no AWS credentials to call s3"):
        _forward(wire, "https://s3.amazonaws.com", HttpRequest(method="GET", path="/"))

    assert wire.lines == []


def test_a_request_for_an_emulator_goes_as_it_came_with_the_host_that_its_signature_is_for() -> None:
    wire = _Wire(_OK)
    sent = {"host": "127.0.0.1:4566", "authorization": "theirs", "connection": "close", "content-length": "1"}
    request = HttpRequest(method="PUT", path="/a%20b", query="x=1", headers=sent, body=b"x")

    answer = _forward(wire, "http://minio:9000/base/", request)

    assert wire.origin == Origin("http", "minio", 9000)
    assert wire.lines == [
        "PUT /base/a%20b?x=1 HTTP/1.1",
        "Host: 127.0.0.1:4566",
        "authorization: theirs",
        "Content-Length: 1",
    ]
    assert (answer.status, answer.headers, answer.body) == (200, [("Content-Type", "text/plain")], b"ok")


def test_an_answer_to_head_keeps_the_length_of_the_body_that_it_does_not_have() -> None:
    wire = _Wire(BackendReply(200, [(b"Content-Length", b"1234")], b""))

    answer = _forward(wire, "http://minio:9000", HttpRequest(method="HEAD", path="/b/k"))

    assert answer.headers == [("Content-Length", "1234")]


def test_an_endpoint_that_gives_no_answer_is_a_4xx_that_names_it() -> None:
    with pytest.raises(ApiError, match="the endpoint http://minio:9000 of s3 gave no answer") as refused:
        _forward(_Wire(BackendTimeout()), "http://minio:9000", HttpRequest(method="GET", path="/"))

    assert refused.value.status == 400
