"""From an uploaded zip to a folder of code."""

import io
import stat
import threading
import zipfile
from pathlib import Path

import pytest

from headgate.functions.bundle import BundleError, discard, unpack


def a_zip(*entries: tuple[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0o644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def test_files_are_unpacked_in_their_folders(tmp_path: Path) -> None:
    folder = unpack(a_zip(("index.py", b"1"), ("lib/", b""), ("lib/a/b.py", b"2")), tmp_path)

    assert folder.joinpath("index.py").read_bytes() == b"1"
    assert folder.joinpath("lib/a/b.py").read_bytes() == b"2"


def test_one_bundle_has_one_folder(tmp_path: Path) -> None:
    content = a_zip(("index.py", b"1"))

    assert unpack(content, tmp_path) == unpack(content, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [unpack(content, tmp_path).name]


def test_files_are_read_only_and_programs_stay_programs(tmp_path: Path) -> None:
    folder = unpack(a_zip(("index.py", b""), ("bin/run", b""), modes={"bin/run": 0o755}), tmp_path)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {folder.name: 0o555, "index.py": 0o444, "bin": 0o555, "run": 0o555}


@pytest.mark.parametrize(
    "name", ["../out.py", "a/../../out.py", "/etc/out.py", "..\\out.py", "\\\\host\\out.py", "a/b/../../../out.py"]
)
def test_nothing_is_written_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "root"

    with pytest.raises(BundleError, match="Could not unzip uploaded file"):
        unpack(a_zip((name, b"x")), root)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR], ids=["pipe", "device"])
def test_only_files_folders_and_links_are_unpacked(kind: int, tmp_path: Path) -> None:
    content = a_zip(("odd", b"/etc/passwd"), modes={"odd": kind | 0o777})

    with pytest.raises(BundleError):
        unpack(content, tmp_path)


def a_zip_with_links(links: dict[str, str], *entries: tuple[str, bytes]) -> bytes:
    """The links come first, as a hostile one's would."""
    modes = dict.fromkeys(links, stat.S_IFLNK | 0o777)
    return a_zip(*((name, to.encode()) for name, to in links.items()), *entries, modes=modes)


def test_links_within_the_folder_stay_links(tmp_path: Path) -> None:
    links = {"lib/libx.so": "libx.so.1", "bin/run": "../tools/run.js", "all": "lib"}

    folder = unpack(a_zip_with_links(links, ("lib/libx.so.1", b"so"), ("tools/run.js", b"js")), tmp_path)

    assert {name: str((folder / name).readlink()) for name in links} == links
    assert ((folder / "all" / "libx.so").read_bytes(), (folder / "bin" / "run").read_bytes()) == (b"so", b"js")
    discard(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "links",
    [
        pytest.param({"out": "/etc/passwd"}, id="to a path of the machine"),
        pytest.param({"out": "../../other"}, id="upwards"),
        pytest.param({"a/b/l": "x/../..", "a/b/x": "../..", "a/b/m": "l/../secret"}, id="through another link"),
        pytest.param({"a/up": "..", "a/up/up": "../.."}, id="in the place where another leads"),
        pytest.param({"out": "/tmp", "out/file": "x"}, id="to where another is then made"),
    ],
)
def test_a_link_out_of_the_folder_is_refused_by_its_name(links: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "deep" / "root"

    with pytest.raises(BundleError, match=r"has a symbolic link that leads out of it: [a-z/]+ -> "):
        unpack(a_zip_with_links(links, ("index.py", b"")), root)

    assert list(root.iterdir()) == []


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        unpack(a_zip_with_links({"d": "elsewhere"}, ("elsewhere/x", b"1"), ("d/y", b"2")), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not a zip", id="no zip"),
        pytest.param(a_zip(("index.py", b"x" * 5000))[:-30], id="its end is missing"),
        pytest.param(a_zip(("index.py", b"1"), ("index.py/b", b"2")), id="a file that is a folder"),
        pytest.param(a_zip(("x" * 300, b"1")), id="a name too long"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_and_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"Could not unzip uploaded file\. Please check your file, then try to upload"
    ):
        unpack(content, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(a_zip(("index.py", b"0123456789" * 100)))
    content[45:50] = b"\xff\xff\xff\xff\xff"

    with pytest.raises(BundleError):
        unpack(bytes(content), tmp_path)


def test_the_unzipped_size_has_a_limit(tmp_path: Path) -> None:
    nearly = a_zip(*((f"{n}", bytes(26_214_400)) for n in range(9)), ("last", bytes(26_214_399)))
    above = a_zip(*((f"{n}", bytes(26_214_400)) for n in range(10)))

    discard(unpack(nearly, tmp_path))
    with pytest.raises(BundleError, match=r"^Unzipped size must be smaller than 262144000 bytes$"):
        unpack(above, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_the_archive_understates_is_of_no_use(tmp_path: Path) -> None:
    content = a_zip(("index.py", b"x" * 5000))
    at = content.rindex(b"PK\x01\x02") + 24  # the uncompressed size, in the directory at the end
    lying = content[:at] + (100).to_bytes(4, "little") + content[at + 4 :]

    with pytest.raises(BundleError):
        unpack(lying, tmp_path)


def test_two_at_once_get_the_same_whole_folder(tmp_path: Path) -> None:
    content = a_zip(*((f"{number}.py", b"x" * 100) for number in range(200)))
    barrier = threading.Barrier(2)
    folders: list[int] = []

    def unpack_and_count() -> None:
        barrier.wait()
        folders.append(len(list(unpack(content, tmp_path).iterdir())))

    threads = [threading.Thread(target=unpack_and_count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert folders == [200, 200]
    assert len(list(tmp_path.iterdir())) == 1
