"""Lambda's layers: numbered, immutable versions of what functions find at `/opt`."""

import base64
import re
from typing import Final

from headgate.model.function import PolicyStatement
from headgate.model.value import Value

_LAYER_VERSION_ARN: Final = re.compile(
    r"arn:aws[\w-]*:lambda:(?P<region>[\w-]+):(?P<account>\d{12}):layer:(?P<name>[A-Za-z0-9_-]+)"
    r"(?::(?P<version>[0-9]+))?",
    re.ASCII,
)


class LayerRef(Value, frozen=True, order=True):
    """A layer as an ARN names it; `version` is 0 where none is named."""

    account_id: str
    region: str
    name: str
    version: int = 0

    @property
    def layer_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:layer:{self.name}"

    @property
    def arn(self) -> str:
        """Of the layer version."""
        return f"{self.layer_arn}:{self.version}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What all documents of a layer begin their key with."""
        return self.account_id, self.region, self.name


def parse_layer_arn(arn: str) -> LayerRef | None:
    """Read a layer's ARN, with or without its version; None when it is not one."""
    found = _LAYER_VERSION_ARN.fullmatch(arn)
    if found is None:
        return None
    return LayerRef(
        account_id=found["account"], region=found["region"], name=found["name"], version=int(found["version"] or 0)
    )


class Layer(Value, frozen=True):
    """What all versions of a layer share. `next_version` only grows: a number is never used twice."""

    name: str
    account_id: str
    region: str
    next_version: int = 1


class LayerVersion(Value, frozen=True):
    layer: LayerRef
    created_date: str  # 2024-10-10T13:55:36.000+0000
    code_sha256: str  # base64
    code_size: int  # bytes of the zip
    unzipped_size: int  # bytes
    description: str = ""
    license_info: str | None = None
    compatible_runtimes: tuple[str, ...] = ()
    compatible_architectures: tuple[str, ...] = ()

    @property
    def code_digest(self) -> str:
        """`code_sha256` in hexadecimal: the name of the content's blob in the store."""
        return base64.b64decode(self.code_sha256).hex()


class LayerPolicy(Value, frozen=True):
    """Who may use one version of a layer."""

    layer: LayerRef
    revision_id: str
    statements: tuple[PolicyStatement, ...]
