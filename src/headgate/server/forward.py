"""Sending a request for another service to the endpoint that the settings name: another emulator, or AWS itself."""

from typing import Final
from urllib.parse import urlsplit

from headgate.dataplane.ports import BackendReplyTooLarge, BackendTimeout, BackendUnreachable, HttpClient, Origin
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, HttpResponse

TIMEOUT_S: Final = 60.0
_NOT_FORWARDED: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "expect", "keep-alive", "accept-encoding"}
)
_NOT_ANSWERED: Final = frozenset({"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"})
_SIGNATURE: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


class EndpointForwarder:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def forward(self, endpoint: str, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        """The endpoint's answer. Raises ApiError when there is none.

        A request for AWS itself is signed anew, with the credentials of the server's own environment: the client's
        signature is for this host and, as a rule, by a key that AWS does not know. Another endpoint may know the
        client's key, so it is told the host that the client signed for.
        """
        parts = urlsplit(endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        path = parts.path.rstrip("/") + request.path
        host = request.headers.get("host", parts.netloc)
        if (parts.hostname or "").endswith(".amazonaws.com"):
            url = f"{parts.scheme}://{parts.netloc}{path}" + (f"?{request.query}" if request.query else "")
            unsigned = {name: value for name, value in headers.items() if name not in _SIGNATURE}
            headers = signed_headers(service, scope.region, request.method, url, unsigned, request.body)
            host = parts.netloc
        target = f"{path}?{request.query}" if request.query else path
        lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(request.body)}", "", ""]
        origin = Origin(parts.scheme, parts.hostname or "", port)
        try:
            reply = await self._http.send(
                origin, request.method.encode(), "\r\n".join(lines).encode("latin-1"), request.body, TIMEOUT_S
            )
        except (BackendTimeout, BackendUnreachable, BackendReplyTooLarge) as error:
            raise ApiError(
                "EndpointUnreachable", f"the endpoint {endpoint} of {service} gave no answer: {error}", 400
            ) from error
        kept = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in reply.headers
            if name.lower().decode("latin-1") not in _NOT_ANSWERED
            or (request.method == "HEAD" and name.lower() == b"content-length")  # how long the body would be
        ]
        return HttpResponse(status=reply.status, headers=kept, body=reply.body)


def signed_headers(
    service: str, region: str, method: str, url: str, headers: dict[str, str], body: bytes
) -> dict[str, str]:
    """The headers with a signature of the server's own credentials. Raises ApiError where there are none."""
    # Slow to import, and needed only where AWS itself is an endpoint.
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import Session

    credentials = Session().get_credentials()
    if credentials is None:
        raise ApiError("NoCredentials", f"the server has no AWS credentials to call {service} with", 400)
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials.get_frozen_credentials(), service, region).add_auth(request)
    return dict(request.headers.items())
