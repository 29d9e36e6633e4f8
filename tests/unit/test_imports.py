"""Imports point one way: model <- wire dataplane functions telemetry release <- control store server <- wiring <- app.

A part may import itself; of `wiring` that means its other modules, and never `app`.
"""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import headgate

_SOURCE: Final = Path(headgate.__file__).parent

_DECIDE: Final = {"wire", "dataplane", "functions", "telemetry", "release"}
_DO: Final = {"control", "store", "server"}
_MAY_IMPORT: Final = {
    "model": set(),
    **{part: {"model"} for part in _DECIDE},
    **{part: {"model"} | _DECIDE | _DO for part in _DO},
    "settings": {"model"},
    "wiring": {"model", "settings"} | _DECIDE | _DO,
    "app": {"model", "settings", "wiring"} | _DECIDE | _DO,
    "releasing": {"model", "client"} | _DECIDE | _DO,
    "client": {"settings"},
    "cli": {"client", "settings"},
    "console": {"client", "settings"},
    "__main__": {"cli", "client", "settings", "app", "wiring", "releasing", "release"},
    "__init__": set(),
}


def _imported(path: Path) -> set[str]:
    """The parts of Headgate that a module imports; the package's own name stands for what `headgate` itself holds."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("headgate."):
                parts.add(module.split(".")[1])
            case ast.Import(names=names):
                parts |= {each.name.split(".")[1] for each in names if each.name.startswith("headgate.")}
    return parts


def test_imports_point_one_way() -> None:
    wrong = []
    for path in _SOURCE.rglob("*.py"):
        part = path.relative_to(_SOURCE).parts[0].removesuffix(".py")
        wrong += [
            f"{path.relative_to(_SOURCE)} imports headgate.{each}"
            for each in _imported(path) - {part} - _MAY_IMPORT[part]
        ]

    assert wrong == []


def test_a_start_waits_for_no_library_that_serving_does_without() -> None:
    """They take as long to import as all of Headgate."""
    modules = "import sys, headgate.__main__, headgate.cli.main, headgate.cli.up, headgate.app; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "uvicorn" in imported
    assert {"boto3", "http.client", "moto", "pydantic", "rich", "tomllib", "yaml"}.isdisjoint(imported)
