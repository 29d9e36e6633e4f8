"""What running a function takes and gives: the code and settings of one version, one call of it, its outcome."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from headgate.model.value import Value


class FunctionSpec(Value, frozen=True):
    """All that an execution environment needs to know of one function version. Two specs with one `key` are equal."""

    key: str  # unique per function, version and revision: a new key means new environments
    name: str
    version: str  # "$LATEST" or a number
    arn: str  # unqualified
    account_id: str
    region: str
    runtime: str
    handler: str
    code_dir: Path  # the unpacked code, read only
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]
    log_group: str
    ephemeral_storage_mb: int = 512
    layers_dir: Path | None = None  # what its layers hold, merged, read only; for /opt
    log_format: str = "Text"  # of what it logs: Text or JSON
    log_level: str = ""  # the least that it logs, TRACE to FATAL; "" leaves that to its code. With JSON alone


class Invocation(Value, frozen=True):
    """One call of a function version."""

    request_id: str
    payload: bytes  # JSON
    invoked_arn: str  # with the qualifier that the caller used, if any
    trace_id: str = ""
    client_context: str = ""  # JSON, decoded from the header's base64
    want_log_tail: bool = False


class FunctionError(StrEnum):
    """The value of X-Amz-Function-Error."""

    UNHANDLED = "Unhandled"


class Outcome(Value, frozen=True):
    """The end of one call: the handler's answer, or Lambda's error document with `error` set. Both are JSON."""

    payload: bytes
    error: FunctionError | None = None
    log_tail: bytes = b""  # the last 4 KB, when asked for
