"""One stage has one release at a time, by whatever name, and whatever becomes of the server."""

from pathlib import Path

import pytest

from headgate.client.releases import ReleaseFailed
from support.apis import Api
from support.releases import Followed, a_file, start_release
from support.server import closing, data_options, launch

_STEPS = "[{weight: 20, bake: 1h}, {weight: 100}]"


def test_a_stage_has_one_release_by_name_by_id_by_a_new_name_and_after_a_crash(tmp_path: Path) -> None:
    def a_release(name: str, api: str) -> Path:
        text = f"release: {name}\napi: {api}\nstage: prod\nchange: {{deployment: current}}\nsteps: {_STEPS}\n"
        return a_file(tmp_path, text, f"{name}.yaml")

    with closing(launch(*data_options(tmp_path / "data"))) as first:
        api = Api(first, "orders")
        api.mock(api.root)
        api.deploy("prod")
        start_release(first, a_release("by-name", "orders"))
        Followed(first, "by-name").until("Did", shifted=20)
        with pytest.raises(ReleaseFailed, match=f"by-name is on its way and moves us-east-1/{api.id}/prod too"):
            start_release(first, a_release("by-id", api.id))
        first.kill()

    with closing(launch(*data_options(tmp_path / "data"))) as second:
        gateway = second.client("apigateway")
        renamed = [{"op": "replace", "path": "/name", "value": "shop"}]
        gateway.update_rest_api(restApiId=api.id, patchOperations=renamed)
        Api(second, "orders")  # another that is called so now
        for called in ("shop", api.id):
            with pytest.raises(ReleaseFailed, match=f"by-name is on its way and moves us-east-1/{called}/prod too"):
                start_release(second, a_release(f"by-{called}", called))
        release = Followed(second, "by-name")
        release.tell("abort")

        assert release.until_phase("rolled-back")["why"] == "ann: abort"
        assert "canarySettings" not in gateway.get_stage(restApiId=api.id, stageName="prod")
