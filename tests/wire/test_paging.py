"""Pages: limit, position, and lists that change between two pages."""

from collections.abc import Callable
from typing import Any

import pytest

from support.apis import Api, bad_request, control, refusal
from support.server import RunningServer


def crowded_api(server: RunningServer) -> Api:
    """An API with a root and 30 resources below it: /r00 to /r29."""
    api = Api(server)
    for number in range(30):
        api.client.create_resource(restApiId=api.id, parentId=api.root, pathPart=f"r{number:02}")
    return api


@pytest.fixture(scope="module")
def crowded(server: RunningServer) -> Api:
    """For the tests that only read."""
    return crowded_api(server)


def pages(call: Callable[..., Any], **arguments: Any) -> list[list[Any]]:
    """All pages of a list, each with its items."""
    found, position = [], None
    while True:
        answer = call(**arguments, **({"position": position} if position else {}))
        found.append(answer["items"])
        if (position := answer.get("position")) is None:
            return found


def test_a_page_holds_25_unless_told_otherwise(crowded: Api) -> None:
    sizes = [len(page) for page in pages(crowded.client.get_resources, restApiId=crowded.id)]

    assert sizes == [25, 6]


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1] * 31), (30, [30, 1]), (31, [31]), (32, [31]), (500, [31]), (501, [31]), (0, [25, 6])]
)
def test_the_limit_sets_the_size_of_a_page(crowded: Api, limit: int, sizes: list[int]) -> None:
    found = pages(crowded.client.get_resources, restApiId=crowded.id, limit=limit)

    assert [len(page) for page in found] == sizes
    paths = [each["path"] for page in found for each in page]
    assert paths == ["/", *(f"/r{number:02}" for number in range(30))]


def test_the_last_page_has_no_position(crowded: Api) -> None:
    assert "position" not in crowded.client.get_resources(restApiId=crowded.id, limit=31)


def test_items_are_under_the_key_item_on_the_wire(crowded: Api) -> None:
    raw = control(crowded.server, "GET", f"/restapis/{crowded.id}/resources?limit=2").json

    assert sorted(raw) == ["item", "position"]
    assert len(raw["item"]) == 2


def test_an_item_that_goes_between_two_pages_moves_no_other(server: RunningServer) -> None:
    crowded = crowded_api(server)
    first = crowded.client.get_resources(restApiId=crowded.id, limit=10)
    last = first["items"][-1]
    for resource in (first["items"][3], last):
        crowded.client.delete_resource(restApiId=crowded.id, resourceId=resource["id"])

    second = crowded.client.get_resources(restApiId=crowded.id, limit=10, position=first["position"])

    assert last["path"] == "/r08"
    assert [each["path"] for each in second["items"]] == [f"/r{number:02}" for number in range(9, 19)]


def test_an_item_that_comes_between_two_pages_repeats_no_other(server: RunningServer) -> None:
    crowded = crowded_api(server)
    first = crowded.client.get_resources(restApiId=crowded.id, limit=10)
    for part in ("a", "r085"):  # one before the place of the first page's end, one after it
        crowded.client.create_resource(restApiId=crowded.id, parentId=crowded.root, pathPart=part)

    second = crowded.client.get_resources(restApiId=crowded.id, limit=3, position=first["position"])

    assert [each["path"] for each in second["items"]] == ["/r085", "/r09", "/r10"]


def test_deployments_are_paged_newest_first(staged: Api) -> None:
    made = [staged.deploy() for _ in range(5)]

    found = pages(staged.client.get_deployments, restApiId=staged.id, limit=2)

    ids = [each["id"] for page in found for each in page]
    assert ids[:5] == made[::-1]
    assert [len(page) for page in found] == [2, 2, 2]


def test_the_sdk_s_paginator_finds_everything(crowded: Api) -> None:
    paginator = crowded.client.get_paginator("get_resources")

    found = paginator.paginate(restApiId=crowded.id, PaginationConfig={"PageSize": 7}).build_full_result()

    assert len(found["items"]) == 31


def test_apis_are_paged_too(server: RunningServer) -> None:
    client = server.client("apigateway", access_key="200000000001")
    made = {client.create_rest_api(name=str(number))["id"] for number in range(26)}

    found = pages(client.get_rest_apis)

    assert [len(page) for page in found] == [25, 1]
    assert {each["id"] for page in found for each in page} == made


@pytest.mark.parametrize("position", ["wrong", "!", "MQ", "eyJhIjoxfQ", "ä", "W10", "W1tdXQ", "bnVsbA"])
def test_a_position_that_none_was_given_is_refused(crowded: Api, position: str) -> None:
    refused = refusal(crowded.client.get_resources, restApiId=crowded.id, position=position)

    assert refused == bad_request("Invalid position parameter specified")
