"""Resources: the tree of an API."""

from typing import Any

import pytest

from support.apis import Api, Refused, bad_request, conflict, fields, not_found, patches, refusal, status

GRAMMAR = (
    "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
    "beginning and the end."
)
NO_RESOURCE = not_found("Invalid Resource identifier specified")


def create(api: Api, part: str, parent: str | None = None) -> Any:
    return api.client.create_resource(restApiId=api.id, parentId=parent or api.root, pathPart=part)


def refused_create(api: Api, part: str, parent: str | None = None) -> Refused:
    return refusal(api.client.create_resource, restApiId=api.id, parentId=parent or api.root, pathPart=part)


def update(api: Api, resource_id: str, *operations: tuple[str, ...]) -> Any:
    return api.client.update_resource(restApiId=api.id, resourceId=resource_id, patchOperations=patches(*operations))


def refused_update(api: Api, resource_id: str, *operations: tuple[str, ...]) -> Refused:
    return refusal(
        api.client.update_resource, restApiId=api.id, resourceId=resource_id, patchOperations=patches(*operations)
    )


def paths(api: Api) -> list[str]:
    return [each["path"] for each in api.client.get_resources(restApiId=api.id, limit=500)["items"]]


def test_a_new_api_has_a_root_and_nothing_else(api: Api) -> None:
    assert fields(api.client.get_resources(restApiId=api.id)) == {"items": [{"id": api.root, "path": "/"}]}


def test_a_new_resource_names_its_parent_its_part_and_its_path(api: Api) -> None:
    pets = create(api, "pets")
    pet = create(api, "{id}", pets["id"])

    assert status(pets) == 201
    assert fields(pets) == {"id": pets["id"], "parentId": api.root, "pathPart": "pets", "path": "/pets"}
    assert fields(pet) == {"id": pet["id"], "parentId": pets["id"], "pathPart": "{id}", "path": "/pets/{id}"}
    assert fields(api.client.get_resource(restApiId=api.id, resourceId=pet["id"])) == fields(pet)


def test_a_list_is_in_the_order_of_the_paths(api: Api) -> None:
    create(api, "{proxy+}")
    parent = create(api, "parent")["id"]
    create(api, "{proxy+}", create(api, "child", parent)["id"])
    create(api, "{child}", parent)

    assert paths(api) == ["/", "/parent", "/parent/child", "/parent/child/{proxy+}", "/parent/{child}", "/{proxy+}"]


@pytest.mark.parametrize("part", ["pets", "a.b", "a-b", "a_b", "a:b", "v1.0", "{id}", "{proxy+}", "PETS", "0"])
def test_a_path_part_may_be(api: Api, part: str) -> None:
    assert create(api, part)["path"] == f"/{part}"


@pytest.mark.parametrize(
    "part", ["a/b", "a b", "a{id}", "{id}a", "{}", "{+}", "{a+b}", "{id", "id}", "a+", "a%20", "ä", "a*", ""]
)
def test_a_path_part_may_not_be(api: Api, part: str) -> None:
    assert refused_create(api, part) == bad_request(GRAMMAR)


@pytest.mark.parametrize(
    ("there", "new", "expected"),
    [
        ("pets", "pets", conflict("Another resource with the same parent already has this name: pets")),
        ("{id}", "{id}", conflict("Another resource with the same parent already has this name: {id}")),
        (
            "{proxy+}",
            "{id}",
            bad_request(
                "A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed"
            ),
        ),
        (
            "{id}",
            "{proxy+}",
            bad_request("A sibling ({id}) of this resource already has a variable path part -- only one is allowed"),
        ),
    ],
)
def test_siblings_that_exclude_each_other(api: Api, there: str, new: str, expected: Refused) -> None:
    create(api, there)

    assert refused_create(api, new) == expected


def test_names_of_siblings_differ_by_case(api: Api) -> None:
    create(api, "pets")

    assert create(api, "Pets")["path"] == "/Pets"


@pytest.mark.parametrize("part", ["child", "{child}"])
def test_nothing_hangs_under_a_greedy_resource(api: Api, part: str) -> None:
    parent = create(api, "parent")["id"]
    greedy = create(api, "{proxy+}", parent)["id"]

    refused = refused_create(api, part, greedy)

    assert refused == bad_request("Cannot create a child of a resource with a greedy path variable: {proxy+}")


def test_the_parent_must_be_there(api: Api) -> None:
    assert refused_create(api, "pets", "wrong1") == NO_RESOURCE


def test_methods_are_empty_objects_unless_they_are_embedded(api: Api) -> None:
    api.mock(api.root, body="one")
    one = {"restApiId": api.id, "resourceId": api.root}

    plain = api.client.get_resource(**one)["resourceMethods"]
    embedded = api.client.get_resource(**one, embed=["methods"])["resourceMethods"]
    [listed] = api.client.get_resources(restApiId=api.id)["items"]
    [listed_embedded] = api.client.get_resources(restApiId=api.id, embed=["methods"])["items"]

    assert plain == listed["resourceMethods"] == {"GET": {}}
    assert embedded == listed_embedded["resourceMethods"]
    assert embedded["GET"]["methodIntegration"]["integrationResponses"]["200"]["statusCode"] == "200"


def test_a_resource_whose_last_method_went_shows_none(api: Api) -> None:
    where = api.method(api.root)

    api.client.delete_method(**where)

    assert fields(api.client.get_resource(restApiId=api.id, resourceId=api.root)) == {"id": api.root, "path": "/"}


def test_a_renamed_resource_renames_the_paths_below_it(api: Api) -> None:
    pets = api.resource("pets")
    api.resource("pets", "{id}", "toys")

    answer = update(api, pets, ("replace", "/pathPart", "dogs"))

    assert status(answer) == 200
    assert fields(answer) == {"id": pets, "parentId": api.root, "pathPart": "dogs", "path": "/dogs"}
    assert paths(api) == ["/", "/dogs", "/dogs/{id}", "/dogs/{id}/toys"]


def test_a_moved_resource_takes_its_children_along(api: Api) -> None:
    api.resource("pets", "subpets", "pets")
    subpets = api.resource("pets", "subpets")

    answer = update(api, subpets, ("replace", "/parentId", api.root))

    assert fields(answer) == {"id": subpets, "parentId": api.root, "pathPart": "subpets", "path": "/subpets"}
    assert paths(api) == ["/", "/pets", "/subpets", "/subpets/pets"]


def test_move_and_rename_are_one_change(api: Api) -> None:
    api.resource("a", "b")
    create(api, "b")

    # Either alone would be refused: /b is taken.
    answer = update(api, api.resource("a", "b"), ("replace", "/parentId", api.root), ("replace", "/pathPart", "c"))

    assert answer["path"] == "/c"


def test_a_resource_cannot_move_below_itself(api: Api) -> None:
    pets, child = api.resource("pets"), api.resource("pets", "a", "b")
    cyclical = bad_request("Resources cannot be cyclical.")

    assert refused_update(api, pets, ("replace", "/parentId", child)) == cyclical
    assert refused_update(api, pets, ("replace", "/parentId", pets)) == cyclical


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            ("replace", "/pathPart", "taken"),
            conflict("Another resource with the same parent already has this name: taken"),
        ),
        (("replace", "/pathPart", "a b"), bad_request(GRAMMAR)),
        (("replace", "/parentId", "wrong1"), NO_RESOURCE),
        (
            ("replace", "/invalid", "x"),
            bad_request(
                "Invalid patch path  '/invalid' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"
            ),
        ),
        (
            ("remove", "/pathPart"),
            bad_request(
                "Invalid patch path  '/pathPart' specified for op 'remove'. Please choose supported operations"
            ),
        ),
        (
            ("add", "/pathPart", "x"),
            bad_request("Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations"),
        ),
    ],
    ids=lambda value: " ".join(value) if type(value) is tuple else "",
)
def test_update_refuses(api: Api, operation: tuple[str, ...], expected: Refused) -> None:
    create(api, "taken")
    pets = create(api, "pets")["id"]

    assert refused_update(api, pets, operation) == expected


@pytest.mark.parametrize(("field", "value"), [("pathPart", "x"), ("parentId", "wrong1")], ids=["pathPart", "parentId"])
def test_the_root_cannot_be_moved_or_renamed(api: Api, field: str, value: str) -> None:
    refused = refused_update(api, api.root, ("replace", f"/{field}", value))

    assert refused == bad_request(f"Root resource cannot update its {field}.")


def test_delete_takes_everything_below_along(api: Api) -> None:
    api.resource("pets", "{id}", "toys")
    api.resource("other")
    pets, pet = api.resource("pets"), api.resource("pets", "{id}")

    answer = api.client.delete_resource(restApiId=api.id, resourceId=pets)

    assert status(answer) == 202
    assert paths(api) == ["/", "/other"]
    assert refusal(api.client.delete_resource, restApiId=api.id, resourceId=pet) == NO_RESOURCE


def test_the_root_cannot_be_deleted(api: Api) -> None:
    assert refusal(api.client.delete_resource, restApiId=api.id, resourceId=api.root).code == "BadRequestException"
    assert paths(api) == ["/"]
