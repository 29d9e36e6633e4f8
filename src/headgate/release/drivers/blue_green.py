"""Strategy blue-green: the change stands on another stage until that one's deployment and variables become the stage's.

The stages swap what they serve, so the callers' URL stays and the old side is kept, whole, on the other stage.
"""

from msgspec.structs import replace as replaced_fields

from headgate.release.drift import variables_of_change
from headgate.release.drivers.driver import known_before
from headgate.release.drivers.pins import all_versions
from headgate.release.drivers.stage import StageDriver
from headgate.release.events import Snapshot
from headgate.release.rollout import Track


class BlueGreenDriver(StageDriver):
    """See `driver.Driver`."""

    @property
    def checked_stage(self) -> str:
        return self._release.green or ""

    def problems(self) -> list[str]:
        self._idle.read()  # that it is there
        return super().problems()

    def snapshot(self) -> Snapshot:
        idle = self._idle.snapshot()
        return replaced_fields(super().snapshot(), idle_deployment_id=idle.deployment_id, idle_variables=idle.variables)

    def shift(self, track: Track, percent: float) -> None:  # noqa: ARG002 - it is always 0
        """The idle stage gets the change; nobody's traffic moves."""
        before = known_before(track)
        variables = variables_of_change(self._release, before)
        self._idle.serve(self._deployment_of(track), variables, track.versions, is_called=False)

    def promote(self, track: Track, part: str) -> None:
        if part != "idle":
            super().promote(track, part)
            return
        before = known_before(track)
        old = all_versions(before.aliases) if track.versions else {}
        self._idle.serve(before.deployment_id or "", before.variables, old, is_called=False)

    def undo(self, track: Track, part: str, *, promoted: bool) -> None:
        if part != "idle":
            super().undo(track, part, promoted=promoted)
            return
        before = known_before(track)
        self._idle.serve(before.idle_deployment_id or "", before.idle_variables, {}, is_called=False)
        self._idle.remove_canary()

    @property
    def _idle(self) -> StageDriver:
        """The other stage, as a driver of its own."""
        return StageDriver(replaced_fields(self._release, stage=self._release.green), self._clients, self.stage.api_id)
