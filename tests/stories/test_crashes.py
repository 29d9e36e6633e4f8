"""What the control plane has acknowledged survives `kill -9`, whenever it comes."""

import random
import threading
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from support.apis import Api
from support.server import RunningServer, data_options, fetch, launch

_ROUNDS = 8


def _write_until_killed(server: RunningServer, api_id: str, first: int, acknowledged: list[int]) -> None:
    """Set stage variables one after the other; note each that was answered for."""
    client = server.client("apigateway")
    number = first
    while True:
        operation = {"op": "replace", "path": f"/variables/v{number % 90}", "value": str(number)}
        try:
            client.update_stage(restApiId=api_id, stageName="prod", patchOperations=[operation])
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(number)
        number += 1


def test_what_was_acknowledged_survives_kill_9_under_writes(tmp_path: Path) -> None:
    chance = random.Random(20261120)
    server = launch(*data_options(tmp_path))
    api = Api(server)
    api.mock(api.root, body='{"alive": true}')
    api.deploy("prod")
    acknowledged: list[int] = []

    for _ in range(_ROUNDS):
        first = acknowledged[-1] + 1 if acknowledged else 0
        wanted = len(acknowledged) + chance.randint(1, 40)
        enough = threading.Event()

        class Noted(list[int]):
            def append(self, number: int) -> None:
                acknowledged.append(number)
                if len(acknowledged) >= wanted:  # noqa: B023  used within this round only
                    enough.set()  # noqa: B023

        writer = threading.Thread(target=_write_until_killed, args=(server, api.id, first, Noted()))
        writer.start()
        assert enough.wait(timeout=60)
        server.kill()
        writer.join(timeout=60)
        assert server.process.stdout is not None
        server.process.stdout.close()

        server = launch(*data_options(tmp_path))
        variables = server.client("apigateway").get_stage(restApiId=api.id, stageName="prod")["variables"]
        for number in acknowledged[-90:]:
            # A later write of the same name may have been durable and its answer lost.
            assert int(variables[f"v{number % 90}"]) >= number
        assert fetch(server.stage_url(api.id, "prod")).json == {"alive": True}

    assert server.stop() == 0
    assert server.process.stdout is not None
    server.process.stdout.close()
