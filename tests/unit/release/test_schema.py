import json
from typing import Any

import jsonschema
import pytest
import yaml
from tools.make_release_schema import GUIDE, made_guide, made_schema

from headgate.release.schema import schema
from unit.release.test_file import WHOLE


def errors(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    return [str(each.message) for each in validator.iter_errors(yaml.safe_load(text))]


def test_the_published_schema_and_the_reference_are_those_of_the_types() -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    assert schema().decode() == made_schema(), "make schema"
    assert guide == made_guide(guide), "make schema"


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    assert errors(WHOLE) == []


@pytest.mark.parametrize(
    "change",
    [("weight: 10,", "weight: 10, wat: 1,"), ("bake: 5m}", "bake: soon}"), ("strategy: canary", "strategy: slow")],
)
def test_the_schema_refuses_unknown_fields_forms_and_values(change: tuple[str, str]) -> None:
    assert errors(WHOLE.replace(*change))


def test_every_field_of_the_file_has_its_words() -> None:
    document: dict[str, Any] = json.loads(schema())

    silent = [
        f"{part}.{name}"
        for part, kind in document["$defs"].items()
        for name, field in kind["properties"].items()
        if "description" not in field
    ]
    assert silent == []
