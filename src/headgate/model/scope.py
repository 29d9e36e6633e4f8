"""Whom a control-plane request is for: the account and region that own what it names, and the service it speaks to."""

from headgate.model.value import Value


class Scope(Value, frozen=True):
    """What the credential scope of a request's signature says. An unsigned request has the defaults."""

    account_id: str  # 12 digits
    region: str
    service: str = ""  # the signing name, such as "apigateway" or "monitoring"; "" when unsigned
    access_key: str = ""  # "" when unsigned
