"""Strategies canary and all-at-once: one stage, its canary beside it."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace as replaced_fields

from headgate.model.release import Release
from headgate.release.drift import variables_of_change, versions_of_change
from headgate.release.drivers.alarms import alarm_problems, alarm_states
from headgate.release.drivers.calls import Clients
from headgate.release.drivers.driver import known_before
from headgate.release.drivers.functions import ReleaseFunctions
from headgate.release.drivers.pins import AliasPins, NativePins, Pins, all_versions
from headgate.release.drivers.stage_calls import StageCalls
from headgate.release.drivers.stage_patches import (
    CANARY,
    canary_patches,
    percent_text,
    promotion_patches,
    replaced,
    stage_patches,
    without_pins,
)
from headgate.release.events import Snapshot
from headgate.release.failures import Refused, Unavailable
from headgate.release.rollout import Track
from headgate.release.seen import StageSeen, Target


class StageDriver:
    """See `driver.Driver`."""

    def __init__(self, release: Release, clients: Clients, api_id: str | None = None) -> None:
        """`api_id` is that of the release's start, whatever is called so now."""
        self._release = release
        self._clients = clients
        self.stage: Final = StageCalls(clients, release.api or "", release.stage or "", api_id)
        self._functions = ReleaseFunctions(release, clients)
        self._pins_found: Pins | None = None

    @property
    def checked_stage(self) -> str:
        """The stage that the change can be asked at before it has all traffic."""
        return self.stage.name

    def problems(self) -> list[str]:
        stage = self.stage.read()
        release = self._release
        found = []
        if stage.canary is not None:
            found.append(
                f"stage {self.stage.name} has a canary already, deployment {stage.canary.deployment_id} with "
                f"{stage.canary.percent:g} % of the traffic: promote it or remove it first"
            )
        found += [
            f"stage {self.stage.name} has no variable {name}, which the release requires: set it on the stage, "
            "or in change.variables"
            for name in release.require.variables
            if name not in stage.variables and name not in release.change.variables
        ]
        deployment_id = release.change.deployment
        if deployment_id not in {None, "current"} and not self.stage.has_deployment(deployment_id or ""):
            found.append(f"API {self.stage.api_id} has no deployment {release.change.deployment}")
        if not self._clients.is_headgate:
            found += [
                f"{name} is a feature of Headgate's gateway, which {self._clients.endpoint_url or 'AWS'} has not: "
                "leave it out of the file"
                for name in ("mirror", "route", "sticky")
                if getattr(release, name) is not None
            ]
        found += self._functions.problems()
        if release.change.functions:
            found += self._pins.problems()
        return found + alarm_problems(self._clients, release.analysis.alarms)

    def read(self) -> Target:
        return Target(
            stage=self._told(self.stage.read()),
            aliases=self._functions.aliases(),
            alarms=alarm_states(self._clients, self._release.analysis.alarms),
        )

    def _told(self, stage: StageSeen) -> StageSeen:
        """With what is pinned in the place of what pins it."""
        if stage.canary is None or not self._release.change.functions:
            return stage
        return replaced_fields(stage, canary=self._pins.seen(stage.canary))

    def snapshot(self) -> Snapshot:
        stage = self.stage.read()
        return Snapshot(deployment_id=stage.deployment_id, variables=stage.variables, aliases=self._functions.aliases())

    def publish(self, function: str, code: bytes) -> str:
        return self._functions.publish(function, code)

    def deploy(self, key: str) -> str:
        return self.stage.deploy(key)

    def shift(self, track: Track, percent: float) -> None:
        before, deployment_id = known_before(track), self._deployment_of(track)
        extensions, overrides = self._pins.canary(track.versions) if track.versions else ({}, {})
        overrides = {**self._release.change.variables, **overrides}
        answer = self.stage.update(
            f"shifting to {percent:g} %",
            canary_patches(deployment_id, percent, overrides, {**self._canary_features(), **extensions}),
        )
        canary = answer.canary
        if canary is None or canary.percent != percent or canary.deployment_id != deployment_id:
            raise Unavailable(f"stage {self.stage.name} reads back {canary}, not {percent:g} % to {deployment_id}")
        if answer.deployment_id != before.deployment_id:
            raise Unavailable(f"stage {self.stage.name} serves {answer.deployment_id}, not {before.deployment_id}")

    def put_back(self, track: Track) -> None:
        before = known_before(track)
        if track.promoted:
            self._functions.move(track.versions)
            self.serve(self._deployment_of(track), variables_of_change(self._release, before), {})
            self.remove_canary()
            return
        self._functions.restore(before.aliases)
        stage = self.stage.read()
        if stage.deployment_id != before.deployment_id or dict(stage.variables) != dict(before.variables):
            self.serve(before.deployment_id or "", before.variables, {})
        if self._release.strategy != "canary" or track.percent is None or self._has_added_variable(stage):
            self.remove_canary()
        elif self._clients.is_headgate:
            added = without_pins(stage, versions_of_change(self._release, track))
            if added:
                self.stage.update("taking pins out", added)
        if track.percent is not None:
            self.shift(track, track.percent)

    def _has_added_variable(self, stage: StageSeen) -> bool:
        """Whether the canary has a variable that is not the release's: that AWS takes one out again is not known."""
        canary = self._told(stage).canary
        return canary is not None and not set(canary.overrides) <= set(self._release.change.variables)

    def promote(self, track: Track, part: str) -> None:
        match part:
            case "traffic" if self._release.strategy == "canary":
                self._promote_canary(track)
            case "traffic":
                before = known_before(track)
                self.serve(self._deployment_of(track), variables_of_change(self._release, before), track.versions)
            case "aliases":
                self._functions.move(track.versions)
            case "clean":
                self._settle(track.versions)
            case _:
                raise Refused(f"a stage has no part {part!r} to promote")

    def undo(self, track: Track, part: str, *, promoted: bool) -> None:
        before = known_before(track)
        old = all_versions(before.aliases) if self._release.change.functions else {}
        match part:
            case "traffic" if not promoted:
                stage = self.stage.read()
                if stage.canary is not None and stage.canary.percent:
                    self.stage.update("taking the traffic back", [replaced(f"{CANARY}/percentTraffic", "0.0")])
            case "traffic":
                self.serve(before.deployment_id or "", before.variables, old)
            case "aliases":
                self._functions.restore(before.aliases)
            case "clean" if not promoted:
                self.remove_canary()
                if self._release.change.functions:
                    self._pins.clear()
            case "clean":
                self._settle(old)
            case _:
                raise Refused(f"a stage has no part {part!r} to roll back")

    @property
    def _pins(self) -> Pins:
        if self._pins_found is None:
            native = self._clients.is_headgate
            kind = NativePins if native else AliasPins
            self._pins_found = kind(self._release, self._clients, self.stage.api_id)
        return self._pins_found

    def _deployment_of(self, track: Track) -> str:
        return track.deployment_id or known_before(track).deployment_id or ""

    def _canary_features(self) -> dict[str, str]:
        """What only Headgate's gateway has, as paths below /canarySettings."""
        release, features = self._release, {}
        if release.mirror is not None:
            features["mirrorPercent"] = percent_text(release.mirror.percent)
            features["mirrorCompare"] = str(release.mirror.compare).lower()
        if release.route is not None:
            features["routeHeader"] = release.route.header
        if release.sticky is not None:
            features["stickyHeader"] = release.sticky.header or f"cookie:{release.sticky.cookie}"
        return features

    def _promote_canary(self, track: Track) -> None:
        stage = self.stage.read()
        if stage.canary is None:
            wanted = variables_of_change(self._release, known_before(track))
            # Without a deployment and a variable of its own nothing tells a promoted change from one that was removed.
            if stage.deployment_id == self._deployment_of(track) and stage.variables == wanted and not track.versions:
                return  # done, before a crash
            raise Refused(f"the canary of stage {self.stage.name} is gone")
        extensions, variables = self._pins.base(track.versions, stage.variables) if track.versions else ({}, {})
        overrides = {**self._release.change.variables, **variables}
        answer = self.stage.update(
            "promoting",
            [
                *(replaced(f"{CANARY}/{path}", version) for path, version in sorted(extensions.items())),
                *promotion_patches(overrides),
            ],
        )
        if answer.deployment_id != self._deployment_of(track):
            raise Unavailable(f"stage {self.stage.name} reads back deployment {answer.deployment_id}")

    def serve(
        self,
        deployment_id: str,
        variables: Mapping[str, str],
        versions: Mapping[str, str],
        *,
        is_called: bool = True,
    ) -> None:
        """Everybody gets this, from one call on: deployment, variables and functions as one.

        `is_called`: what the stage serves now must stay whole until then.
        """
        stage = self.stage.read()
        native = self._clients.is_headgate
        if not native:
            # AWS does not let a stage with a canary have another deployment. And then what it calls may be moved.
            self.stage.remove_canary(stage)
        extensions, named = self._pins.base(versions, stage.variables if is_called else {}) if versions else ({}, {})
        patches = stage_patches(stage, deployment_id, {**variables, **named})
        if native and stage.canary is not None:
            patches.append(replaced(f"{CANARY}/percentTraffic", "0.0"))
        patches += [replaced(f"{CANARY}/{path}", version) for path, version in sorted(extensions.items())]
        if patches:
            answer = self.stage.update(f"serving deployment {deployment_id}", patches)
            if answer.deployment_id != deployment_id:
                raise Unavailable(f"stage {self.stage.name} reads back deployment {answer.deployment_id}")

    def _settle(self, versions: Mapping[str, str]) -> None:
        """The aliases mean it themselves now: nothing needs to be pinned."""
        if versions:
            named = self._pins.settled(versions)
            patches = [replaced(f"/variables/{name}", alias) for name, alias in sorted(named.items())]
            if patches:
                self.stage.update("naming the aliases again", patches)
        self.remove_canary()
        if versions:
            self._pins.clear()

    def remove_canary(self) -> None:
        self.stage.remove_canary(self.stage.read())
