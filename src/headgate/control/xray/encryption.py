"""The encryption configuration: kept and shown. Traces are stored as they are, whatever it says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.xray.errors import invalid
from headgate.control.xray.ports import XrayPorts
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import put_setting, settings

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

_ENCRYPTION: Final = "encryption"
_NONE: Final[Mapping[str, str]] = {"Status": "ACTIVE", "Type": "NONE"}


async def put_encryption_config(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.PutEncryptionConfigRequest"
) -> Mapping[str, Any]:
    key = request.get("KeyId")
    if (request["Type"] == "KMS") == (key is None):
        raise invalid("KeyId must be given with Type KMS, and only then.")
    config = {**_NONE, "Type": request["Type"], "KeyId": key}
    await ports.traces.write(lambda connection: put_setting(connection, _ENCRYPTION, scope, "", config))
    return {"EncryptionConfig": config}


async def get_encryption_config(
    ports: XrayPorts, scope: Scope, _now: float, _request: "shapes.GetEncryptionConfigRequest"
) -> Mapping[str, Any]:
    found = await ports.traces.read(lambda connection: settings(connection, _ENCRYPTION, scope))
    return {"EncryptionConfig": found.get("", _NONE)}
