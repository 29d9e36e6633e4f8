"""Identifiers: their types, and how new ones are made."""

import random
import secrets
import uuid
from typing import Final, NewType

RestApiId = NewType("RestApiId", str)
ResourceId = NewType("ResourceId", str)
DeploymentId = NewType("DeploymentId", str)
StageName = NewType("StageName", str)

_ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_rest_api_id() -> RestApiId:
    """Ten lower-case letters and digits, which also make a valid host label."""
    return RestApiId(_random_text(10))


def new_resource_id() -> ResourceId:
    return ResourceId(_random_text(6))


def new_root_resource_id() -> ResourceId:
    return ResourceId(_random_text(10))


def new_deployment_id() -> DeploymentId:
    return DeploymentId(_random_text(6))


def new_revision_id() -> str:
    """A UUID, as Lambda's RevisionId."""
    return str(uuid.uuid4())


def new_request_id() -> str:
    """A random UUID (version 4) at a fifth of `uuid4`'s cost: one is made per request, and it guards nothing."""
    digits = f"{random_bits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


random_bits: Final = random.Random(secrets.randbits(256)).getrandbits
"""Fast random bits for what names and does not guard."""


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))
