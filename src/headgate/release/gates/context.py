"""What a gate is told of the release that it is part of."""

import os
from collections.abc import Mapping
from typing import Any

from headgate.model.value import Value
from headgate.release.failures import Refused


class GateContext(Value, frozen=True):
    """One act of a release in one region."""

    key: str  # idempotency key, release/attempt/region/step: the same when the act is done again after a crash
    release: str
    region: str
    stage_url: str = ""  # base URL of the stage; "": not known
    headers: Mapping[str, str] = {}  # the test header, which routes to the canary; its values stay out of messages
    folder: str = ""  # working directory of commands; "": this process's
    environment: Mapping[str, str] = {}  # more variables for commands
    artefacts: Mapping[str, str] = {}  # SHA-256 of what is released, by function

    @property
    def step(self) -> str:
        return self.key.split("/", 3)[-1]


def payload(context: GateContext) -> dict[str, Any]:
    """What functions and webhooks are sent, as JSON."""
    return {
        "release": context.release,
        "key": context.key,
        "region": context.region,
        "step": context.step,
        "artefacts": dict(context.artefacts),
        "stageUrl": context.stage_url,
    }


def variables(context: GateContext) -> dict[str, str]:
    """The environment of a command: this process's, but for Headgate's own settings, among which are secrets."""
    told = {
        "HEADGATE_RELEASE": context.release,
        "HEADGATE_REGION": context.region,
        "HEADGATE_STEP": context.step,
        "HEADGATE_STAGE_URL": context.stage_url,
        # Not HEADGATE_KEY: that setting is what a server encrypts its secrets with.
        "HEADGATE_IDEMPOTENCY_KEY": context.key,
        "HEADGATE_TEST_HEADER": "\n".join(f"{name}: {value}" for name, value in context.headers.items()),
    }
    return {**inherited(), **told, **context.environment}


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}


def is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def url_of(place: str, context: GateContext) -> tuple[str, Mapping[str, str]]:
    """Where a request of a gate goes, and the headers that routing needs: a path is one below the stage.

    The test header is for the stage alone. Raises Refused.
    """
    if is_url(place):
        return place, {}
    if not context.stage_url:
        raise Refused(f"{place} is a path below the stage, whose URL is not known; write a URL")
    return f"{context.stage_url.rstrip('/')}/{place.lstrip('/')}", context.headers
