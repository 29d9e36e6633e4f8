"""The generated files are those of the lock file's botocore, and say what the wire assumes of them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import botocore
import pytest

from headgate.wire.schema import load_model
from headgate.wire.services import service
from headgate.wire.validation import compiled_pattern

from .samples import SERVICES

ROOT = Path(__file__).resolve().parents[3]


def make_models() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_models", ROOT / "tools" / "make_models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_up_to_date() -> None:
    stale = [path.name for path, text in make_models().outputs() if path.read_text(encoding="utf-8") != text]

    assert stale == [], "run: make models"


@pytest.mark.parametrize("name", SERVICES)
def test_a_model_is_of_the_locked_botocore(name: str) -> None:
    locked = re.search(r"^botocore==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert locked is not None
    assert load_model(name).botocore == locked[1] == botocore.__version__


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_is_spoken_in_each_of_the_service_s_protocols(name: str) -> None:
    spoken = service(name)

    assert spoken.protocols == spoken.model.metadata.protocols
    assert list(spoken.operations) == list(spoken.model.operations)


def test_the_typed_shapes_name_the_required_members_and_the_keywords() -> None:
    stub = (ROOT / "src/headgate/wire/shapes/apigateway.pyi").read_text()

    assert "class CreateStageRequest(TypedDict, total=False):\n    restApiId: Required[str]\n" in stub
    assert '"from": str' in stub


def test_of_all_patterns_only_one_has_no_words_in_python() -> None:
    unchecked = {
        (name, shape)
        for name in SERVICES
        for shape, traits in load_model(name).shapes.items()
        if traits.pattern is not None and compiled_pattern(traits.pattern) is None
    }

    assert unchecked == {("cloudwatch", "DefinitionPath")}
