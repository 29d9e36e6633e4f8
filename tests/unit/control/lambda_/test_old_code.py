"""Which code is kept: what a function version, one of its layers or a layer version refers to."""

import hashlib

from headgate.control.old_code import delete_old_code
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
