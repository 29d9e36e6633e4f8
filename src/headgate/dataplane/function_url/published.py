"""The function URLs as they are published, and which of them a call is for."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from headgate.model.call import Call
from headgate.model.function import PolicyStatement
from headgate.model.function_url import FunctionUrl

PATH_STYLE: Final = "/_aws/lambda-url/"
_DOMAIN: Final = "lambda-url"
_ACTIONS: Final = frozenset({"lambda:InvokeFunctionUrl", "lambda:*", "*"})


class PublishedUrl(msgspec.Struct, frozen=True):
    """One URL, with what its function's policy says of it decided beforehand."""

    url: FunctionUrl
    open_to_all: bool  # AuthType NONE, and the policy lets everyone in


class UrlAddress(msgspec.Struct, frozen=True, gc=False):
    url_id: str
    path: str  # as sent; begins with a slash


class FunctionUrls:
    """All published URLs by their ids. A publication swaps one entry."""

    def __init__(self) -> None:
        self._urls: dict[str, PublishedUrl] = {}
        self._of_function: dict[tuple[str, str, str], frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"<FunctionUrls {len(self._urls)}>"

    def find(self, url_id: str) -> PublishedUrl | None:
        return self._urls.get(url_id)

    def publish(self, function: tuple[str, str, str], urls: Iterable[PublishedUrl]) -> None:
        """These are all URLs of a function (its account, region and name) from the next call on."""
        now = {each.url.url_id: each for each in urls}
        for gone in self._of_function.pop(function, frozenset()) - now.keys():
            del self._urls[gone]
        self._urls.update(now)
        if now:
            self._of_function[function] = frozenset(now)


def published(url: FunctionUrl, policies: Mapping[str, tuple[PolicyStatement, ...]]) -> PublishedUrl:
    """`policies` are those of the URL's function, by qualifier. A URL of an alias is judged by the alias's alone."""
    statements = policies.get(url.function.qualifier, ())
    open_to_all = url.auth_type == "NONE" and any(_opens(each) for each in statements)
    return PublishedUrl(url, open_to_all)


def locate_url(call: Call) -> UrlAddress | None:
    """The URL that a call is for: `{urlId}.lambda-url.{anything}` by host, or path style; None for any other call."""
    if call.path.startswith(PATH_STYLE):
        url_id, _, path = call.path[len(PATH_STYLE) :].partition("/")
        return UrlAddress(url_id, f"/{path}")
    url_id, _, domain = call.host.partition(".")
    if domain == _DOMAIN or domain.startswith(f"{_DOMAIN}."):
        return UrlAddress(url_id, call.path)
    return None


def _opens(statement: PolicyStatement) -> bool:
    """Whether a statement lets everyone call the URL (Developer Guide, "Control access to Lambda function URLs")."""
    to_all = statement.principal == "*" or (
        isinstance(statement.principal, Mapping) and statement.principal.get("AWS") == "*"
    )
    if not to_all or statement.effect != "Allow" or statement.action not in _ACTIONS:
        return False
    for operator, wanted in (statement.condition or {}).items():
        for key, value in wanted.items():
            match operator, key.lower():
                case ("StringEquals", "lambda:functionurlauthtype"):
                    holds = value == "NONE"
                case ("Bool", "lambda:invokedviafunctionurl"):
                    holds = value == "true"
                case _:
                    holds = False  # a condition that an anonymous call has no value for
            if not holds:
                return False
    return True
