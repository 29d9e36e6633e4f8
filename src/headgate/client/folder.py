"""A folder with a function's code: what is in it, when that changed, the zip of it, and what it seems to be."""

import ast
import io
import json
import os
import stat
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

_LEFT_OUT: Final = {"__pycache__", "venv", "node_modules/.cache"}  # and whatever begins with a dot
_PYTHON_MODULES: Final = ("lambda_function", "app", "main", "index", "handler")
_NODE_MODULES: Final = ("index.mjs", "index.js", "index.cjs", "app.mjs", "app.js", "handler.mjs", "handler.js")
_HANDLERS: Final = ("lambda_handler", "handler", "handle")
_NEWEST_NODE: Final = "nodejs22.x"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same code is the same zip

Stamps = Mapping[str, tuple[int, int, int]]
"""By path within the folder: when it was changed last in ns, its size, and its mode."""


def stamps(folder: Path) -> Stamps:
    """What tells a changed folder from one that is as it was."""
    found = {}
    for path in _files(folder, PurePosixPath()):
        try:
            status = (folder / path).stat()
        except OSError:
            continue  # it was there a moment ago
        if not stat.S_ISREG(status.st_mode):
            continue  # a pipe or a socket, which to read would wait without end
        found[path] = (status.st_mtime_ns, status.st_size, status.st_mode)
    return found


def zip_of(folder: Path, paths: Mapping[str, object]) -> bytes:
    """The zip that CreateFunction takes. Files that are gone meanwhile are left out."""
    buffer = io.BytesIO()
    # Not compressed: it goes to this machine, and is to be there soon.
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(paths):
            try:
                body = (folder / path).read_bytes()
                mode = (folder / path).stat().st_mode
            except OSError:
                continue
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = (mode & 0o777 | 0o100000) << 16
            archive.writestr(entry, body)
    return buffer.getvalue()


def guess(folder: Path) -> tuple[str, str]:
    """The runtime and the handler that the folder's files speak of, "" for what they do not say."""
    bootstrap = folder / "bootstrap"
    if bootstrap.is_file() and os.access(bootstrap, os.X_OK):
        return "provided.al2023", "bootstrap"
    for name in _NODE_MODULES:
        if (folder / name).is_file():
            return _NEWEST_NODE, f"{Path(name).stem}.handler"
    own = f"python3.{sys.version_info.minor}"
    for module in _PYTHON_MODULES:
        if handler := _python_handler(folder / f"{module}.py"):
            return own, f"{module}.{handler}"
    if (folder / "package.json").is_file():
        return _NEWEST_NODE, _node_main(folder / "package.json")
    return (own, "") if any(folder.glob("*.py")) else ("", "")


def _files(folder: Path, within: PurePosixPath, above: frozenset[int] = frozenset()) -> Iterator[str]:
    """The files below `within`, links followed, but not into a folder that is one of those `above`, by their inodes."""
    try:
        here = above | {(folder / within).stat().st_ino}
        entries = sorted(os.scandir(folder / within), key=lambda entry: entry.name)
    except OSError:
        return  # it may not be read, or was there a moment ago
    for entry in entries:
        path = within / entry.name
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if not entry.name.endswith(".pyc"):
                yield path.as_posix()
            continue
        left_out = entry.name == "__pycache__" or path.as_posix() in _LEFT_OUT
        if not left_out and not (entry.is_symlink() and _inode(entry) in here):
            yield from _files(folder, path, here)


def _inode(entry: "os.DirEntry[str]") -> int:
    """Of what a link leads to; 0 for nothing."""
    try:
        return entry.stat().st_ino
    except OSError:
        return 0


def _python_handler(path: Path) -> str:
    """The name of the function in a module that looks like a handler; "" for none."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return next((name for name in _HANDLERS if name in names), "")


def _node_main(package: Path) -> str:
    try:
        main = json.loads(package.read_bytes()).get("main", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return f"{Path(main).with_suffix('').as_posix()}.handler" if isinstance(main, str) and main else ""
