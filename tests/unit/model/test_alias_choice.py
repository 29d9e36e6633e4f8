"""Which version of an alias runs a call."""

import pytest

from headgate.model.function import Alias, RoutingConfig, choose_version


def an_alias(**weights: float) -> Alias:
    routing = RoutingConfig(
        additional_version_weights={name.removeprefix("v"): share for name, share in weights.items()}
    )
    return Alias(
        name="live",
        alias_arn="arn",
        function_version="1",
        revision_id="r",
        function_name="hello",
        account_id="111111111111",
        region="eu-west-1",
        routing_config=routing if weights else None,
    )


@pytest.mark.parametrize(
    ("weight", "draw", "version"),
    [
        (0.25, 0.0, "2"),
        (0.25, 0.2499, "2"),
        (0.25, 0.25, "1"),
        (0.25, 0.9999, "1"),
        (0.0, 0.0, "1"),
        (1.0, 0.9999, "2"),
    ],
)
def test_the_second_version_has_its_weight_of_all_draws(weight: float, draw: float, version: str) -> None:
    assert choose_version(an_alias(v2=weight), draw) == version


def test_without_weights_the_first_version_has_all_calls() -> None:
    assert choose_version(an_alias(), 0.0) == "1"
    assert an_alias().versions == ("1",)


def test_an_alias_names_all_its_versions_the_first_one_first() -> None:
    assert an_alias(v2=0.0).versions == ("1", "2")
