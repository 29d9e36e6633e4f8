"""MOCK: the gateway answers by itself, with the integration response that the request template's status selects."""

import re
from collections.abc import Mapping
from typing import Final

from headgate.dataplane.integrations.mapped_reply import ResponseMapping, map_reply
from headgate.dataplane.mapping.templates import select_request_template
from headgate.dataplane.ports import BackendReply, Ports
from headgate.dataplane.refusal import ConfigurationError
from headgate.dataplane.request import Request
from headgate.dataplane.snapshot import Reply

# The service takes the key without quotes too: `{statusCode: 200}` (aws-recorded, Invocation).
_STATUS: Final = re.compile(r"\{.*?[\"']?statusCode[\"']?\s*:\s*(\d{3})\b.*\}", re.DOTALL)


class Mock:
    def __init__(self, templates: Mapping[str, str], passthrough: str, responses: tuple[ResponseMapping, ...]) -> None:
        self._templates = templates
        self._passthrough = passthrough
        self._responses = responses

    async def __call__(self, request: Request, ports: Ports) -> Reply:  # noqa: ARG002  the protocol's
        template = select_request_template(self._templates, self._passthrough, request.call)
        status = _STATUS.fullmatch((template or "").strip())
        if status is None:
            raise ConfigurationError(
                "Unable to parse statusCode. It should be an integer and defined in request template"
            )
        return map_reply(self._responses, request, BackendReply(int(status[1]), [], b""), status[1])
