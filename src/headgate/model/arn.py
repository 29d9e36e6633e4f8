"""Amazon resource names: the few forms that the gateway reads and writes."""

import re
from functools import cache, lru_cache
from typing import Final

from headgate.model.value import Value

_FUNCTION_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[\w-]*):lambda:(?P<region>[\w-]+):(?P<account>\d{12}):function:"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)

# The FunctionName of Lambda's service model: a name, a partial ARN or a full one, each with or without a qualifier.
_FUNCTION_NAME: Final = re.compile(
    r"(?:arn:aws[\w-]*:lambda:)?(?:(?P<region>[a-z]+(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_.-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+))?",
    re.ASCII,
)


class FunctionRef(Value, frozen=True, order=True):
    """A function as an ARN names it; `qualifier` is "" for the unqualified form."""

    account_id: str
    region: str
    name: str
    qualifier: str = ""

    @property
    def unqualified(self) -> "FunctionRef":
        return FunctionRef(account_id=self.account_id, region=self.region, name=self.name)

    @property
    def arn(self) -> str:
        return function_arn(self.account_id, self.region, self.name, self.qualifier)


@lru_cache(maxsize=4096)  # asked at each call of a function
def function_arn(account_id: str, region: str, name: str, qualifier: str = "") -> str:
    base = f"arn:aws:lambda:{region}:{account_id}:function:{name}"
    return f"{base}:{qualifier}" if qualifier else base


def parse_function_arn(arn: str) -> FunctionRef | None:
    """Read a function's ARN, qualified or not; None when it is not one."""
    found = _FUNCTION_ARN.fullmatch(arn)
    if found is None:
        return None
    return FunctionRef(
        account_id=found["account"], region=found["region"], name=found["name"], qualifier=found["qualifier"] or ""
    )


def parse_function_name(text: str) -> FunctionRef | None:
    """Read a FunctionName in any of its forms; None when it has none of them.

    `name[:qualifier]`, `[region:]account:function:name[:qualifier]` or an ARN. What it does not say is "".
    """
    found = _FUNCTION_NAME.fullmatch(text)
    if found is None:
        return None
    return FunctionRef(
        account_id=found["account"] or "",
        region=found["region"] or "",
        name=found["name"],
        qualifier=found["qualifier"] or "",
    )


def log_group_arn(region: str, account_id: str, name: str) -> str:
    """Without the `:*` that CloudWatch Logs shows after some."""
    return f"arn:aws:logs:{region}:{account_id}:log-group:{name}"


def rest_api_arn(region: str, api_id: str) -> str:
    """The control-plane ARN of a REST API; it carries no account (aws-semantics section 0)."""
    return f"arn:aws:apigateway:{region}::/restapis/{api_id}"


def stage_arn(region: str, api_id: str, stage_name: str) -> str:
    return f"{rest_api_arn(region, api_id)}/stages/{stage_name}"


def method_source_arn(region: str, account_id: str, api_id: str, stage: str, method: str, resource_path: str) -> str:
    """The source ARN under which a method calls a function (aws-semantics 3.7). `{param}` stands as `*`."""
    path = re.sub(r"\{[^}]*\}", "*", resource_path)
    return f"arn:aws:execute-api:{region}:{account_id}:{api_id}/{stage}/{method}{path}"


def arn_like(pattern: str, arn: str) -> bool:
    """IAM's ArnLike: `*` and `?` within each colon-separated part; the sixth part holds all the rest.

    Wildcards cross slashes and never colons (aws-semantics 9.3).
    """
    return _arn_pattern(pattern).fullmatch(arn) is not None


@cache
def _arn_pattern(pattern: str) -> re.Pattern[str]:
    parts = pattern.split(":", 5)
    return re.compile(":".join(_part_pattern(part, last=at == 5) for at, part in enumerate(parts)), re.DOTALL)


def _part_pattern(part: str, *, last: bool) -> str:
    any_character = "." if last else "[^:]"
    translated = {"*": f"{any_character}*", "?": any_character}
    return "".join(translated.get(character, re.escape(character)) for character in part)
