"""Identifiers: their types, and how new ones are made."""

import itertools
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
    """A UUID (version 4 in form), unique rather than secret: one is made per request, and it guards nothing.

    48 bits of it step through all their values in scrambled order; the others are this process's, drawn at its start.
    """
    scrambled = next(_request_numbers) * _SCRAMBLE & _48_BITS
    return f"{scrambled >> 16:08x}-{scrambled & 0xFFFF:04x}{_PROCESS_PART}"


random_bits: Final = random.Random(secrets.randbits(256)).getrandbits
"""Fast random bits for what names and does not guard."""

_48_BITS: Final = (1 << 48) - 1
_SCRAMBLE: Final = 0x9E3779B97F4B  # odd, so that no value comes twice before all have come
_request_numbers: Final = itertools.count(random_bits(48))
_PROCESS_PART: Final = f"-4{random_bits(12):03x}-a{random_bits(12):03x}-{random_bits(48):012x}"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))
