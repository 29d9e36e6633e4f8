"""boto3 clients of one region, their errors told apart by whether trying again can help."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from headgate.release.failures import Refused, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_lambda import LambdaClient

_TRY_AGAIN: Final = frozenset({
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
    "ServiceUnavailableException",
    "InternalFailure",
    "ServiceException",
    "ResourceConflictException",  # an update of the function is in progress
    "ConflictException",
    "PreconditionFailedException",  # somebody else was first: what is so is read anew
    "RequestTimeout",
    "ExpiredTokenException",
})  # fmt: skip


class Clients:
    """Clients of one region, made when they are first wanted. `endpoint_url` is "" for AWS."""

    def __init__(self, region: str, endpoint_url: str = "", account_id: str = "", user_agent: str = "") -> None:
        """`user_agent` stands behind the SDK's own, for histories and trails."""
        self.region: Final = region
        self.endpoint_url: Final = endpoint_url.rstrip("/")
        self._account_id = account_id
        self._user_agent = user_agent
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()
        self._health: dict[str, Any] | None = None  # of a Headgate; {} of what is none

    def client(self, service: str) -> Any:
        return self._make(service, service, read_timeout_s=60.0, attempts=3)

    def invoker(self, timeout_s: float) -> "LambdaClient":
        """For a function that may take so long, and must not be called again when it does."""
        client: LambdaClient = self._make(f"lambda {timeout_s}", "lambda", read_timeout_s=timeout_s, attempts=1)
        return client

    def _make(self, name: str, service: str, *, read_timeout_s: float, attempts: int) -> Any:
        import boto3  # half a second that only releases pay for
        from botocore.config import Config

        with self._making:
            if name not in self._made:
                self._made[name] = boto3.session.Session().client(
                    service,  # type: ignore[call-overload]  # any service
                    region_name=self.region,
                    endpoint_url=self.endpoint_url or None,
                    config=Config(
                        user_agent_extra=self._user_agent,
                        connect_timeout=5,
                        read_timeout=read_timeout_s,
                        retries={"mode": "standard", "total_max_attempts": attempts},
                    ),
                    **self._key(),
                )
                if service == "apigateway":
                    self._made[name].meta.events.register("after-call.apigateway", _with_canary_settings)
            return self._made[name]

    @property
    def apigateway(self) -> "APIGatewayClient":
        client: APIGatewayClient = self.client("apigateway")
        return client

    @property
    def lambda_(self) -> "LambdaClient":
        client: LambdaClient = self.client("lambda")
        return client

    @property
    def is_headgate(self) -> bool:
        """Whether the endpoint is a Headgate, and so has what AWS lacks. Raises Unavailable."""
        return bool(self._headgate())

    @property
    def gateway_url(self) -> str:
        """Where a Headgate's stages answer; "" for AWS. Raises Unavailable."""
        return str(self._headgate().get("gateway", ""))

    def _headgate(self) -> dict[str, Any]:
        if self._health is None:
            self._health = _health(self.endpoint_url) if self.endpoint_url else {}
        return self._health

    def close(self) -> None:
        for client in self._made.values():
            client.close()

    def _key(self) -> dict[str, str]:
        """A Headgate's account is named by the key (wire.sigv4); and boto3 will not go without one."""
        import boto3

        if self._account_id:
            return {"aws_access_key_id": self._account_id, "aws_secret_access_key": "headgate"}
        if self.endpoint_url and boto3.session.Session().get_credentials() is None:
            return {"aws_access_key_id": "headgate", "aws_secret_access_key": "headgate"}
        return {}


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Names what failed. Raises Refused and Unavailable."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoRegionError,
        ParamValidationError,
        ProfileNotFound,
        ValidationError,
    )

    try:
        yield
    except (ParamValidationError, ValidationError, NoRegionError, ProfileNotFound) as error:
        raise Refused(f"{what}: {error}") from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = str(error.response.get("Error", {}).get("Message", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        told = f"{what}: {message or code}"
        if status >= 500 or code in _TRY_AGAIN:
            raise Unavailable(told) from error
        raise Refused(told) from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: {error}") from error


def _with_canary_settings(http_response: Any, parsed: dict[str, Any], **_: object) -> None:
    """The SDK drops what its models do not know, and pins are Headgate's own (docs/canaries.md): put them back."""
    known = parsed.get("canarySettings")
    if known is not None:
        parsed["canarySettings"] = {**json.loads(http_response.content)["canarySettings"], **known}


def _health(endpoint_url: str) -> dict[str, Any]:
    """What a Headgate says of itself; {} where something else answers. Raises Unavailable."""
    try:
        with urllib.request.urlopen(f"{endpoint_url}/_headgate/health", timeout=10) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        error.close()
        return {}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unavailable(f"nothing answers at {endpoint_url}: {error}") from error
