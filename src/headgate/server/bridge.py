"""The services that are not Headgate's own, answered by moto in this process, or sent to an endpoint of the settings.

moto is imported at the first request that needs it. What it answers for lives in memory only and ends with the process.
"""

import asyncio
import importlib.util
import io
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.errors import render_error
from headgate.wire.http import HttpRequest, HttpResponse

_log = logging.getLogger("headgate.bridge")

_REST_XML: Final = frozenset({"s3", "route53", "cloudfront"})
_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Forwarder(Protocol):
    """Sends a request to another endpoint."""

    async def forward(self, endpoint: str, service: str, request: HttpRequest, scope: Scope) -> HttpResponse: ...


class MotoBridge:
    """Answers for other services. One thread runs moto, so its answers come in the order of the requests."""

    def __init__(
        self, endpoints: Mapping[str, str], forwarder: Forwarder, is_installed: Callable[[str], bool] | None = None
    ) -> None:
        """`is_installed` says whether there is a module of this name; tests give their own."""
        self._is_installed = is_installed or _is_installed
        self._endpoints = endpoints
        self._forwarder = forwarder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._application: _Wsgi | None = None

    def __repr__(self) -> str:
        return f"<MotoBridge {'running' if self._application else 'not used yet'}, {len(self._endpoints)} endpoints>"

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        """The service's answer. What the bridge itself refuses is a 4xx: clients repeat a 5xx for minutes."""
        try:
            endpoint = self._endpoints.get(service)
            if endpoint is not None:
                return await self._forwarder.forward(endpoint, service, request, scope)
            if self._application is None and not (self._is_installed("moto") and self._is_installed("flask")):
                raise ApiError(
                    "ServiceNotInstalled",
                    f"{service} is not one of Headgate's own services; install headgate[aws] to have it answered here, "
                    "or name another endpoint for it under [endpoints] in headgate.toml",
                )
            return await self._ask_moto(service, request, scope)
        except ApiError as error:
            return _refused(service, request, error)

    async def _ask_moto(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._thread, self._call, request, scope)
        except NotImplementedError as error:
            raise ApiError("UnsupportedOperationException", f"{service}: {error} by the bridge (moto)") from error
        except Exception as error:
            _log.warning("moto failed at %s %s of %s", request.method, request.path, service, exc_info=error)
            raise ApiError("BridgeFailure", f"{service}: moto failed with {error!r}") from error
        if answer.status in {404, 405} and answer.body.startswith(b"<!doctype html>"):
            # A page of its web framework, which no client can read: no such operation.
            raise ApiError(
                "UnsupportedOperationException",
                f"{service}: {request.headers.get('x-amz-target') or f'{request.method} {request.path}'} "
                "has not been implemented by the bridge (moto)",
            )
        return answer

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
        body = self._application(
            _environ(request, scope), lambda status, headers, *_: started.extend((status, headers))
        )
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        status, headers = started
        # Connection and date are the server's own: clients take two dates for a clock that is off. The length is too,
        # but for HEAD, where it tells how long the body would be.
        dropped = {"connection", "date", "server", "transfer-encoding"}
        if request.method != "HEAD":
            dropped.add("content-length")
        kept = [(name, value) for name, value in headers if name.lower() not in dropped]
        return HttpResponse(status=int(status.partition(" ")[0]), headers=kept, body=content)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _load_moto() -> _Wsgi:
    import boto3

    # moto must never find real credentials. It is not told so by the environment: the forwarder signs for AWS itself
    # with what it finds there.
    boto3.setup_default_session(aws_access_key_id="bridge", aws_secret_access_key="bridge", region_name="us-east-1")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    def create(service: Any) -> Any:
        if service is None:
            raise NotImplementedError("the service has not been implemented")
        return create_backend_app(service)

    application: _Wsgi = DomainDispatcherApplication(create)
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


def _refused(service: str, request: HttpRequest, error: ApiError) -> HttpResponse:
    """The bridge's own refusal, in the error shape of the protocol that the request speaks."""
    if service in _REST_XML:
        body = f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        return HttpResponse(status=error.status, headers=[("Content-Type", "application/xml")], body=body.encode())
    content_type = request.headers.get("content-type", "")
    protocol = "json" if "x-amz-target" in request.headers else "query" if "form" in content_type else "rest-json"
    return render_error(protocol, service, error, request_id="")


def _xml_text(body: bytes, tag: str) -> str:
    return body.partition(f"<{tag}>".encode())[2].partition(f"</{tag}>".encode())[0].decode("utf-8", "replace")
