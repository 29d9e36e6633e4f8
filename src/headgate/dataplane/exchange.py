"""One answered request, whole: what the logs and the trace tell of it."""

import msgspec

from headgate.dataplane.refusal import Refusal
from headgate.dataplane.request import Request
from headgate.model.call import Response


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """Made once a request is answered, and only where something will be told of it. Times are in seconds."""

    request: Request
    response: Response
    refusal: Refusal | None  # why the gateway itself answered
    before_s: float  # from the request's arrival to its integration's start; negative when it did not get so far
    integration_s: float  # that the integration took; negative likewise
    latency_s: float  # from the arrival to the answer

    @property
    def ended_ms(self) -> int:
        """When it was answered, in milliseconds since the epoch."""
        return int((self.request.call.received_at + self.latency_s) * 1000)
