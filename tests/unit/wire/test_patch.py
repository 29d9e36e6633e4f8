"""Patch tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from headgate.model.errors import ApiError
from headgate.wire.patch import Patch, PatchTable, apply, escape, unescape


@dataclass(frozen=True)
class Thing:
    name: str = ""
    parent: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def set_one(thing: Thing, patch: Patch) -> Thing:
    key = "|".join(patch.names.values())
    return replace(thing, settings={**thing.settings, key: patch.value or ""})


TABLE: PatchTable[Thing] = PatchTable(
    {
        ("replace", "/parentId"): lambda thing, patch: replace(thing, parent=patch.value or ""),
        ("replace", "/pathPart"): lambda thing, patch: replace(thing, name=patch.value or ""),
        ("replace", "/settings/{name}"): set_one,
        ("replace", "/settings/*"): lambda thing, patch: replace(thing, settings={"all": patch.value or ""}),
        ("replace", "/stages/{api}:{stage}/throttle/{path+}/rateLimit"): set_one,
        ("copy", "/name"): lambda thing, patch: replace(thing, name=f"from {patch.source}"),
    }
)


def op(op: str, path: str | None, value: str | None = None, source: str | None = None) -> dict[str, str]:
    parts = {"op": op, "path": path, "value": value, "from": source}
    return {name: part for name, part in parts.items() if part is not None}


def test_operations_apply_in_their_order() -> None:
    thing = apply(TABLE, Thing(), [op("replace", "/pathPart", "a"), op("replace", "/pathPart", "b")])

    assert thing == Thing(name="b")


def test_no_operations_change_nothing() -> None:
    assert apply(TABLE, Thing("a"), None) == Thing("a")


def test_an_operation_that_fails_leaves_the_caller_s_value_as_it_was() -> None:
    before = Thing(name="a")

    with pytest.raises(ApiError):
        apply(TABLE, before, [op("replace", "/pathPart", "b"), op("replace", "/nothing", "c")])

    assert before == Thing(name="a")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param("/settings/a~1b~0c", "a/b~c", id="a token, unescaped"),
        pytest.param("/settings/~01", "~1", id="a tilde before a one"),
        pytest.param("/stages/api:prod/throttle/~1pets/rateLimit", "api|prod|/pets", id="two names in one token"),
        pytest.param("/stages/api:prod/throttle//pets/GET/rateLimit", "api|prod|/pets/GET", id="a name that spans"),
    ],
)
def test_a_path_s_names_are_handed_on(path: str, key: str) -> None:
    assert apply(TABLE, Thing(), [op("replace", path, "v")]).settings == {key: "v"}


def test_a_literal_beats_a_name() -> None:
    assert apply(TABLE, Thing(), [op("replace", "/settings/*", "v")]).settings == {"all": "v"}


def test_a_copy_knows_where_from() -> None:
    assert apply(TABLE, Thing(), [op("copy", "/name", source="/parentId")]).name == "from /parentId"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param(
            op("copy", "/invalid"),
            "Invalid patch path  '/invalid' specified for op 'copy'. Must be one of: [/name]",
            id="another path of a known op",
        ),
        pytest.param(
            op("add", "/name", "x"),
            "Invalid patch path  '/name' specified for op 'add'. Please choose supported operations",
            id="an op that has no path",
        ),
        pytest.param(op("replace", None, "x"), "Invalid patch path null", id="no path"),
    ],
)
def test_what_the_table_does_not_have_is_refused_as_recorded(operation: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError) as refused:
        apply(TABLE, Thing(), [operation])

    assert (refused.value.code, refused.value.status, refused.value.message) == ("BadRequestException", 400, message)


@pytest.mark.parametrize("path", ["", "/", "parentId", "/parentId/", "/settings/", "/settings/a/b", "/parentIdx"])
def test_a_path_has_to_match_whole(path: str) -> None:
    with pytest.raises(ApiError, match=r"Must be one of: \[/parentId, /pathPart, "):
        apply(TABLE, Thing(), [op("replace", path, "x")])


def test_a_table_may_word_its_own_refusals() -> None:
    table: PatchTable[Thing] = PatchTable(
        {("replace", "/x"): set_one},
        unknown=lambda patch, table: ApiError("BadRequestException", f"{patch.path} not in {table.paths('replace')}"),
    )

    with pytest.raises(ApiError, match=r"/y not in \['/x'\]"):
        apply(table, Thing(), [op("replace", "/y")])


@pytest.mark.parametrize("name", ["a/b", "~", "~1", "a~0/"])
def test_escaping_is_undone_by_unescaping(name: str) -> None:
    assert "/" not in escape(name)
    assert unescape(escape(name)) == name
