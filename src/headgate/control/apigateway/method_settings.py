"""Method settings of a stage: reading a patch path, and what each of its values may be (aws-semantics 1.2)."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request
from headgate.control.apigateway.patching import flag, integer, number
from headgate.model.rest_api import ANY, HTTP_METHODS
from headgate.model.stage import MethodSetting, Stage
from headgate.model.value import Value
from headgate.wire.patch import Patch

MAX_TTL: Final = 3600  # seconds
DEFAULTS_KEY: Final = "*/*"
# ANY is in dispute; it is taken, and serves requests that an ANY method serves (open question 1 of aws-semantics).
_METHODS: Final = HTTP_METHODS | {ANY}


class SettingPath(Value, frozen=True):
    """A patch path taken apart from the right, for resources may stand in it unescaped."""

    key: str  # as method settings are keyed: the client's spelling without its leading slash
    setting: str  # group and name, such as "metrics/enabled"


def parse_setting_path(path: str) -> SettingPath | None:
    """The setting that `/{resource}/{METHOD}/{group}/{name}` names; None when the path is not of that form."""
    found = _SETTING_PATH.fullmatch(path)
    if found is None or found["setting"] not in _SETTINGS or not is_method_key(found["key"]):
        return None
    return SettingPath(key=found["key"], setting=found["setting"])


def is_method_key(key: str) -> bool:
    """Whether `key` is a resource and a method: `*/*`, `pets/GET`, `~1pets/GET`, or the root's `/GET`."""
    resource, slash, http_method = key.rpartition("/")
    return bool(slash) and (key == DEFAULTS_KEY or (http_method in _METHODS and resource != "*"))


def set_method_setting(stage: Stage, path: SettingPath, patch: Patch) -> Stage:
    """The stage with one setting changed. A new entry is a copy of `*/*` as it is now, or of the defaults."""
    field, read = _SETTINGS[path.setting]
    settings = stage.method_settings
    key = existing_key(settings, path.key)
    entry = settings.get(key) or settings.get(DEFAULTS_KEY) or MethodSetting()
    return replace(stage, method_settings={**settings, key: replace(entry, **{field: read(patch)})})


def existing_key(settings: Mapping[str, MethodSetting], key: str) -> str:
    """The key under which an entry for the same method already stands, in whatever spelling; else `key`."""
    wanted = _canonical(key)
    return next((each for each in settings if _canonical(each) == wanted), key)


def _canonical(key: str) -> tuple[str, str]:
    resource, _, http_method = key.rpartition("/")
    return resource.replace("~1", "/").replace("~0", "~").strip("/"), http_method


def _ttl(patch: Patch) -> int:
    message = f"Invalid time-to-live setting, must be an integer no greater than {MAX_TTL}"
    try:
        seconds = int(patch.value or "")
    except ValueError:
        raise bad_request(message) from None
    if not 0 <= seconds <= MAX_TTL:
        raise bad_request(message)
    return seconds


def _rate(patch: Patch) -> float:
    rate = number(patch, "requests per second, or -1 for no limit")
    if not (rate >= 0 or rate == -1) or math.isinf(rate):
        raise bad_request(f"Invalid throttling rate limit {patch.value}: give requests per second, or -1 for no limit")
    return rate


def _burst(patch: Patch) -> int:
    burst = integer(patch, "a number of requests, or -1 for no limit")
    if burst < -1:
        raise bad_request(
            f"Invalid throttling burst limit {patch.value}: give a number of requests, or -1 for no limit"
        )
    return burst


def _logging_level(patch: Patch) -> str:
    if patch.value not in {"OFF", "ERROR", "INFO"}:
        raise bad_request(f"Invalid logging level {patch.value!r}: give one of OFF, ERROR, INFO")
    return patch.value


def _strategy(patch: Patch) -> str:
    if patch.value not in _STRATEGIES:
        raise bad_request(
            f"Invalid unauthorizedCacheControlHeaderStrategy {patch.value!r}: give one of {', '.join(_STRATEGIES)}"
        )
    return patch.value


_STRATEGIES: Final = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")

_SETTINGS: Final[Mapping[str, tuple[str, Callable[[Patch], Any]]]] = {
    "metrics/enabled": ("metrics_enabled", flag),
    "logging/loglevel": ("logging_level", _logging_level),
    "logging/dataTrace": ("data_trace_enabled", flag),
    "throttling/burstLimit": ("throttling_burst_limit", _burst),
    "throttling/rateLimit": ("throttling_rate_limit", _rate),
    "caching/enabled": ("caching_enabled", flag),
    "caching/ttlInSeconds": ("cache_ttl_in_seconds", _ttl),
    "caching/dataEncrypted": ("cache_data_encrypted", flag),
    "caching/requireAuthorizationForCacheControl": ("require_authorization_for_cache_control", flag),
    "caching/unauthorizedCacheControlHeaderStrategy": ("unauthorized_cache_control_header_strategy", _strategy),
}

_SETTING_PATH: Final = re.compile(r"/(?P<key>.*/[A-Z*]+)/(?P<setting>[a-z]+/[A-Za-z]+)", re.DOTALL)
