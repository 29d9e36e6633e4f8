"""Layers merged into one folder."""

from pathlib import Path

import pytest

from headgate.functions.bundle import BundleError, discard
from headgate.functions.layers import merge, merged_name


def _folder(root: Path, name: str, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / name / path).parent.mkdir(parents=True, exist_ok=True)
        (root / name / path).write_text(text)
    return root / name


def test_the_later_layer_counts_and_what_only_one_has_stays(tmp_path: Path) -> None:
    first = _folder(tmp_path, "1", {"a/b": "1", "a/c": "1", "d": "1", "e/f": "1"})
    second = _folder(tmp_path, "2", {"a/b": "2", "d/g": "2", "e": "2"})

    merged = merge([first, second], tmp_path / "merged")

    found = {str(path.relative_to(merged)): path.read_text() for path in merged.rglob("*") if path.is_file()}
    assert found == {"a/b": "2", "a/c": "1", "d/g": "2", "e": "2"}
    assert (first / "a/b").read_text() == "1"
    discard(merged)


def test_a_folder_that_is_there_is_used_again(tmp_path: Path) -> None:
    there = _folder(tmp_path, "merged", {"a": "1"})

    assert merge([tmp_path / "nowhere"], there) == there


@pytest.mark.parametrize(("one", "other"), [(["a", "b"], ["b", "a"]), (["a"], ["a", "a"])])
def test_another_order_is_another_folder(one: list[str], other: list[str]) -> None:
    assert merged_name(one) != merged_name(other)


def test_links_stay_links_and_nothing_is_written_through_one(tmp_path: Path) -> None:
    first = _folder(tmp_path, "1", {"lib/x.so.1": "1", "real/a": "1", "d/b": "1"})
    (first / "lib/x.so").symlink_to("x.so.1")
    (first / "both").symlink_to("real")
    second = _folder(tmp_path, "2", {"lib/x.so.1": "2", "both/a": "2"})
    (second / "d").symlink_to("real")

    merged = merge([first, second], tmp_path / "merged")

    assert (merged / "lib/x.so").read_text() == "2"
    assert ((merged / "both/a").read_text(), (merged / "real/a").read_text()) == ("2", "1")
    assert str((merged / "d").readlink()) == "real"
    discard(merged)


def test_layers_whose_links_lead_out_together_are_refused(tmp_path: Path) -> None:
    first, second = _folder(tmp_path, "1", {"a/x/y/f": ""}), _folder(tmp_path, "2", {"g": ""})
    (first / "a/l").symlink_to("x/y/../../..")
    (second / "a").mkdir()
    (second / "a/x").symlink_to("..")

    with pytest.raises(BundleError, match="leads out of it: a/l ->"):
        merge([first, second], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
