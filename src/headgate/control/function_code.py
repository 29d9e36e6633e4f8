"""A function version's code on disk: fetched from the store and unpacked before its first call, kept as a cache."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from headgate.functions.bundle import unpack
from headgate.functions.layers import merge, merged_name
from headgate.model.function import FunctionVersion
from headgate.model.invocation import FunctionSpec

FetchCode = Callable[[str], Awaitable[bytes | None]]
"""The zip with this SHA-256, in hexadecimal; None when there is none."""


def folders_of(version: FunctionVersion) -> frozenset[str]:
    """The names of all folders that a version's code and layers are unpacked to."""
    layers = version.layer_digests
    return frozenset([version.code_digest, *layers, *([merged_name(layers)] if layers else [])])


class FunctionCode:
    """The unpacked code and layers of all functions, below one folder, each content once."""

    def __init__(self, root: Path, fetch: FetchCode) -> None:
        self._root = root
        self._fetch = fetch

    async def spec(self, key: str, version: FunctionVersion) -> FunctionSpec:
        """What the runtime is to run, its code being on disk by then."""
        code_dir = await self._unpacked(version.code_digest, version)
        layers_dir = await self._layers(version)
        return FunctionSpec(
            key=key,
            name=version.function_name,
            version=version.version,
            arn=version.function_arn,
            account_id=version.account_id,
            region=version.region,
            runtime=version.runtime,
            handler=version.handler,
            code_dir=code_dir,
            memory_mb=version.memory_size,
            timeout_s=version.timeout,
            environment=version.environment.variables if version.environment else {},
            log_group=version.logging_config.log_group or f"/aws/lambda/{version.function_name}",
            ephemeral_storage_mb=version.ephemeral_storage.size,
            layers_dir=layers_dir,
            log_format=version.logging_config.log_format,
            log_level=version.logging_config.application_log_level or "",
        )

    async def _layers(self, version: FunctionVersion) -> Path | None:
        """The folder with all that the version's layers hold."""
        digests = version.layer_digests
        if not digests:
            return None
        merged = self._root / merged_name(digests)
        if not merged.is_dir():
            folders = [await self._unpacked(digest, version) for digest in digests]
            await asyncio.to_thread(merge, folders, merged)
        return merged

    async def _unpacked(self, sha256: str, version: FunctionVersion) -> Path:
        folder = self._root / sha256
        if folder.is_dir():
            return folder
        code = await self._fetch(sha256)
        if code is None:
            raise RuntimeError(f"the code {sha256} of {version.function_arn} is not in the store")
        return await asyncio.to_thread(unpack, code, self._root)
