"""What differs between two definitions: all of it, under the wire's names, and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headgate.model.definition_diff import DEPLOYED_SETTINGS, Difference, differences
from headgate.model.deployment import Definition
from headgate.model.ids import DeploymentId, ResourceId, RestApiId
from headgate.model.rest_api import (
    Integration,
    IntegrationResponse,
    Method,
    MethodResponse,
    Resource,
    RestApi,
    TlsConfig,
)

_API = RestApi(
    id=RestApiId("api1234567"),
    name="orders",
    created_date=1.0,
    root_resource_id=ResourceId("root"),
    account_id="000000000000",
    region="us-east-1",
)
_GET = Method(http_method="GET", method_integration=Integration(type="HTTP_PROXY", http_method="GET", uri="http://a/"))


def a_definition(*resources: Resource, **settings: Any) -> Definition:
    return Definition(
        rest_api_id=_API.id,
        deployment_id=DeploymentId("dep1"),
        rest_api=replace(_API, **settings),
        resources=resources,
    )


def a_resource(path: str = "/orders", *methods: Method, resource_id: str = "res123") -> Resource:
    return Resource(
        id=ResourceId(resource_id), path=path, resource_methods={each.http_method: each for each in methods} or None
    )


def _told(before: Definition, after: Definition) -> list[tuple[str, str, str]]:
    """Kind, place and path, in words."""
    return [
        (each.kind, f"{each.method or ''} {each.resource or ''}".strip(), "/".join(each.path))
        for each in differences(before, after)
    ]


def _with(**changes: Any) -> Definition:
    return a_definition(a_resource("/orders", replace(_GET, **changes)))


def _with_integration(**changes: Any) -> Definition:
    assert _GET.method_integration is not None
    return _with(method_integration=replace(_GET.method_integration, **changes))


def _cached_in(namespace: str) -> Method:
    return replace(_GET, method_integration=Integration(type="MOCK", cache_namespace=namespace))


_PLAIN = a_definition(a_resource("/orders", _GET))

_CASES: list[tuple[str, Definition, Definition, list[tuple[str, str, str]]]] = [
    (
        "an integration's URI",
        _PLAIN,
        _with_integration(uri="http://b/"),
        [("changed", "GET /orders", "methodIntegration/uri")],
    ),
    (
        "an added method is told whole",
        _PLAIN,
        a_definition(a_resource("/orders", _GET, replace(_GET, http_method="POST"))),
        [("added", "POST /orders", "")],
    ),
    ("a removed method", _PLAIN, a_definition(a_resource("/orders")), [("removed", "GET /orders", "")]),
    (
        "a moved resource is one that went and one that came",
        _PLAIN,
        a_definition(a_resource("/bills", _GET)),
        [("added", "GET /bills", ""), ("removed", "GET /orders", "")],
    ),
    (
        "a resource without methods",
        _PLAIN,
        a_definition(*_PLAIN.resources, a_resource("/new")),
        [("added", "/new", "")],
    ),
    (
        "an integration that is gone is told whole",
        _PLAIN,
        _with(method_integration=None),
        [("removed", "GET /orders", "methodIntegration")],
    ),
    (
        "a response that is new is told whole",
        _PLAIN,
        _with(method_responses={"200": MethodResponse(status_code="200", response_models={"a/b": "Empty"})}),
        [("added", "GET /orders", "methodResponses/200")],
    ),
    (
        "an entry of a map is told by its name, the first one too",
        _PLAIN,
        _with(request_parameters={"method.request.header.X": True}),
        [("added", "GET /orders", "requestParameters/method.request.header.X")],
    ),
    (
        "an empty template is not the same as none",
        _PLAIN,
        _with_integration(request_templates={"application/json": ""}),
        [("added", "GET /orders", "methodIntegration/requestTemplates/application/json")],
    ),
    ("an empty map is none", _PLAIN, _with(request_parameters={}), []),
    (
        "a setting of the API",
        _PLAIN,
        a_definition(*_PLAIN.resources, binary_media_types=("image/png",)),
        [("added", "", "binaryMediaTypes")],
    ),
    (
        "the order of a list is none",
        a_definition(binary_media_types=("a/a", "b/b")),
        a_definition(binary_media_types=("b/b", "a/a")),
        [],
    ),
    ("settings that are live are none", _PLAIN, a_definition(*_PLAIN.resources, name="bills", tags={"a": "b"}), []),
    (
        "a resource made again is none, nor is its cache namespace",
        a_definition(a_resource("/", _cached_in("res1"), resource_id="res1")),
        a_definition(a_resource("/", _cached_in("res2"), resource_id="res2")),
        [],
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "expected"), [case[1:] for case in _CASES], ids=[case[0] for case in _CASES]
)
def test_differences(before: Definition, after: Definition, expected: list[tuple[str, str, str]]) -> None:
    assert _told(before, after) == expected


def test_values_are_told_as_they_are_configured() -> None:
    before = _with_integration(request_parameters={"integration.request.header.X-Key": "'old'"})
    after = _with_integration(request_parameters={"integration.request.header.X-Key": "'new'"})

    (found,) = differences(before, after)

    assert (found.before, found.after) == ("'old'", "'new'")


# A value of each field that is not its default; a field that comes later fails the test below until it has one.
_OTHER_INTEGRATION: Mapping[str, Any] = {
    "type": "MOCK",
    "http_method": "PUT",
    "uri": "http://b/",
    "connection_type": "VPC_LINK",
    "connection_id": "link",
    "credentials": "arn:aws:iam::000000000000:role/r",
    "request_parameters": {"integration.request.header.X": "'1'"},
    "request_templates": {"application/json": "{}"},
    "passthrough_behavior": "NEVER",
    "content_handling": "CONVERT_TO_TEXT",
    "timeout_in_millis": 50,
    "cache_namespace": "shared",
    "cache_key_parameters": ("method.request.path.id",),
    "tls_config": TlsConfig(insecure_skip_verification=True),
    "integration_responses": {"200": IntegrationResponse(status_code="200")},
}
_OTHER_METHOD: Mapping[str, Any] = {
    "authorization_type": "CUSTOM",
    "authorizer_id": "auth",
    "api_key_required": True,
    "request_validator_id": "validator",
    "operation_name": "getOrders",
    "request_parameters": {"method.request.header.X": True},
    "request_models": {"application/json": "Order"},
    "method_responses": {"200": MethodResponse(status_code="200")},
    "method_integration": None,
    "authorization_scopes": ("orders/read",),
}
_OTHER_SETTING: Mapping[str, Any] = {
    "policy": "{}",
    "binary_media_types": ("image/png",),
    "minimum_compression_size": 0,
    "api_key_source": "AUTHORIZER",
    "disable_execute_api_endpoint": True,
}


def _wire_name(field: str) -> str:
    first, *others = field.split("_")
    return first + "".join(each.capitalize() for each in others)


@pytest.mark.parametrize("field", Integration.__struct_fields__)
def test_every_field_of_an_integration_is_named(field: str) -> None:
    (found,) = differences(_PLAIN, _with_integration(**{field: _OTHER_INTEGRATION[field]}))

    assert found.path[:2] == ("methodIntegration", _wire_name(field))


@pytest.mark.parametrize("field", [each for each in Method.__struct_fields__ if each != "http_method"])
def test_every_field_of_a_method_is_named(field: str) -> None:
    (found,) = differences(_PLAIN, _with(**{field: _OTHER_METHOD[field]}))

    assert found.path[0] == _wire_name(field)


def test_every_setting_that_waits_for_a_deployment_is_named() -> None:
    assert {_wire_name(each) for each in _OTHER_SETTING} == set(DEPLOYED_SETTINGS)
    for field, value in _OTHER_SETTING.items():
        (found,) = differences(_PLAIN, a_definition(*_PLAIN.resources, **{field: value}))

        assert (found.resource, found.path) == (None, (_wire_name(field),))


_LIVE: Final = {
    "id",
    "name",
    "created_date",
    "root_resource_id",
    "account_id",
    "region",
    "description",
    "version",
    "endpoint_configuration",
    "security_policy",
    "tags",
}
"""Fields of an API that need no deployment (aws-semantics 2.2)."""


def test_whatever_a_definition_comes_to_hold_is_compared_or_known_to_be_live() -> None:
    assert set(Definition.__struct_fields__) == {"rest_api_id", "deployment_id", "rest_api", "resources"}
    assert set(RestApi.__struct_fields__) == {*_OTHER_SETTING, *_LIVE}


_TEXTS = st.sampled_from(["", "a", "b"])
_MAPS = st.none() | st.dictionaries(st.sampled_from(["x", "y.z"]), _TEXTS, max_size=2)
_RESPONSES = st.builds(
    IntegrationResponse, status_code=st.just("200"), response_templates=_MAPS, selection_pattern=_TEXTS
)
_INTEGRATIONS = st.none() | st.builds(
    Integration,
    type=st.sampled_from(["MOCK", "HTTP"]),
    uri=st.none() | _TEXTS,
    request_parameters=_MAPS,
    integration_responses=st.none() | st.dictionaries(st.sampled_from(["200", "404"]), _RESPONSES, max_size=2),
)


def _methods(name: str) -> st.SearchStrategy[Method]:
    return st.builds(
        Method,
        http_method=st.just(name),
        api_key_required=st.booleans(),
        request_models=_MAPS,
        method_integration=_INTEGRATIONS,
    )


@st.composite
def _definitions(draw: st.DrawFn) -> Definition:
    paths = draw(st.sets(st.sampled_from(["/", "/a", "/a/{b}"])))
    names = {path: draw(st.sets(st.sampled_from(["GET", "ANY"]))) for path in sorted(paths)}
    resources = [a_resource(path, *(draw(_methods(name)) for name in sorted(each))) for path, each in names.items()]
    types = draw(st.none() | st.lists(st.sampled_from(["a/a", "b/b"]), min_size=1, unique=True))
    return a_definition(*resources, binary_media_types=types and tuple(types))


def _leaves(definition: Definition) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every value that is set, in another way than the product's: by the fields of the classes."""
    for resource in definition.resources:
        yield ((resource.path,), "there")
        for method in resource.methods.values():
            place = (resource.path, method.http_method)
            yield (place, "there")
            yield ((*place, "apiKeyRequired"), str(method.api_key_required))
            yield from (((*place, "requestModels", name), each) for name, each in (method.request_models or {}).items())
            if (integration := method.method_integration) is None:
                continue
            there = (*place, "methodIntegration")
            yield ((*there, "type"), integration.type)
            if integration.uri is not None:
                yield ((*there, "uri"), integration.uri)
            for name, value in (integration.request_parameters or {}).items():
                yield ((*there, "requestParameters", name), value)
            for status, response in (integration.integration_responses or {}).items():
                where = (*there, "integrationResponses", status)
                yield ((*where, "selectionPattern"), response.selection_pattern or "")
                for name, value in (response.response_templates or {}).items():
                    yield ((*where, "responseTemplates", name), value)
    yield (("binaryMediaTypes",), str(sorted(definition.rest_api.binary_media_types or ())))


def _place(found: Difference) -> tuple[str, ...]:
    return tuple(each for each in (found.resource, found.method, *found.path) if each is not None)


@given(_definitions())
def test_a_definition_does_not_differ_from_itself(definition: Definition) -> None:
    assert differences(definition, definition) == []


@given(_definitions(), _definitions())
def test_every_changed_value_is_named_and_no_other(before: Definition, after: Definition) -> None:
    olds, news = dict(_leaves(before)), dict(_leaves(after))
    changed = {place for place in {*olds, *news} if olds.get(place) != news.get(place)}

    named = {_place(each) for each in differences(before, after)}

    for place in changed:
        # A resource that has methods is told by these.
        told = any(place[: len(each)] == each or (len(place) == 1 and each[0] == place[0]) for each in named)
        assert told, (place, named)
    for each in named:
        assert any(place[: len(each)] == each for place in changed), (each, changed)


@given(_definitions(), _definitions())
def test_the_other_way_round_the_same_is_told_the_other_way_round(before: Definition, after: Definition) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}

    there, back = differences(before, after), differences(after, before)

    assert [(turned[each.kind], _place(each), each.after, each.before) for each in there] == [
        (each.kind, _place(each), each.before, each.after) for each in back
    ]
