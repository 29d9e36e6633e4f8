"""What is so, as read anew on each pass, apart from what was asked for."""

from collections.abc import Mapping

from headgate.model.value import Value
from headgate.release.events import AliasTarget


class CanarySeen(Value, frozen=True):
    deployment_id: str
    percent: float
    overrides: Mapping[str, str] = {}  # without those that pin functions
    versions: Mapping[str, str] = {}  # pinned on its side, by function:alias
    base_versions: Mapping[str, str] = {}  # pinned on the stable side


class StageSeen(Value, frozen=True):
    deployment_id: str
    variables: Mapping[str, str] = {}
    canary: CanarySeen | None = None


class Target(Value, frozen=True):
    """One region's stage and aliases, and the alarms that must stay OK."""

    stage: StageSeen | None = None  # None for a release of aliases alone
    aliases: Mapping[str, AliasTarget] = {}  # by function:alias
    alarms: Mapping[str, str] = {}  # state by name: OK, ALARM, INSUFFICIENT_DATA


class Seen(Value, frozen=True):
    """`targets` lacks a region that could not be read; `running` are the keys of acts under way."""

    targets: Mapping[str, Target] = {}
    running: frozenset[str] = frozenset()
    lag_s: float = 2.0  # after which a second's counts are complete
    interval_s: float = 5.0  # between two looks
    grain_s: float = 1.0  # of the counts: a look ends where one of these does
