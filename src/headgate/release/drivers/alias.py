"""Strategy rolling: shares of Lambda aliases, no API in between."""

from headgate.model.release import Release
from headgate.release.drift import alias_key
from headgate.release.drivers.alarms import alarm_problems, alarm_states
from headgate.release.drivers.calls import Clients
from headgate.release.drivers.driver import known_before
from headgate.release.drivers.functions import ReleaseFunctions
from headgate.release.events import AliasTarget, Snapshot
from headgate.release.failures import Refused
from headgate.release.rollout import Track
from headgate.release.seen import Target


class AliasDriver:
    """See `driver.Driver`."""

    def __init__(self, release: Release, clients: Clients) -> None:
        self._release = release
        self._clients = clients
        self._functions = ReleaseFunctions(release, clients)

    def problems(self) -> list[str]:
        return [*self._functions.problems(), *alarm_problems(self._clients, self._release.analysis.alarms)]

    def read(self) -> Target:
        return Target(
            aliases=self._functions.aliases(), alarms=alarm_states(self._clients, self._release.analysis.alarms)
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(aliases=self._functions.aliases())

    def publish(self, function: str, code: bytes) -> str:
        return self._functions.publish(function, code)

    def deploy(self, key: str) -> str:
        raise Refused(f"strategy rolling deploys no API ({key})")

    def shift(self, track: Track, percent: float) -> None:
        before = known_before(track)
        for function, version in track.versions.items():
            old = before.aliases[alias_key(function, self._release.change.functions[function].alias)].version
            weights = {version: percent / 100} if percent and version != old else {}
            self._functions.set_alias(function, AliasTarget(version=old, weights=weights))

    def put_back(self, track: Track) -> None:
        if track.promoted:
            self._functions.move(track.versions)
        elif track.percent is None:
            self._functions.restore(known_before(track).aliases)
        else:
            self.shift(track, track.percent)

    def promote(self, track: Track, part: str) -> None:  # noqa: ARG002 - there is one
        self._functions.move(track.versions)

    def undo(self, track: Track, part: str, *, promoted: bool) -> None:  # noqa: ARG002 - the same
        self._functions.restore(known_before(track).aliases)
