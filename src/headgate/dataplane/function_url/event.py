"""The event of a function URL: payload format 2.0 (Developer Guide, "Request payload format")."""

import base64
import re
from typing import Any, Final

import orjson

from headgate.dataplane.headers import TO_EVENT
from headgate.dataplane.request import Forwarding, Ids, query_parameters, request_time
from headgate.model.call import Call
from headgate.model.function_url import FunctionUrl

_TEXT: Final = re.compile(
    rb"\s*(text/|application/(json|javascript|xml)\b|[\w.-]+/[\w.-]+\+(json|xml)\b)", re.IGNORECASE
)


def url_event(call: Call, path: str, ids: Ids, url: FunctionUrl, forwarded: Forwarding, access_key: str) -> bytes:
    """One call as JSON. What there is nothing of is left out: cookies, query parameters, body.

    `access_key` is the one that the call was signed with, "" for an open URL.
    """
    headers, cookies = _headers(call, forwarded)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": call.query,
        "headers": headers,
        "requestContext": _context(call, path, ids, url, headers, access_key),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if call.query:
        parameters: dict[str, str] = {}
        for name, value in query_parameters(call):
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
        event["queryStringParameters"] = parameters
    if call.body:
        event["body"], event["isBase64Encoded"] = _body(call)
    return orjson.dumps(event)


def _context(
    call: Call, path: str, ids: Ids, url: FunctionUrl, headers: dict[str, str], access_key: str
) -> dict[str, Any]:
    account_id = url.function.account_id
    context: dict[str, Any] = {
        "accountId": account_id if access_key else "anonymous",
        "apiId": url.url_id,
        "domainName": call.host,
        "domainPrefix": url.url_id,
        "http": {
            "method": call.method,
            "path": path,
            "protocol": call.protocol,
            "sourceIp": call.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": ids.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": request_time(call.received_at),
        "timeEpoch": int(call.received_at * 1000),
    }
    if access_key:
        context["authorizer"] = {
            "iam": {
                "accessKey": access_key,
                "accountId": account_id,
                "callerId": account_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": f"arn:aws:iam::{account_id}:root",
                "userId": account_id,
            }
        }
    return context


def _headers(call: Call, forwarded: Forwarding) -> tuple[dict[str, str], list[str]]:
    """Names in lower case, the values of one name joined by commas; and the cookies, each by itself."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, raw in call.headers:
        kept = TO_EVENT[name]
        lower = name.lower().decode("latin-1")
        if kept is None and lower not in _ALSO_SHOWN:
            continue
        value = raw.decode("utf-8", "replace")
        if lower == "cookie":
            cookies += [cookie for part in value.split(";") if (cookie := part.strip())]
            headers[lower] = f"{headers[lower]}; {value}" if lower in headers else value
        else:
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
    headers["x-amzn-trace-id"] = forwarded.trace_id
    headers["x-forwarded-for"] = forwarded.forwarded_for
    headers["x-forwarded-port"] = call.port
    headers["x-forwarded-proto"] = call.scheme
    return headers, cookies


_ALSO_SHOWN: Final = frozenset({"content-length"})


def _body(call: Call) -> tuple[str, bool]:
    """Text of a textual content type as it is; anything else, a form too, in base64."""
    content_type = next((value for name, value in call.headers if name.lower() == b"content-type"), b"")
    if _TEXT.match(content_type):
        try:
            return call.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(call.body).decode("ascii"), True
