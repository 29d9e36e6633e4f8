"""A function's code: from the zip file that was uploaded to a folder that functions may read."""

import errno
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

MAX_UNZIPPED_BYTES: Final = 262_144_000  # aws-semantics 9.1: 250 MB
_MAX_FILES: Final = 100_000
_MAX_LINK_BYTES: Final = 4096
_CHUNK_BYTES: Final = 1024 * 1024

# What a file system says to a name that is too long, or to a file where the archive has a folder too.
_CONTRADICTIONS: Final = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}

EMPTY = "Uploaded file must be a non-empty zip"
_NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_TOO_LARGE = f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"


class BundleError(ValueError):
    """The upload cannot be a function's code. The message is Lambda's."""


def unpack(zip_bytes: bytes, root: Path) -> Path:
    """The folder with the bundle's files, `root/{sha256}`: made now, or there already.

    It appears whole or not at all, also when two unpack the same bundle at once. Files are read only and belong to
    this process's user; those that were executable still are. Raises BundleError.
    """
    target = root / hashlib.sha256(zip_bytes).hexdigest()
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with appearing_whole(target) as partial:
        _extract(zip_bytes, partial)
    return target


@contextmanager
def appearing_whole(target: Path) -> Iterator[Path]:
    """A folder to fill: at the end of the block it becomes `target`, its folders read only; where that raises, nothing.

    Where another has made `target` meanwhile, this one is discarded.
    """
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        yield partial
        for path, _, _ in os.walk(partial, topdown=False):
            Path(path).chmod(0o555)
        try:
            partial.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        discard(partial)  # unless it has its name now


def check_links(folder: Path) -> None:
    """Refuse a bundle's folder with a link that leads out of it. Raises BundleError."""
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            link = Path(path, name)
            if link.is_symlink() and not _is_within(link, folder):
                raise BundleError(_leads_out(link.relative_to(folder).as_posix(), str(link.readlink())))


def size_of(folder: Path) -> int:
    """The bytes of all files in a bundle's folder."""
    return sum(Path(path, name).lstat().st_size for path, _, names in os.walk(folder) for name in names)


def discard(folder: Path) -> None:
    """Remove a bundle's folder, whose read-only folders would stop a plain removal. No effect when it is not there."""
    if folder.is_dir():
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o755)
        shutil.rmtree(folder)


def _extract(zip_bytes: bytes, folder: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(zip_bytes)) as archive:
            entries = archive.infolist()
            if not entries:
                raise BundleError(EMPTY)
            # What the directory says of sizes may be a lie, so the bytes are counted too.
            if sum(entry.file_size for entry in entries) >= MAX_UNZIPPED_BYTES or len(entries) > _MAX_FILES:
                raise BundleError(_TOO_LARGE)
            left_bytes = MAX_UNZIPPED_BYTES
            # Links after all files, so that no file is written through one.
            for entry in sorted(entries, key=_is_link):
                left_bytes -= _extract_entry(archive, entry, folder, left_bytes)
            check_links(folder)
    except BundleError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(_NOT_A_ZIP) from error  # RuntimeError: it is encrypted
    except OSError as error:
        if error.errno not in _CONTRADICTIONS:
            raise
        raise BundleError(_NOT_A_ZIP) from error
    except Exception as error:  # zlib.error, lzma.LZMAError: no common base, and two of them may not be importable
        if type(error).__module__ not in {"zlib", "_lzma", "lzma", "struct"}:
            raise
        raise BundleError(_NOT_A_ZIP) from error


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path is in the folder, all links in it followed as far as they go by now."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _leads_out(name: str, leads_to: str) -> str:
    return f"Uploaded file has a symbolic link that leads out of it: {name} -> {leads_to}"


def _extract_link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, target: Path) -> int:
    """Make a link; `check_links` follows, since a later one may change where this one leads."""
    with archive.open(entry) as source:
        leads_to = source.read(_MAX_LINK_BYTES + 1)
    text = leads_to.decode()
    if not text or "\0" in text or len(leads_to) > _MAX_LINK_BYTES:
        raise BundleError(_NOT_A_ZIP)
    if not _is_within(target.parent, folder):
        raise BundleError(_leads_out(entry.filename, text))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(text)
    return len(leads_to)


def _extract_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, limit_bytes: int) -> int:
    """Write one entry; say how many bytes it has."""
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        raise BundleError(_NOT_A_ZIP)  # a device or a pipe
    # Some archivers on Windows write backslashes.
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or "\0" in entry.filename:
        raise BundleError(_NOT_A_ZIP)
    target = folder / name
    if _is_link(entry):
        return _extract_link(archive, entry, folder, target)
    if entry.is_dir() or entry.filename.endswith("\\"):
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    target.unlink(missing_ok=True)  # an archive may hold a name twice; the last one counts
    with archive.open(entry) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written >= limit_bytes:
                raise BundleError(_TOO_LARGE)
            file.write(chunk)
    target.chmod(0o555 if mode & 0o111 else 0o444)
    return written
