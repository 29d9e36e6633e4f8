"""How an answer of a non-proxy integration (HTTP, MOCK) becomes the method's response (aws-semantics 3.6)."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from headgate.dataplane import headers
from headgate.dataplane.mapping.parameters import ReplySource, compile_reply_source
from headgate.dataplane.mapping.templates import require_static, select_response_template
from headgate.dataplane.ports import BackendReply
from headgate.dataplane.refusal import ConfigurationError
from headgate.dataplane.request import Request
from headgate.dataplane.snapshot import Reply
from headgate.model.rest_api import IntegrationResponse, Method

_HEADER: Final = "method.response.header."


class ResponseMapping(msgspec.Struct, frozen=True):
    """One integration response, compiled. `declared` is False when the method does not declare the status or a header,
    which fails each call that selects it."""

    status: int
    pattern: re.Pattern[str] | None  # None: the default
    header_sources: tuple[tuple[bytes, ReplySource], ...]
    templates: Mapping[str, str]
    undeclared: str  # what the method response lacks, or ""


def compile_responses(where: str, method: Method) -> tuple[ResponseMapping, ...]:
    """The integration responses of a method, in the order they are tried. Raises ValueError when one cannot be read."""
    integration = method.method_integration
    responses = (integration.integration_responses if integration else None) or {}
    compiled = [_compile(where, method, response) for response in responses.values()]
    return tuple(sorted(compiled, key=lambda each: each.pattern is None))


def map_reply(mappings: tuple[ResponseMapping, ...], request: Request, reply: BackendReply, selector: str) -> Reply:
    """The method's response. `selector` is what the patterns must match whole: the status, for HTTP and MOCK."""
    chosen = next((each for each in mappings if each.pattern is None or each.pattern.fullmatch(selector)), None)
    if chosen is None:
        raise ConfigurationError(
            "No match for output mapping and no default output mapping configured. "
            f"Endpoint Response Status Code: {reply.status}"
        )
    if chosen.undeclared:
        raise ConfigurationError(chosen.undeclared)
    mapped: list[tuple[bytes, bytes]] = []
    for name, source in chosen.header_sources:
        value = source(request, reply)
        if value is not None:
            raw = value.encode("utf-8")
            if not headers.is_safe_value(raw):
                raise ConfigurationError(f"the value mapped to header {name!r} has a line break")
            mapped.append((headers.FROM_HTTP[name] or name, raw))
    template = select_response_template(chosen.templates, request.call)
    body = reply.body if template is None else template[1].encode("utf-8")
    if headers.first(mapped, b"content-type") is None:
        mapped.append((b"Content-Type", (template[0] if template else "application/json").encode("latin-1")))
    return Reply(chosen.status, mapped, body)


def _compile(where: str, method: Method, response: IntegrationResponse) -> ResponseMapping:
    declared = (method.method_responses or {}).get(response.status_code)
    undeclared = (
        "" if declared else f"Invalid integration response status {response.status_code}: not a method response"
    )
    sources = []
    for target, expression in (response.response_parameters or {}).items():
        if declared and target not in (declared.response_parameters or {}):
            undeclared = f"Invalid mapping target {target}: not declared by the method response"
        sources.append((target.removeprefix(_HEADER).encode("latin-1"), compile_reply_source(expression)))
    return ResponseMapping(
        status=int(response.status_code),
        pattern=re.compile(response.selection_pattern, re.DOTALL) if response.selection_pattern else None,
        header_sources=tuple(sources),
        templates=require_static(
            f"the integration response {response.status_code} of {where}", response.response_templates
        ),
        undeclared=undeclared,
    )
