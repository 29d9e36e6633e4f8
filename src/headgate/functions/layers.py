"""A function's layers on disk: merged in their order into one folder, and where each runtime looks into it.

There is no `/opt` of its own without a mount namespace, so a function finds the folder by its real path: in
HEADGATE_OPT, and on the search paths that Lambda's own runtimes have (Developer Guide, "Adding layers to functions").
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from headgate.functions.bundle import appearing_whole, check_links
from headgate.model.invocation import FunctionSpec


def merged_name(digests: Sequence[str]) -> str:
    """The folder's name for layers with these digests, in this order; one alone is its own."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def merge(folders: Sequence[Path], target: Path) -> Path:
    """Make `target` of what the folders hold; where two hold the same path, the later one's counts.

    It appears whole or not at all. Files are shared with the folders by hard links, or copied where that cannot be.
    Raises BundleError.
    """
    if target.is_dir():
        return target
    with appearing_whole(target) as partial:
        for folder in folders:
            _lay_over(folder, partial)
        check_links(partial)  # one layer's may lead out through another's
    return target


def python_paths(spec: FunctionSpec) -> list[str]:
    """What a Python function's layers add to `sys.path`, after its code (Lambda's own order)."""
    if spec.layers_dir is None:
        return []
    python = spec.layers_dir / "python"
    return [str(python / "lib" / spec.runtime / "site-packages"), str(python)]


def layer_variables(spec: FunctionSpec, variables: dict[str, str]) -> dict[str, str]:
    """The variables with the layers' folder at the end of the search paths, as Lambda has `/opt` there."""
    if spec.layers_dir is None:
        return variables
    opt = str(spec.layers_dir)
    added = {
        "HEADGATE_OPT": opt,
        "PATH": f"{variables['PATH']}:{opt}/bin",
        "LD_LIBRARY_PATH": f"{variables['LD_LIBRARY_PATH']}:{opt}/lib",
    }
    if spec.runtime.startswith("nodejs"):
        major = spec.runtime.removeprefix("nodejs").removesuffix(".x")
        modules = f"{opt}/nodejs/node{major}/node_modules:{opt}/nodejs/node_modules"
        before = variables.get("NODE_PATH")
        added["NODE_PATH"] = f"{modules}:{before}" if before else modules
    elif spec.runtime.startswith("python"):
        added["PYTHONPATH"] = ":".join([variables["PYTHONPATH"], *python_paths(spec)])
    return {**variables, **added}


def _lay_over(folder: Path, target: Path) -> None:
    for path, folders, files in os.walk(folder):
        beneath = target / Path(path).relative_to(folder)
        links = [name for name in folders if Path(path, name).is_symlink()]
        for name in folders:
            made = beneath / name
            if name in links:
                continue
            if made.is_symlink() or made.is_file():
                made.unlink()  # a link above all: nothing is written through one
            made.mkdir(exist_ok=True)
        for name in (*files, *links):
            source, made = Path(path, name), beneath / name
            if made.is_dir() and not made.is_symlink():
                shutil.rmtree(made)
            made.unlink(missing_ok=True)
            if source.is_symlink():
                made.symlink_to(source.readlink())
                continue
            try:
                os.link(source, made)
            except OSError:
                shutil.copy2(source, made)
