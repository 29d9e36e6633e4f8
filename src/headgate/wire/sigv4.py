"""The credential scope of a signed request: who asks, for which region, of which service.

Signatures are NOT verified. The control plane listens on loopback only and the SDKs insist on signing with some key, so
the scope is taken for information: it picks the service, the region and the account. Whoever binds the control plane to
another address has to put something before it that authenticates.

An access key of twelve digits names the account, as it does with moto and LocalStack; any other key means the default.
"""

import re
from typing import Final

from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, query_pairs

DEFAULT_ACCOUNT: Final = "000000000000"
DEFAULT_REGION: Final = "us-east-1"

_CREDENTIAL: Final = re.compile(r"AWS4-(?:HMAC-SHA256|ECDSA-P256-SHA256)\s.*?Credential=([^,\s]+)")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")


def scope_of(
    request: HttpRequest, default_account: str = DEFAULT_ACCOUNT, default_region: str = DEFAULT_REGION
) -> Scope:
    """The scope from the Authorization header, or from a presigned URL; the defaults where there is none to be read."""
    credential = _credential(request)
    match credential.split("/"):
        case [access_key, _date, region, service, "aws4_request"]:
            pass
        case [access_key, _date, service, "aws4_request"]:  # SigV4A: its regions are in a header
            region = request.headers.get("x-amz-region-set", "").partition(",")[0].strip("* ")
        case _:
            return Scope(account_id=default_account, region=default_region)
    return Scope(
        account_id=access_key if _ACCOUNT.fullmatch(access_key) else default_account,
        region=region or default_region,
        service=service.lower(),
        access_key=access_key,
    )


def unsigned_headers(service: str, scope: Scope) -> dict[str, str]:
    """Host and credential scope of a request of the server's own to another service.

    An emulator reads the account from the access key and verifies nothing; a forwarder to AWS itself signs anew.
    """
    credential = f"{scope.account_id}/20000101/{scope.region}/{service}/aws4_request"
    return {
        "host": f"{service}.{scope.region}.amazonaws.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
    }


def _credential(request: HttpRequest) -> str:
    if found := _CREDENTIAL.match(request.headers.get("authorization", "")):
        return found[1]
    if "X-Amz-Credential=" in request.query:
        return dict(query_pairs(request.query)).get("X-Amz-Credential", "")
    return ""
