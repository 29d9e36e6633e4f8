"""An account's settings for API Gateway."""

from headgate.model.stage import ACCOUNT_BURST_LIMIT, ACCOUNT_RATE_LIMIT
from headgate.model.value import Value


class ThrottleSettings(Value, frozen=True, rename="camel"):
    burst_limit: int = ACCOUNT_BURST_LIMIT
    rate_limit: float = ACCOUNT_RATE_LIMIT


class Account(Value, frozen=True, rename="camel"):
    cloudwatch_role_arn: str | None = None
    throttle_settings: ThrottleSettings = ThrottleSettings()
    features: tuple[str, ...] = ("UsagePlans",)
    api_key_version: str = "4"
