"""Lambda's nouns: a function's configuration, its versions and aliases, and its resource policies."""

import base64
from collections.abc import Mapping
from typing import Final

from msgspec import field

from headgate.model.value import Value

LATEST: Final = "$LATEST"


class Environment(Value, frozen=True, rename="pascal"):
    variables: Mapping[str, str] = {}


class EphemeralStorage(Value, frozen=True, rename="pascal"):
    size: int = 512  # MB


class TracingConfig(Value, frozen=True, rename="pascal"):
    mode: str = "PassThrough"


class SnapStart(Value, frozen=True, rename="pascal"):
    apply_on: str = "None"
    optimization_status: str = "Off"


class LoggingConfig(Value, frozen=True, rename="pascal"):
    log_format: str = "Text"
    log_group: str = ""
    application_log_level: str | None = None
    system_log_level: str | None = None


class VpcConfig(Value, frozen=True, rename="pascal"):
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    vpc_id: str = ""
    ipv6_allowed_for_dual_stack: bool = False


class DeadLetterConfig(Value, frozen=True, rename="pascal"):
    target_arn: str | None = None


class UsedLayer(Value, frozen=True, rename="pascal"):
    """A layer version as a function version holds on to it: deleted, it goes on working where it is used."""

    arn: str
    code_size: int  # bytes of the zip
    code_sha256: str  # base64
    unzipped_size: int  # bytes

    @property
    def code_digest(self) -> str:
        return base64.b64decode(self.code_sha256).hex()


class FunctionVersion(Value, frozen=True, rename="pascal"):
    """One version of a function, `$LATEST` or a number; what GetFunctionConfiguration answers.

    `function_arn` is unqualified here; the control plane adds the qualifier where AWS does.
    """

    function_name: str
    function_arn: str
    version: str
    runtime: str
    role: str
    handler: str
    code_size: int  # bytes of the zip
    last_modified: str  # 2024-10-10T13:55:36.000+0000
    revision_id: str
    account_id: str
    region: str
    code_sha256: str = ""  # base64
    description: str = ""
    timeout: int = 3  # seconds
    memory_size: int = 128  # MB
    environment: Environment | None = None
    tracing_config: TracingConfig = TracingConfig()
    ephemeral_storage: EphemeralStorage = EphemeralStorage()
    snap_start: SnapStart = SnapStart()
    logging_config: LoggingConfig = LoggingConfig()
    dead_letter_config: DeadLetterConfig | None = None
    vpc_config: VpcConfig | None = None
    kms_key_arn: str | None = field(default=None, name="KMSKeyArn")
    package_type: str = "Zip"
    architectures: tuple[str, ...] = ("x86_64",)
    layers: tuple[UsedLayer, ...] | None = None  # in the order of their merging; None where there are none
    unzipped_size: int = 0  # bytes of the code without its layers
    state: str = "Active"
    last_update_status: str = "Successful"

    @property
    def code_digest(self) -> str:
        """`code_sha256` in hexadecimal: the name of the code's blob in the store."""
        return base64.b64decode(self.code_sha256).hex()

    @property
    def layer_digests(self) -> tuple[str, ...]:
        """The names of its layers' blobs, in the order of their merging."""
        return tuple(layer.code_digest for layer in self.layers or ())


class FunctionRecord(Value, frozen=True):
    """What all versions of a function share. `next_version` only grows: a number is never used twice."""

    name: str
    account_id: str
    region: str
    next_version: int = 1
    last_published: str = ""  # the version published last; "" before the first
    published_fingerprint: str = ""  # what $LATEST was when that was published, without ids and times
    tags: Mapping[str, str] | None = None
    reserved_concurrency: int | None = None  # calls at once; None reserves nothing
    code_signing_config_arn: str = ""
    recursive_loop: str = "Terminate"  # or Allow
    runtime_updates: Mapping[str, str] | None = None  # by version: Auto or FunctionUpdate


class RoutingConfig(Value, frozen=True, rename="pascal"):
    """The second version of an alias and its share, a fraction from 0.0 to 1.0."""

    additional_version_weights: Mapping[str, float] = {}


class Alias(Value, frozen=True, rename="pascal"):
    name: str
    alias_arn: str
    function_version: str
    revision_id: str
    function_name: str
    account_id: str
    region: str
    description: str = ""
    routing_config: RoutingConfig | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that it sends calls to, the first one first."""
        return (self.function_version, *self.additional_weights)

    @property
    def additional_weights(self) -> Mapping[str, float]:
        """The second version and its share; empty when all calls go to `function_version`."""
        return {} if self.routing_config is None else self.routing_config.additional_version_weights


def choose_version(alias: Alias, draw: float) -> str:
    """Pick the version that runs one call; `draw` is uniform in [0, 1)."""
    for version, weight in alias.additional_weights.items():
        if draw < weight:
            return version
        draw -= weight
    return alias.function_version


class PolicyStatement(Value, frozen=True, rename="pascal"):
    """One statement of a function's resource policy, as AddPermission makes it."""

    sid: str
    principal: str | Mapping[str, str]
    action: str
    resource: str
    effect: str = "Allow"
    condition: Mapping[str, Mapping[str, str]] | None = None


class FunctionPolicy(Value, frozen=True):
    """The resource policy of a function, or of one version or alias of it (`qualifier`; "" is the function)."""

    function_name: str
    qualifier: str
    account_id: str
    region: str
    revision_id: str
    statements: tuple[PolicyStatement, ...]
