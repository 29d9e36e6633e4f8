"""The docs hold what the code has: every setting, every operation's service, and only tests that exist."""

import re
from pathlib import Path
from typing import Final

import pytest

from headgate.settings import Settings

_ROOT: Final = Path(__file__).parents[2]
_TESTS: Final = _ROOT / "tests"


def _named_tests() -> list[str]:
    names: list[str] = []
    for page in sorted((_ROOT / "docs").glob("*.md")):
        names += re.findall(r"`((?:unit|wire|stories)/[^`]+)`", page.read_text(encoding="utf-8"))
    return sorted(set(names))


@pytest.mark.parametrize("name", _named_tests())
def test_a_test_that_the_docs_name_exists(name: str) -> None:
    path, _, function = name.partition("::")

    assert (_TESTS / path).exists()
    if function:
        assert f"def {function}(" in (_TESTS / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", Settings.__struct_fields__)
def test_a_setting_has_its_row(setting: str) -> None:
    rows = (_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert f"\n| `{setting}` |" in rows


def test_the_fidelity_page_names_tests() -> None:
    assert len(_named_tests()) > 40
