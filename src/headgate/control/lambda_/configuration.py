"""A function's settings: from a CreateFunction or UpdateFunctionConfiguration request to the version that has them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.environment import check_environment
from headgate.control.lambda_.errors import check_revision, invalid, outside_limits, unsupported
from headgate.control.lambda_.event_targets import DEAD_LETTER_TARGETS, check_target
from headgate.control.lambda_.layer_use import layered
from headgate.control.lambda_.lookup import find_version, put_version
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named_whole
from headgate.control.lambda_.shown import shown, timestamp
from headgate.model.function import (
    DeadLetterConfig,
    Environment,
    EphemeralStorage,
    FunctionVersion,
    LoggingConfig,
    SnapStart,
    TracingConfig,
    VpcConfig,
)
from headgate.model.ids import new_revision_id
from headgate.model.scope import Scope

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_TIMEOUT_S: Final = 900  # the service model allows more, for functions of a kind that is not here
MEMORY_MB: Final = (128, 10_240)
EPHEMERAL_STORAGE_MB: Final = (512, 10_240)


async def update_function_configuration(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.UpdateFunctionConfigurationRequest"
) -> Mapping[str, Any]:
    """Change the settings of `$LATEST` that the request names; the others stay."""
    function = named_whole(scope, request["FunctionName"])
    check_supported(ports, request)

    def update(context: Context) -> Mapping[str, Any]:
        latest = find_version(context, function)
        check_revision(request.get("RevisionId"), latest.revision_id)
        changed = replace(
            layered(context, configured(latest, request), request),
            last_modified=timestamp(context.now),
            revision_id=new_revision_id(),
        )
        put_version(context, changed)
        return shown(changed)

    return await ports.store.write(lambda tx: update(Context(tx, scope, now)))


def check_supported(ports: LambdaPorts, request: Mapping[str, Any]) -> None:
    """Refuse what cannot be run here, before anything is done. Empty values ask for nothing."""
    if (package_type := request.get("PackageType", "Zip")) != "Zip":
        raise unsupported("PackageType", package_type, "give Zip")
    for member, accepted in _NOT_SUPPORTED.items():
        if not _is_empty(given := request.get(member)):
            raise unsupported(member, given, accepted)
    if (apply_on := request.get("SnapStart", {}).get("ApplyOn", "None")) != "None":
        raise unsupported("SnapStart.ApplyOn", apply_on, "give None")
    runtime = request.get("Runtime")
    if runtime is not None and not ports.supports_runtime(runtime):
        accepted = ", ".join(known for known in _KNOWN_RUNTIMES if ports.supports_runtime(known))
        raise invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{accepted}]; Headgate runs no others by name, but any program: an executable bootstrap under "
            "provided.al2023, with the language's own client of the Runtime API"
        )
    if runtime is not None and (missing := ports.missing_for(runtime)):
        raise invalid(f"Runtime {runtime} cannot run here: {missing}")


def configured(version: FunctionVersion, request: Mapping[str, Any]) -> FunctionVersion:
    """The version with the settings that the request names. Raises ApiError for what Lambda refuses."""
    changes: dict[str, Any] = {}
    for member, (field, read) in _SETTINGS.items():
        if (given := request.get(member)) is not None:
            changes[field] = read(version, given)
    return replace(version, **changes)


def _is_empty(given: Any) -> bool:
    """`None`, `[]`, `""`, `{}`, and structures of nothing but these."""
    return all(map(_is_empty, given.values())) if isinstance(given, dict) else not given


def _as_given(_version: FunctionVersion, given: Any) -> Any:
    return given


def _within(path: str, least: int, most: int) -> "_Read":
    def read(_version: FunctionVersion, given: int) -> int:
        if given > most:
            raise outside_limits(path, given, f"Member must have value less than or equal to {most}")
        if given < least:
            raise outside_limits(path, given, f"Member must have value greater than or equal to {least}")
        return given

    return read


def _environment(_version: FunctionVersion, given: "shapes.Environment") -> Environment:
    return Environment(variables=check_environment(given.get("Variables") or {}))


def _ephemeral_storage(version: FunctionVersion, given: "shapes.EphemeralStorage") -> EphemeralStorage:
    return EphemeralStorage(size=_storage_size(version, given["Size"]))


def _tracing(version: FunctionVersion, given: "shapes.TracingConfig") -> TracingConfig:
    return TracingConfig(mode=given.get("Mode", version.tracing_config.mode))


def _snap_start(_version: FunctionVersion, given: "shapes.SnapStart") -> SnapStart:
    return SnapStart(apply_on=given.get("ApplyOn", "None"))


def _logging(version: FunctionVersion, given: "shapes.LoggingConfig") -> LoggingConfig:
    log_format = given.get("LogFormat", version.logging_config.log_format)
    log_group = given.get("LogGroup") or version.logging_config.log_group
    if log_format == "JSON":
        return LoggingConfig(
            log_format=log_format,
            log_group=log_group,
            application_log_level=given.get("ApplicationLogLevel")
            or version.logging_config.application_log_level
            or "INFO",
            system_log_level=given.get("SystemLogLevel") or version.logging_config.system_log_level or "INFO",
        )
    if given.get("ApplicationLogLevel") or given.get("SystemLogLevel"):
        raise invalid(
            'LogLevel is not supported when LogFormat is set to "Text". '
            'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        )
    return LoggingConfig(log_format=log_format, log_group=log_group)


def _dead_letter(_version: FunctionVersion, given: "shapes.DeadLetterConfig") -> DeadLetterConfig | None:
    """An empty ARN takes the setting away."""
    target = given.get("TargetArn")
    if not target:
        return None
    check_target("DeadLetterConfig.TargetArn", target, DEAD_LETTER_TARGETS)
    return DeadLetterConfig(target_arn=target)


def _vpc(_version: FunctionVersion, given: "shapes.VpcConfig") -> VpcConfig:
    return VpcConfig(
        subnet_ids=tuple(given.get("SubnetIds", ())),
        security_group_ids=tuple(given.get("SecurityGroupIds", ())),
        ipv6_allowed_for_dual_stack=given.get("Ipv6AllowedForDualStack", False),
    )


_Read = Callable[[FunctionVersion, Any], Any]

_storage_size: Final = _within("ephemeralStorage.size", *EPHEMERAL_STORAGE_MB)

_SETTINGS: Final[Mapping[str, tuple[str, _Read]]] = {
    "Runtime": ("runtime", _as_given),
    "Role": ("role", _as_given),
    "Handler": ("handler", _as_given),
    "Description": ("description", _as_given),
    "Timeout": ("timeout", _within("timeout", 1, MAX_TIMEOUT_S)),
    "MemorySize": ("memory_size", _within("memorySize", *MEMORY_MB)),
    "Environment": ("environment", _environment),
    "EphemeralStorage": ("ephemeral_storage", _ephemeral_storage),
    "Architectures": ("architectures", lambda _version, given: tuple(given)),
    # Of what follows some is only stored and shown; docs/fidelity.md says which.
    "TracingConfig": ("tracing_config", _tracing),
    "SnapStart": ("snap_start", _snap_start),
    "LoggingConfig": ("logging_config", _logging),
    "DeadLetterConfig": ("dead_letter_config", _dead_letter),
    "VpcConfig": ("vpc_config", _vpc),
    "KMSKeyArn": ("kms_key_arn", lambda _version, given: given or None),
}
"""Each member of a request that sets something: the field that it sets, and how its value is read and checked."""

_LEAVE_OUT: Final = "leave it out"

_NOT_SUPPORTED: Final[Mapping[str, str]] = {
    "FileSystemConfigs": _LEAVE_OUT,
    "ImageConfig": _LEAVE_OUT,
    "TenancyConfig": _LEAVE_OUT,
    "CapacityProviderConfig": _LEAVE_OUT,
    "DurableConfig": _LEAVE_OUT,
    "RuntimeConfig": _LEAVE_OUT,
    "AcceleratorConfig": _LEAVE_OUT,
    "PublishTo": "use Publish, or PublishVersion",
}
"""Members that would change how a function runs in a way that cannot be done here, and what to do instead."""

_KNOWN_RUNTIMES: Final = (
    *(f"python3.{minor}" for minor in range(8, 20)),
    *(f"nodejs{major}.x" for major in range(18, 30, 2)),
    "java17",
    "java21",
    "java25",
    "dotnet8",
    "dotnet10",
    "ruby3.3",
    "ruby3.4",
    "provided",
    "provided.al2",
    "provided.al2023",
)
"""Names to ask about when an error is to say which runtimes there are."""
