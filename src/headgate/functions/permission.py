"""Whether a statement of a function's policy lets another service call it (aws-semantics 9.3)."""

from typing import Final

from headgate.model.arn import arn_like
from headgate.model.function import PolicyStatement

API_GATEWAY: Final = "apigateway.amazonaws.com"
LOGS: Final = "logs.amazonaws.com"
ALARMS: Final = "lambda.alarms.cloudwatch.amazonaws.com"
TOPICS: Final = "sns.amazonaws.com"
_ACTIONS: Final = frozenset({"lambda:InvokeFunction", "lambda:*", "*"})


def permits(statement: PolicyStatement, source_arn: str, principal: str = API_GATEWAY) -> bool:
    """`source_arn` is the ARN of what calls, such as a method; its fifth part is the calling account."""
    return (
        statement.effect == "Allow"
        and statement.action in _ACTIONS
        and _is_for(statement, principal)
        and _conditions_hold(statement, source_arn)
    )


def _is_for(statement: PolicyStatement, principal: str) -> bool:
    # CloudWatch Logs calls under the name of its region too: logs.us-east-1.amazonaws.com.
    names = (
        {principal} | {principal.replace(".", f".{statement.resource.split(':')[3]}.", 1)}
        if principal == LOGS
        else {principal}
    )
    if isinstance(statement.principal, str):
        return statement.principal in {"*", *names}
    return statement.principal.get("Service") in names or statement.principal.get("AWS") == "*"


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
