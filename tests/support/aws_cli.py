"""The aws CLI, version 1, unmodified, in a process that stays: its start takes longer than most of what it asks for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver

driver = create_clidriver()
for line in sys.stdin:
    said, failed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed):
        status = driver.main(json.loads(line))
    print(json.dumps([status, said.getvalue(), failed.getvalue()]), flush=True)
"""


class AwsCli:
    """`aws("apigateway get-rest-apis")`: the answer as JSON, None where it has none; words may follow.

    It knows the server by AWS_ENDPOINT_URL alone, and runs in a folder. `close` ends it.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={
                "HOME": str(folder),
                "PATH": "/usr/bin:/bin",
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        )

    def __call__(self, line: str, *words: str) -> Any:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([*line.split(), *words]) + "\n")
        process.stdin.flush()
        status, said, failed = json.loads(process.stdout.readline())
        assert (status, failed) == (0, ""), (line, words, failed)
        return json.loads(said) if said.strip() else None

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
