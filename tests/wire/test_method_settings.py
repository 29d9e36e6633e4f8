"""Method settings of a stage: their defaults, their spellings, what a new entry inherits (aws-semantics 1.2)."""

from typing import Any

import pytest

from support.apis import Api, bad_request, patches, refusal

DEFAULTS = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
TTL = "Invalid time-to-live setting, must be an integer no greater than 3600"
STRATEGY = "caching/unauthorizedCacheControlHeaderStrategy"


def settings(api: Api, *operations: tuple[str, ...]) -> Any:
    """The stage's method settings after a patch."""
    return api.patch_stage("prod", *operations)["methodSettings"]


@pytest.mark.parametrize(
    ("setting", "value", "field", "shown"),
    [
        ("metrics/enabled", "true", "metricsEnabled", True),
        ("metrics/enabled", "false", "metricsEnabled", False),
        ("metrics/enabled", "yes", "metricsEnabled", False),
        ("logging/loglevel", "OFF", "loggingLevel", "OFF"),
        ("logging/loglevel", "ERROR", "loggingLevel", "ERROR"),
        ("logging/loglevel", "INFO", "loggingLevel", "INFO"),
        ("logging/dataTrace", "true", "dataTraceEnabled", True),
        ("throttling/burstLimit", "123", "throttlingBurstLimit", 123),
        ("throttling/burstLimit", "0", "throttlingBurstLimit", 0),
        ("throttling/burstLimit", "-1", "throttlingBurstLimit", -1),
        ("throttling/rateLimit", "0.5", "throttlingRateLimit", 0.5),
        ("throttling/rateLimit", "0", "throttlingRateLimit", 0.0),
        ("throttling/rateLimit", "-1", "throttlingRateLimit", -1.0),
        ("throttling/rateLimit", "-1.000000", "throttlingRateLimit", -1.0),
        ("caching/enabled", "true", "cachingEnabled", True),
        ("caching/ttlInSeconds", "0", "cacheTtlInSeconds", 0),
        ("caching/ttlInSeconds", "3600", "cacheTtlInSeconds", 3600),
        ("caching/dataEncrypted", "true", "cacheDataEncrypted", True),
        ("caching/requireAuthorizationForCacheControl", "false", "requireAuthorizationForCacheControl", False),
        (STRATEGY, "FAIL_WITH_403", "unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"),
        (
            STRATEGY,
            "SUCCEED_WITHOUT_RESPONSE_HEADER",
            "unauthorizedCacheControlHeaderStrategy",
            "SUCCEED_WITHOUT_RESPONSE_HEADER",
        ),
    ],
)
@pytest.mark.parametrize("key", ["*/*", "pets/GET"])
def test_the_first_patch_of_one_setting_makes_the_whole_entry(
    staged: Api, key: str, setting: str, value: str, field: str, shown: Any
) -> None:
    assert settings(staged, ("replace", f"/{key}/{setting}", value)) == {key: {**DEFAULTS, field: shown}}
    assert staged.stage()["methodSettings"] == {key: {**DEFAULTS, field: shown}}


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("caching/ttlInSeconds", "3601", TTL),
        ("caching/ttlInSeconds", "-1", TTL),
        ("caching/ttlInSeconds", "1.5", TTL),
        ("caching/ttlInSeconds", "", TTL),
        ("logging/loglevel", "DEBUG", "Invalid logging level 'DEBUG': give one of OFF, ERROR, INFO"),
        ("logging/loglevel", "info", "Invalid logging level 'info': give one of OFF, ERROR, INFO"),
        (
            "throttling/rateLimit",
            "-2",
            "Invalid throttling rate limit -2: give requests per second, or -1 for no limit",
        ),
        (
            "throttling/burstLimit",
            "-2",
            "Invalid throttling burst limit -2: give a number of requests, or -1 for no limit",
        ),
    ],
)
def test_a_value_out_of_bounds_is_refused(staged: Api, setting: str, value: str, message: str) -> None:
    refused = refusal(
        staged.client.update_stage,
        restApiId=staged.id,
        stageName="prod",
        patchOperations=patches(("replace", f"/*/*/{setting}", value)),
    )

    assert refused == bad_request(message)
    assert staged.stage()["methodSettings"] == {}


@pytest.mark.parametrize("value", ["nan", "inf", "many", "", "1e999"])
def test_a_rate_is_a_number(staged: Api, value: str) -> None:
    refused = refusal(
        staged.client.update_stage,
        restApiId=staged.id,
        stageName="prod",
        patchOperations=patches(("replace", "/*/*/throttling/rateLimit", value)),
    )

    assert (refused.code, refused.status) == ("BadRequestException", 400)


@pytest.mark.parametrize("value", ["1.5", "many", "", "inf"])
def test_a_burst_is_a_whole_number(staged: Api, value: str) -> None:
    refused = refusal(
        staged.client.update_stage,
        restApiId=staged.id,
        stageName="prod",
        patchOperations=patches(("replace", "/*/*/throttling/burstLimit", value)),
    )

    assert (refused.code, refused.status) == ("BadRequestException", 400)


@pytest.mark.parametrize(
    "key",
    [
        "*/*",
        "test/GET",
        "~1resource/GET",
        "a~1b/POST",
        "pg/{p}/GET",
        "g/{proxy+}/GET",
        "v1/assets/{x}/price/GET",
        "/GET",
        "~1/GET",
        "pets/PUT",
        "pets/DELETE",
        "pets/PATCH",
        "pets/OPTIONS",
        "pets/HEAD",
        "pets/ANY",
        "metrics/GET",
    ],
)
def test_an_entry_is_keyed_as_the_client_spelled_it(staged: Api, key: str) -> None:
    assert list(settings(staged, ("replace", f"/{key}/metrics/enabled", "true"))) == [key]
    assert settings(staged, ("remove", f"/{key}")) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [("pets/GET", "~1pets/GET"), ("~1a~1b/GET", "a/b/GET"), ("/GET", "~1/GET"), ("a~0b/GET", "a~b/GET")],
)
def test_two_spellings_of_one_method_are_one_entry(staged: Api, first: str, second: str) -> None:
    entries = settings(
        staged,
        ("replace", f"/{first}/metrics/enabled", "true"),
        ("replace", f"/{second}/throttling/burstLimit", "7"),
    )

    assert entries == {first: {**DEFAULTS, "metricsEnabled": True, "throttlingBurstLimit": 7}}
    assert settings(staged, ("remove", f"/{second}")) == {}


def test_a_new_entry_of_a_method_is_a_copy_of_the_defaults_as_they_are_then(staged: Api) -> None:
    settings(staged, ("replace", "/*/*/throttling/burstLimit", "123"), ("replace", "/*/*/logging/loglevel", "INFO"))

    # In the order of the operations: `test/GET` is made after caching is switched on, `late/GET` after it is off again.
    entries = settings(
        staged,
        ("replace", "/*/*/caching/enabled", "true"),
        ("replace", "/test/GET/throttling/burstLimit", "124"),
        ("replace", "/*/*/caching/enabled", "false"),
        ("replace", "/late/GET/metrics/enabled", "true"),
    )

    base = {**DEFAULTS, "throttlingBurstLimit": 123, "loggingLevel": "INFO"}
    assert entries == {
        "*/*": base,
        "test/GET": {**base, "throttlingBurstLimit": 124, "cachingEnabled": True},
        "late/GET": {**base, "metricsEnabled": True},
    }


def test_a_later_change_of_the_defaults_leaves_the_entries_of_methods_alone(staged: Api) -> None:
    settings(staged, ("replace", "/*/*/throttling/burstLimit", "123"), ("replace", "/test/GET/metrics/enabled", "true"))

    entries = settings(staged, ("replace", "/*/*/throttling/burstLimit", "100"))

    assert (entries["*/*"]["throttlingBurstLimit"], entries["test/GET"]["throttlingBurstLimit"]) == (100, 123)


def test_removing_the_defaults_leaves_the_entries_of_methods(staged: Api) -> None:
    settings(staged, ("replace", "/*/*/metrics/enabled", "true"), ("replace", "/test/GET/metrics/enabled", "true"))

    assert list(settings(staged, ("remove", "/*/*"))) == ["test/GET"]


@pytest.mark.parametrize("setting", ["burstLimit", "rateLimit"])
def test_a_limit_of_zero_throttles_everything_at_once_and_minus_one_nothing(staged: Api, setting: str) -> None:
    seen = []
    for value in ("0", "-1", "0"):
        staged.patch_stage("prod", ("replace", f"/*/*/throttling/{setting}", value))
        seen.append(staged.get().status)

    assert seen == [429, 200, 429]


def test_the_entry_of_a_method_goes_before_the_defaults(staged: Api) -> None:
    staged.mock(staged.resource("pets"), body="pets")
    staged.deploy("prod")

    staged.patch_stage(
        "prod",
        ("replace", "/pets/GET/throttling/burstLimit", "-1"),
        ("replace", "/*/*/throttling/burstLimit", "0"),
    )

    assert (staged.get().status, staged.get(path="/pets").status) == (429, 200)


@pytest.mark.parametrize("key", ["pets/GET", "~1pets/GET"])
def test_either_spelling_serves_the_method(staged: Api, key: str) -> None:
    staged.mock(staged.resource("pets"), body="pets")
    staged.deploy("prod")

    staged.patch_stage("prod", ("replace", f"/{key}/throttling/burstLimit", "0"))

    assert (staged.get().status, staged.get(path="/pets").status) == (200, 429)


@pytest.mark.parametrize("key", ["/GET", "~1/GET"])
def test_either_spelling_of_the_root_serves_the_root(staged: Api, key: str) -> None:
    staged.mock(staged.resource("pets"), body="pets")
    staged.deploy("prod")

    staged.patch_stage("prod", ("replace", f"/{key}/throttling/burstLimit", "0"))

    assert (staged.get().status, staged.get(path="/pets").status) == (429, 200)


def test_an_entry_of_any_serves_what_an_any_method_serves(staged: Api) -> None:
    staged.mock(staged.resource("pets"), "ANY", body="pets")
    staged.deploy("prod")

    staged.patch_stage("prod", ("replace", "/pets/ANY/throttling/burstLimit", "0"))

    assert staged.get(path="/pets").status == 429


def test_a_removed_throttle_throttles_no_more(staged: Api) -> None:
    staged.patch_stage("prod", ("replace", "/*/*/throttling/burstLimit", "0"))
    throttled = staged.get().status

    staged.patch_stage("prod", ("remove", "/*/*"))

    assert (throttled, staged.get().status) == (429, 200)
