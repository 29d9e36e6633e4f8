"""The services that are not Headgate's own, answered by moto in this process, or sent to an endpoint of the settings.

moto is imported at the first request that needs it. What it answers for lives in memory only and ends with the process.
"""

import asyncio
import importlib.util
import io
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.errors import render_error
from headgate.wire.http import HttpRequest, HttpResponse

_REST_XML: Final = frozenset({"s3", "route53", "cloudfront"})
_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Forwarder(Protocol):
    """Sends a request to another endpoint."""

    async def forward(self, endpoint: str, service: str, request: HttpRequest, scope: Scope) -> HttpResponse: ...


class MotoBridge:
    """Answers for other services. One thread runs moto, so its answers come in the order of the requests."""

    def __init__(self, endpoints: Mapping[str, str], forwarder: Forwarder) -> None:
        self._endpoints = endpoints
        self._forwarder = forwarder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._application: _Wsgi | None = None

    def __repr__(self) -> str:
        return f"<MotoBridge {'running' if self._application else 'not used yet'}, {len(self._endpoints)} endpoints>"

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        endpoint = self._endpoints.get(service)
        if endpoint is not None:
            return await self._forwarder.forward(endpoint, service, request, scope)
        if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
            return _not_installed(service, request)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._call, request, scope)

    async def fetch_object(self, bucket: str, key: str, version_id: str | None, scope: Scope) -> bytes:
        """An object of S3, from wherever S3 is. Raises ApiError in Lambda's words."""
        query = f"versionId={quote(version_id)}" if version_id else ""
        credential = f"{scope.account_id}/20000101/{scope.region}/s3/aws4_request"
        request = HttpRequest(
            method="GET",
            path=f"/{quote(bucket)}/{quote(key)}",
            query=query,
            headers={"host": "s3.amazonaws.com", "authorization": f"AWS4-HMAC-SHA256 Credential={credential}"},
        )
        answer = await self.answer("s3", request, scope)
        if answer.status != 200:
            raise ApiError(
                "InvalidParameterValueException",
                "Error occurred while GetObject. S3 Error Code: "
                f"{_xml_text(answer.body, 'Code')}. S3 Error Message: {_xml_text(answer.body, 'Message')}",
            )
        return answer.body

    async def reset(self) -> None:
        """Empty moto, where it runs."""
        if self._application is not None:
            request = HttpRequest(method="POST", path="/moto-api/reset", headers={"host": "127.0.0.1"})
            scope = Scope(account_id="", region="us-east-1")
            await asyncio.get_running_loop().run_in_executor(self._thread, self._call, request, scope)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _call(self, request: HttpRequest, scope: Scope) -> HttpResponse:
        """Runs on moto's thread."""
        if self._application is None:
            self._application = _load_moto()
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            started[:] = [status, headers]

        body = self._application(
            _environ(request, scope), lambda status, headers, *_: started.extend((status, headers))
        )
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        status, headers = started
        # Length, connection and date are the server's own: clients take two dates for a clock that is off.
        kept = [
            (name, value)
            for name, value in headers
            if name.lower() not in {"content-length", "connection", "date", "server", "transfer-encoding"}
        ]
        return HttpResponse(status=int(status.partition(" ")[0]), headers=kept, body=content)


def _load_moto() -> _Wsgi:
    # moto must never look for real credentials, or start a real container for what it would run.
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "bridge")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "bridge")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: _Wsgi = DomainDispatcherApplication(create_backend_app)
    return application


def _environ(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    host = request.headers.get("host", "127.0.0.1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path, encoding="latin-1"),
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PORT": host.partition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if scope.account_id:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = scope.account_id
    return environ


def _not_installed(service: str, request: HttpRequest) -> HttpResponse:
    error = ApiError(
        "ServiceNotInstalled",
        f"{service} is not one of Headgate's own services; install headgate[aws] to have it answered here, "
        "or name another endpoint for it under [endpoints] in headgate.toml",
    )
    if service in _REST_XML:
        body = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
        return HttpResponse(status=400, headers=[("Content-Type", "application/xml")], body=body.encode())
    content_type = request.headers.get("content-type", "")
    protocol = "json" if "x-amz-target" in request.headers else "query" if "form" in content_type else "rest-json"
    return render_error(protocol, service, error, request_id="")


def _xml_text(body: bytes, tag: str) -> str:
    return body.partition(f"<{tag}>".encode())[2].partition(f"</{tag}>".encode())[0].decode("utf-8", "replace")
