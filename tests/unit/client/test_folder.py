"""A folder as a function's code."""

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest

from headgate.client.folder import guess, stamps, zip_of

_PYTHON = f"python3.{sys.version_info.minor}"


def _folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "guessed"),
    [
        ({"lambda_function.py": "def lambda_handler(e, c): ..."}, (_PYTHON, "lambda_function.lambda_handler")),
        ({"app.py": "def handler(e, c): ..."}, (_PYTHON, "app.handler")),
        ({"handler.py": "def handle(e, c): ..."}, (_PYTHON, "handler.handle")),
        ({"app.py": "def other(): ...", "main.py": "def handler(e, c): ..."}, (_PYTHON, "main.handler")),
        ({"app.py": "not Python"}, (_PYTHON, "")),
        ({"index.mjs": ""}, ("nodejs22.x", "index.handler")),
        ({"package.json": '{"main": "lib/run.js"}'}, ("nodejs22.x", "lib/run.handler")),
        ({"package.json": "["}, ("nodejs22.x", "")),
        ({"bootstrap": ""}, ("", "")),  # which is not executable
        ({}, ("", "")),
    ],
)
def test_runtime_and_handler_are_what_the_files_speak_of(
    files: dict[str, str], guessed: tuple[str, str], tmp_path: Path
) -> None:
    assert guess(_folder(tmp_path, files)) == guessed


def test_the_zip_has_the_code_and_leaves_out_what_is_none(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        dict.fromkeys(
            ("a.py", "lib/b.py", "lib/__pycache__/b.pyc", ".git/HEAD", ".env", "venv/x", "node_modules/m/index.js"),
            "text",
        ),
    )
    (folder / "bootstrap").write_text("#!/bin/sh")
    (folder / "bootstrap").chmod(0o755)

    archive = zipfile.ZipFile(io.BytesIO(zip_of(folder, stamps(folder))))

    assert archive.namelist() == ["a.py", "bootstrap", "lib/b.py", "node_modules/m/index.js"]
    assert archive.read("a.py") == b"text"
    assert archive.getinfo("bootstrap").external_attr >> 16 & 0o111
    assert zip_of(folder, stamps(folder)) == zip_of(folder, stamps(folder))


def test_a_file_that_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"a.py": "", "b.py": ""})
    seen = stamps(folder)
    (folder / "a.py").unlink()

    assert zipfile.ZipFile(io.BytesIO(zip_of(folder, seen))).namelist() == ["b.py"]
    assert stamps(folder) != seen


def test_what_is_no_file_is_left_out_and_never_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"a.py": ""})
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")

    assert list(stamps(folder)) == ["a.py"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"a/one.py": "", "b/two.py": "", "elsewhere/three.py": ""})
    (folder / "self").symlink_to(".")
    (folder / "a" / "up").symlink_to("..")
    (folder / "a" / "other").symlink_to("../b")
    (folder / "b" / "other").symlink_to("../a")

    assert list(stamps(folder)) == ["a/one.py", "a/other/two.py", "b/other/one.py", "b/two.py", "elsewhere/three.py"]
