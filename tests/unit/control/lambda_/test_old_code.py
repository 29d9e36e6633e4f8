"""Which code is kept: what a function version, one of its layers or a layer version refers to."""

import asyncio
import hashlib
from pathlib import Path

from headgate.control.old_code import OldFolders, delete_old_code
from headgate.functions.layers import merged_name

from .account import ACCOUNT, REGION, Account, a_zip
from .conftest import Play


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_a_deleted_layer_s_content_is_kept_while_a_version_uses_it_and_goes_with_that(play: Play) -> None:
    async def scenario(account: Account) -> None:
        layers = [a_zip(f"# layer {number}") for number in range(3)]
        for number, body in enumerate(layers):
            await account.ask("PublishLayerVersion", LayerName=f"layer{number}", Content={"ZipFile": body})
        arns = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:layer{number}:1" for number in range(2)]
        await account.a_function(Layers=arns)
        for number in (0, 1):
            await account.ask("DeleteLayerVersion", LayerName=f"layer{number}", VersionNumber=1)
        digests = [_digest(body) for body in layers]

        while_used = await account.store.write(delete_old_code)
        kept = await account.store.read(lambda tx: [tx.get_blob(digest) for digest in digests])
        await account.ask("DeleteFunction", FunctionName="hello")
        after = await account.store.write(delete_old_code)

        assert while_used == {_digest(a_zip()), *digests, merged_name(digests[:2])}
        assert kept == layers
        assert after == {digests[2]}

    play(scenario)


def _unpacked(root: Path, *names: str) -> OldFolders:
    for name in names:
        (root / name).mkdir()
        (root / name / "index.py").write_text("")
        (root / name).chmod(0o555)
    return OldFolders(root)


def _names(root: Path) -> set[str]:
    return {each.name for each in root.iterdir()}


def test_a_folder_goes_once_two_looks_in_a_row_found_it_unused(tmp_path: Path) -> None:
    async def scenario() -> None:
        folders = _unpacked(tmp_path, "stored", "at work", "old", "back again", ".partial-1")

        await folders.discard_unused({"stored"}, lambda: {"at work"})
        after_one = _names(tmp_path)
        await folders.discard_unused({"stored", "back again"}, lambda: {"at work"})
        after_two = _names(tmp_path)
        await folders.discard_unused({"stored"}, lambda: {"at work"})

        assert after_one == {"stored", "at work", "old", "back again", ".partial-1"}
        assert after_two == after_one - {"old"}
        assert _names(tmp_path) == after_two

    asyncio.run(scenario())


def test_at_a_start_all_goes_that_the_store_does_not_refer_to(tmp_path: Path) -> None:
    _unpacked(tmp_path, "stored", "old", ".partial-1", ".old-2").discard_all({"stored"})

    assert _names(tmp_path) == {"stored"}
