"""What X-Ray's operations work on."""

from typing import Final

from headgate.telemetry.traces.sampling import Sampler
from headgate.telemetry.traces.store import TraceStore


class XrayPorts:
    def __init__(self, traces: TraceStore, sampler: Sampler) -> None:
        self.traces: Final = traces
        self.sampler: Final = sampler
