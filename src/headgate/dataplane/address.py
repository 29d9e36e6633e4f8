"""Which API and stage a call is for, read from its host and path (aws-semantics 3.1)."""

from typing import Final

import msgspec

from headgate.model.call import Call

PATH_STYLE: Final = "/_aws/execute-api/"
OLD_PATH_STYLE: Final = "/restapis/"
_OLD_MARKER: Final = "_user_request_"


class Address(msgspec.Struct, frozen=True, gc=False):
    """`path` is below the stage, as sent, and begins with a slash; `full_path` is with the stage, as AWS shows it."""

    api_id: str
    stage_name: str
    path: str
    full_path: str


def locate(call: Call) -> Address | None:
    """The address of a call; None when neither its host nor its path names an API."""
    path = call.path
    if path.startswith(PATH_STYLE):
        api_id, _, rest = path[len(PATH_STYLE) :].partition("/")
        return _address(api_id, rest)
    api_id, dot, domain = call.host.partition(".")
    if dot and (domain.startswith("execute-api.") or domain == "execute-api"):
        return _address(api_id, path[1:])
    if path.startswith(OLD_PATH_STYLE):
        api_id, _, rest = path[len(OLD_PATH_STYLE) :].partition("/")
        stage_name, _, rest = rest.partition("/")
        if rest == _OLD_MARKER or rest.startswith(f"{_OLD_MARKER}/"):
            return _address(api_id, stage_name + rest[len(_OLD_MARKER) :])
    return None


def _address(api_id: str, rest: str) -> Address:
    """`rest` is the stage and all after it, without a leading slash."""
    # More slashes before the stage are tolerated, and so is a double one after it.
    stage_name, slash, path = rest.lstrip("/").partition("/")
    if path.startswith("/"):
        return Address(api_id, stage_name, "/" + path.lstrip("/"), f"/{stage_name}/{path}")
    return Address(api_id, stage_name, "/" + path, f"/{stage_name}{slash}{path}")
