"""What needs a restart: one frozen class, read from the command line, then the environment, then a TOML file."""

import re
import shutil
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from headgate.model.value import Value

OWN_SERVICES: Final = ("apigateway", "lambda", "logs", "monitoring", "xray")


class SettingsError(Exception):
    """A setting cannot be used; the message is one line that names it, its value and what would be accepted."""


class Settings(Value, frozen=True):
    """Each field's environment name is `HEADGATE_` and its own in capitals; in the file it stands as it is here."""

    port: int = 4566  # of the control plane; 0 picks a free one
    gateway_port: int = 8080  # of the gateway; 0 picks a free one
    host: str = "127.0.0.1"  # address of the control plane: loopback only
    gateway_host: str = "127.0.0.1"  # address of the gateway
    data: Path = Path(".headgate")  # the data folder
    ephemeral: bool = False  # keep nothing; allow POST /_headgate/reset
    account_id: str = "000000000000"  # of requests whose access key names none; 12 digits
    drain_s: float = 20.0  # seconds that running requests have at a stop
    max_environments: int = 10  # execution environments of one function version
    concurrency: int = 1000  # calls of an account's functions that may run at once in a region
    event_retry_s: tuple[float, ...] = (60.0, 120.0)  # before the first and the second retry of an asynchronous call
    sandbox: str = "auto"  # around functions: auto, bwrap or none
    function_network: str = "host"  # of functions in a sandbox: host or none
    function_user: str = ""  # that functions run as where the server runs as root; "" is nobody
    key: str = ""  # what secrets are encrypted with: 32 bytes in base64 or hexadecimal; from the environment alone
    key_file: Path | None = None  # holds such a key; without either it is `key` in the data folder
    function_url_key: str = ""  # "{access key}:{secret key}" that signs for function URLs of type AWS_IAM; "" for none
    log_max_mib: int = 1024  # MiB of log events; beyond it the oldest of all groups are deleted
    trace_max_mib: int = 256  # MiB of traces; beyond it the oldest are deleted
    xray_port: int = 0  # UDP, on 127.0.0.1, of what functions find at AWS_XRAY_DAEMON_ADDRESS; 0 picks a free one
    otlp_endpoint: str = ""  # an OpenTelemetry collector's URL, without /v1/traces; "" exports nothing
    release_commands: bool = False  # whether releases that this server runs may run commands (gates, migrations)
    endpoints: Mapping[str, str] = {}  # other services' endpoints, by signing name
    interpreters: Mapping[str, str] = {}  # programs that run functions, by runtime
    alarm_webhooks: Mapping[str, str] = {}  # URLs that alarms may tell, by name


_TABLES: Final = frozenset({"endpoints", "interpreters", "alarm_webhooks"})  # of the file alone
SANDBOXES: Final = ("auto", "bwrap", "none")
FUNCTION_NETWORKS: Final = ("host", "none")

_TEXT_TO_BOOL: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def load_settings(given: Mapping[str, Any], environment: Mapping[str, str], config: Path | None) -> Settings:
    """The settings in force. `given` are those of the command line, None where not given. Raises SettingsError."""
    values: dict[str, Any] = {}
    if config is not None:
        values.update(_read_file(config))
    for field in Settings.__struct_fields__:
        if field not in _TABLES and (text := environment.get(f"HEADGATE_{field.upper()}")) is not None:
            values[field] = text
    values.update({name: value for name, value in given.items() if value is not None})
    return _checked(values)


def _read_file(path: Path) -> dict[str, Any]:
    import tomllib  # here, as most start without a file

    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the configuration file {path} is not TOML: {error}") from error
    if "key" in values:
        raise SettingsError(
            f"key stands in the configuration file {path}; give it by HEADGATE_KEY, or in a file that key_file names"
        )
    unknown = sorted(set(values) - set(Settings.__struct_fields__))
    if unknown:
        known = ", ".join(Settings.__struct_fields__)
        raise SettingsError(f"the configuration file {path} has an unknown setting {unknown[0]!r}; known are {known}")
    return values


def _checked(values: Mapping[str, Any]) -> Settings:
    read: dict[str, Any] = {}
    for name, value in values.items():
        match name:
            case "port" | "gateway_port" | "xray_port":
                read[name] = _integer(name, value, 0, 65535)
            case "max_environments":
                read[name] = _integer(name, value, 1, 1000)
            case "concurrency":
                read[name] = _integer(name, value, 1, 1_000_000)
            case "event_retry_s":
                read[name] = _delays(name, value)
            case "log_max_mib" | "trace_max_mib":
                read[name] = _integer(name, value, 16, 1_048_576)
            case "drain_s":
                read[name] = _number(name, value)
            case "ephemeral" | "release_commands":
                read[name] = _flag(name, value)
            case "data":
                read[name] = _folder(name, value)
            case "sandbox":
                read[name] = _one_of(name, value, SANDBOXES)
            case "function_network":
                read[name] = _one_of(name, value, FUNCTION_NETWORKS)
            case "otlp_endpoint":
                read[name] = _collector(name, value)
            case "key_file":
                read[name] = _folder(name, value, "a file")
            case "endpoints":
                read[name] = _endpoints(value)
            case "interpreters":
                read[name] = _interpreters(value)
            case "alarm_webhooks":
                read[name] = _alarm_webhooks(value)
            case _:
                read[name] = _text(name, value)
    settings = Settings(**read)
    if not re.fullmatch(r"[0-9]{12}", settings.account_id):
        raise SettingsError(f"account_id is {settings.account_id!r}; it must have 12 digits")
    for name, address in (("host", settings.host), ("gateway_host", settings.gateway_host)):
        if not _is_address(address):
            raise SettingsError(f"{name} is {address!r}; give an IP address, or localhost")
    if not _is_loopback(settings.host):
        raise SettingsError(
            f"host is {settings.host!r}; the control plane has no authentication yet and binds loopback addresses only "
            "(127.0.0.1, ::1). The gateway alone may listen elsewhere: --gateway-host"
        )
    if settings.function_url_key and not re.fullmatch(r"\w+:\S+", settings.function_url_key):
        # It holds a secret, so it is not shown.
        raise SettingsError("function_url_key must be an access key and a secret key with a colon between them")
    if settings.port and settings.port == settings.gateway_port:
        raise SettingsError(f"port and gateway_port are both {settings.port}; they must differ")
    return settings


def _integer(name: str, value: Any, least: int, most: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        raise SettingsError(f"{name} is {value!r}; give an integer from {least} to {most}")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise SettingsError(f"{name} is {value!r}; give seconds from 0 to 3600")
    return number


def _delays(name: str, value: Any) -> tuple[float, ...]:
    """A list, or text with commas."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) != 2:
        raise SettingsError(f"{name} is {value!r}; give two numbers of seconds, such as 60,120")
    return tuple(_number(name, each) for each in given)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    flag = _TEXT_TO_BOOL.get(str(value).lower())
    if flag is None:
        raise SettingsError(f"{name} is {value!r}; give true or false")
    return flag


def _one_of(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    if value not in accepted:
        raise SettingsError(f"{name} is {value!r}; give {', '.join(accepted[:-1])} or {accepted[-1]}")
    return str(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{name} is {value!r}; give a text in quotes")
    return value


def _folder(name: str, value: Any, what: str = "a folder") -> Path:
    text = _text(name, str(value) if isinstance(value, Path) else value)
    if not text or "\0" in text:  # an empty name would be the current folder
        raise SettingsError(f"{name} is {text!r}; give the name of {what}")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"{name} is {text!r}; there is no such home folder") from error


def _endpoints(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise SettingsError('endpoints must be a table, such as: [endpoints] then s3 = "http://127.0.0.1:9000"')
    for service, endpoint in value.items():
        if service in OWN_SERVICES:
            raise SettingsError(f"endpoints.{service}: {service} is Headgate's own and cannot be sent elsewhere")
        if not isinstance(endpoint, str) or not _is_http_url(endpoint):
            raise SettingsError(f"endpoints.{service} is {endpoint!r}; give a URL such as http://127.0.0.1:9000")
    return value


def _collector(name: str, value: Any) -> str:
    if value != "" and (not isinstance(value, str) or not _is_http_url(value)):
        raise SettingsError(f"{name} is {value!r}; give a URL such as http://127.0.0.1:4318, without /v1/traces")
    return str(value)


def _interpreters(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise SettingsError(
            'interpreters must be a table, such as: [interpreters] then "python3.12" = "/usr/bin/python3.12"'
        )
    for runtime, program in value.items():
        if not re.fullmatch(r"python3\.[0-9]+|nodejs[0-9]+\.x", runtime):
            raise SettingsError(
                f"interpreters has {runtime!r}; give a runtime such as python3.12 or nodejs22.x, in quotes for its dot"
            )
        if not isinstance(program, str) or shutil.which(program) is None:
            raise SettingsError(f"interpreters.{runtime} is {program!r}; give the path of a program that can be run")
    return value


def _alarm_webhooks(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise SettingsError(
            'alarm_webhooks must be a table, such as: [alarm_webhooks] then oncall = "http://127.0.0.1:9000/alarms"'
        )
    for name, url in value.items():
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise SettingsError(f"alarm_webhooks has {name!r}; a name has letters, digits and the signs _ . -")
        if not isinstance(url, str) or not _is_http_url(url):
            # It may hold a secret, so it is not shown.
            raise SettingsError(f"alarm_webhooks.{name} is no URL; give one such as http://127.0.0.1:9000/alarms")
    return value


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Reading the port raises where it is no number or out of range.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback
