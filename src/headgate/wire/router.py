"""From a request to the operation it asks for: by X-Amz-Target, by Action, or by method and path, CBOR's path too."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final
from urllib.parse import unquote

from headgate.model.scope import Scope
from headgate.model.value import Value
from headgate.wire.aws_cbor import PROTOCOL as CBOR
from headgate.wire.http import HttpRequest, form_pairs, query_pairs
from headgate.wire.paths import Paths
from headgate.wire.services import Operation, Service

# The services whose signing name is not their own name. Held against the models by a test.
_SIGNED_AS: Final = {"monitoring": "cloudwatch"}
_RPC_PATH: Final = re.compile(r"/service/(?P<prefix>\w+)/operation/(?P<operation>\w+)", re.ASCII)
_FORM: Final = "application/x-www-form-urlencoded"


class Routed(Value, frozen=True):
    """Where a request goes.

    `operation` is None for a service that is not ours (`ours` is False: bridge it), and for one of ours that has no
    such operation (refuse it with `errors.unknown_operation`). `service_name` is botocore's name for our own services,
    the signing name for others, and "" for an unsigned request that nothing here knows.
    """

    service_name: str
    protocol: str  # rest-json, json, query or smithy-rpc-v2-cbor
    ours: bool
    operation: Operation | None = None
    uri_params: Mapping[str, str] = {}  # the path's labels, decoded, by their names in the model's URI


class Router:
    """Finds operations among these services. An unsigned request is tried against each, in their order."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._paths: dict[str, Paths] = {}

    def route(self, request: HttpRequest, scope: Scope) -> Routed:
        """Raises ApiError for a form that says it is gzip and is not, and nothing else whatever a client sends."""
        if target := request.headers.get("x-amz-target"):
            return self._by_target(target, scope)
        if (rpc := _RPC_PATH.fullmatch(request.path)) and request.headers.get("smithy-protocol") == "rpc-v2-cbor":
            return self._by_rpc(rpc["prefix"], rpc["operation"], scope)
        signed_for = _own_name(scope)
        if signed_for and signed_for not in self._services:
            return Routed(service_name=scope.service, protocol=_protocol(request), ours=False)
        candidates = [self._services[signed_for]] if signed_for else list(self._services.values())
        if any("query" in service.protocols for service in candidates) and (fields := _action(request)):
            return _by_action(fields, candidates, signed_for)
        return self._by_path(request, candidates, signed_for)

    def _by_target(self, target: str, scope: Scope) -> Routed:
        prefix, _, name = target.rpartition(".")
        service = self._json_services.get(prefix)
        if service is not None:
            operation = service.speaking("json").get(name)
            return Routed(service_name=service.name, protocol="json", ours=True, operation=operation)
        own = _own_name(scope)
        ours = own in self._services
        return Routed(service_name=own if ours else scope.service, protocol="json", ours=ours)

    def _by_rpc(self, prefix: str, name: str, scope: Scope) -> Routed:
        service = self._json_services.get(prefix)
        if service is None or CBOR not in service.protocols:
            return Routed(service_name=scope.service, protocol=CBOR, ours=_own_name(scope) in self._services)
        return Routed(service_name=service.name, protocol=CBOR, ours=True, operation=service.speaking(CBOR).get(name))

    @cached_property
    def _json_services(self) -> dict[str, Service]:
        """By the prefix of their targets. Reads all models, at the first request that has a target."""
        prefixed = ((service.model.metadata.target_prefix, service) for service in self._services.values())
        return {prefix: service for prefix, service in prefixed if prefix and "json" in service.protocols}

    def _by_path(self, request: HttpRequest, candidates: list[Service], signed_for: str) -> Routed:
        query = dict(query_pairs(request.query))
        for service in candidates:
            if "rest-json" not in service.protocols:
                continue
            if service.name not in self._paths:
                self._paths[service.name] = Paths(service.model.operations.values())
            if found := self._paths[service.name].find(request.method, request.path, query):
                name, labels = found
                return Routed(
                    service_name=service.name,
                    protocol="rest-json",
                    ours=True,
                    operation=service.operations[name],
                    uri_params={label: unquote(text) for label, text in labels.items()},
                )
        protocol = candidates[0].protocols[0] if signed_for else "rest-json"
        return Routed(service_name=signed_for, protocol=protocol, ours=bool(signed_for))


def _by_action(fields: Mapping[str, str], candidates: list[Service], signed_for: str) -> Routed:
    """Signed, the service is known; unsigned (AssumeRoleWithWebIdentity), the API version tells it."""
    for service in candidates:
        if "query" in service.protocols and (signed_for or fields.get("Version") == service.model.metadata.api_version):
            operation = service.speaking("query").get(fields["Action"])
            return Routed(service_name=service.name, protocol="query", ours=True, operation=operation)
    return Routed(service_name="", protocol="query", ours=False)


def _own_name(scope: Scope) -> str:
    return _SIGNED_AS.get(scope.service, scope.service)


def _action(request: HttpRequest) -> dict[str, str] | None:
    """The fields of a query-protocol request; None for any other."""
    is_form = request.headers.get("content-type", "").startswith(_FORM)
    if not is_form and "Action=" not in request.query:
        return None
    fields = dict(form_pairs(request))
    return fields if "Action" in fields else None


def _protocol(request: HttpRequest) -> str:
    return "query" if _action(request) else "rest-json"
