"""Whether a statement of a function's policy lets API Gateway call it (aws-semantics 9.3)."""

from typing import Final

from headgate.model.arn import arn_like
from headgate.model.function import PolicyStatement

API_GATEWAY: Final = "apigateway.amazonaws.com"
_ACTIONS: Final = frozenset({"lambda:InvokeFunction", "lambda:*", "*"})


def permits(statement: PolicyStatement, source_arn: str) -> bool:
    """`source_arn` is the execute-api ARN of the calling method; its fifth part is the calling account."""
    return (
        statement.effect == "Allow"
        and statement.action in _ACTIONS
        and _is_for_api_gateway(statement)
        and _conditions_hold(statement, source_arn)
    )


def _is_for_api_gateway(statement: PolicyStatement) -> bool:
    if isinstance(statement.principal, str):
        return statement.principal in {"*", API_GATEWAY}
    return statement.principal.get("Service") == API_GATEWAY or statement.principal.get("AWS") == "*"


def _conditions_hold(statement: PolicyStatement, source_arn: str) -> bool:
    for operator, wanted in (statement.condition or {}).items():
        for key, value in wanted.items():
            match operator, key.lower():
                case ("ArnLike", "aws:sourcearn"):
                    holds = arn_like(value, source_arn)
                case ("StringEquals", "aws:sourceaccount"):
                    holds = source_arn.split(":")[4] == value
                case _:
                    holds = False  # a condition that API Gateway's call has no value for
            if not holds:
                return False
    return True
