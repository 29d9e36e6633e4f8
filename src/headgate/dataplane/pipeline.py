"""The story of a request: from a call to an answer. Each stop takes what it needs; one that refuses raises Refusal."""

from typing import Final

import msgspec

from headgate.dataplane import compression, headers
from headgate.dataplane.address import Address, locate
from headgate.dataplane.exchange import Exchange
from headgate.dataplane.function_url.serving import serve_url
from headgate.dataplane.gateway_responses import gateway_response
from headgate.dataplane.observation import Meter
from headgate.dataplane.ports import Ports
from headgate.dataplane.refusal import (
    BadRequestBody,
    Forbidden,
    InvalidApiKey,
    MissingAuthenticationToken,
    Refusal,
    Throttled,
)
from headgate.dataplane.request import Forwarding, Ids, Request, forwarding, new_ids
from headgate.dataplane.snapshot import MethodSnapshot, Reply, Stages, StageSnapshot, Variant
from headgate.dataplane.tracing import SAMPLED
from headgate.dataplane.watch import Watch
from headgate.model.call import Call, HttpAnswer, Response

_NOWHERE: Final = Forwarding("", "")  # of a request that matches no method, and so goes nowhere


async def serve(call: Call, stages: Stages, ports: Ports) -> HttpAnswer:
    """Answer one call."""
    ids = new_ids()
    meter: Meter | None = None  # a request that finds no stage is nobody's
    variant: Variant | None = None
    request: Request | None = None
    refused: Refusal | None = None
    began = ports.now()
    integrating = integration_s = -1.0
    try:
        address = locate(call)
        if address is None:
            return await elsewhere(call, ids, ports)
        check_api(address, stages)
        stage = find_stage(address, stages)
        variant = stage.choose(call, ports.draw())
        meter = variant.meter
        request = route(call, address, ids, stage, variant)
        meter = request.method.meter
        tracer = variant.tracer
        if tracer is not None and (tracer.samples or SAMPLED in request.forwarded.trace_id):
            request = tracer.begin(request, ports.draw() / 100)
        authorize(request.method)
        admit(request.method, began)
        integrating = ports.now()
        reply = await request.method.integration(request, ports)
        integration_s = ports.now() - integrating
        response = respond(request, reply)
    except Refusal as refusal:
        response = gateway_response(refusal, ids)
        if meter is None:
            return response
        if integration_s < 0.0 <= integrating:  # the integration's own refusal: a timeout, say
            integration_s = ports.now() - integrating
        if isinstance(refusal, Throttled):
            meter.throttles += 1
        refused = refusal
        if request is None and variant is not None and variant.unrouted is not None and address is not None:
            request = Request(call, address, ids, stage, variant, variant.unrouted, {}, _NOWHERE)
    except Exception:
        if meter is not None:  # a defect: the client reads a 500
            meter.record(500, ports.now() - began, integration_s, call)
        raise
    latency_s = ports.now() - began
    meter.record(response.status, latency_s, integration_s, call)
    if request is not None and (request.method.witness is not None or request.trace is not None):
        before_s = integrating - began if integrating >= 0.0 else -1.0
        tell(Exchange(request, response, refused, before_s, integration_s, latency_s))
    return response


def tell(exchange: Exchange) -> None:
    """Log and trace what was answered."""
    request = exchange.request
    if request.method.witness is not None:
        request.method.witness.tell(exchange)
    if request.trace is not None and request.variant.tracer is not None:
        request.variant.tracer.finish(request.trace, exchange)


async def elsewhere(call: Call, ids: Ids, ports: Ports) -> HttpAnswer:
    """What is for no API is for a function URL, or for nobody."""
    response = await serve_url(call, ids, ports)
    if response is None:
        raise Forbidden(f"no API at {call.host}{call.path}")
    return response


def check_api(address: Address, stages: Stages) -> None:
    if not stages.knows_api(address.api_id):
        raise Forbidden(f"no API {address.api_id!r}")


def find_stage(address: Address, stages: Stages) -> StageSnapshot:
    stage = stages.find(address.api_id, address.stage_name)
    if stage is None:
        raise MissingAuthenticationToken(f"no stage {address.stage_name!r}")
    return stage


def route(call: Call, address: Address, ids: Ids, stage: StageSnapshot, variant: Variant) -> Request:
    if variant.default_endpoint_disabled:
        raise Forbidden("the default endpoint is disabled")
    found = variant.routes.match(call.method, address.path)
    if found is None:
        raise MissingAuthenticationToken(f"no method {call.method} {address.path}")
    method, path_parameters = found
    if variant.minimum_compression_size is not None:
        call = _decompressed(call)
    watch = Watch() if method.witness is not None and method.witness.needs_watch else None
    return Request(call, address, ids, stage, variant, method, path_parameters, forwarding(call), watch)


def authorize(method: MethodSnapshot) -> None:
    # There are no signatures, authorizers or API keys to check yet, so what asks for one is refused: never open.
    if method.authorization_type != "NONE":
        raise MissingAuthenticationToken(f"authorization {method.authorization_type} is not served")
    if method.api_key_required:
        raise InvalidApiKey("no API key can match")


def admit(method: MethodSnapshot, now: float) -> None:
    if method.bucket is not None and method.limit is not None and not method.bucket.take(method.limit, now):
        raise Throttled


def respond(request: Request, reply: Reply) -> Response:
    minimum_size = request.variant.minimum_compression_size
    if minimum_size is not None:
        accepted = headers.first(request.call.headers, b"accept-encoding")
        reply = compression.compress(reply, accepted, minimum_size)
    ids = request.ids
    reply.headers.append((b"x-amzn-RequestId", ids.request_id.encode()))
    reply.headers.append((b"x-amz-apigw-id", ids.extended_id.encode()))
    return Response(reply.status, reply.headers, reply.body)


def _decompressed(call: Call) -> Call:
    content_encoding = headers.first(call.headers, b"content-encoding")
    if content_encoding is None or not call.body:
        return call
    try:
        body = compression.decompress(call.body, content_encoding)
    except compression.BadEncoding as error:
        raise BadRequestBody(str(error)) from error
    if body is call.body:
        return call
    kept = [(name, value) for name, value in call.headers if name.lower() != b"content-encoding"]
    return msgspec.structs.replace(call, headers=kept, body=body)
