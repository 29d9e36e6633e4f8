"""The steps that every strategy is a list of. A step either does one act, or waits for evidence or for people."""

from headgate.model.release import Approval, Gate
from headgate.model.value import Value


class Preflight(Value, frozen=True, tag=True):
    """Everything the release needs is there: stage, variables, aliases, alarms that are OK. Changes nothing."""


class TakeSnapshot(Value, frozen=True, tag=True):
    """Note what is served now, for the way back, and what counts as slow."""


class Publish(Value, frozen=True, tag=True):
    """Publish one function's new version; nothing calls it yet."""

    function: str


class Deploy(Value, frozen=True, tag=True):
    """Freeze the API's resources as a deployment; nothing serves it yet."""


class Shift(Value, frozen=True, tag=True):
    """Send this share of the traffic to the change, and see that it is so."""

    percent: float  # 0 to 100


class Bake(Value, frozen=True, tag=True):
    """Gather evidence at one weight. The last one before promotion must come to a verdict."""

    seconds: float
    is_last: bool


class Check(Value, frozen=True, tag=True):
    """Run one gate."""

    gate: Gate
    label: str


class AskApproval(Value, frozen=True, tag=True):
    approval: Approval
    label: str


class Migration(Value, frozen=True, tag=True):
    """Run one command of a migration. After `contract` nothing can be rolled back."""

    phase: str  # expand, verify or contract
    command: str


class Promote(Value, frozen=True, tag=True):
    """One part of making the change what everybody gets; the parts of a strategy stand in `plan`."""

    part: str


class PutBack(Value, frozen=True, tag=True):
    """Set once more what the release wants, where somebody else has moved it. It stands in no plan: a person asks."""


class Watch(Value, frozen=True, tag=True):
    """Look at what everybody gets now; still rolled back by itself."""

    seconds: float


Step = (
    Preflight
    | TakeSnapshot
    | Publish
    | Deploy
    | Shift
    | Bake
    | Check
    | AskApproval
    | Migration
    | Promote
    | PutBack
    | Watch
)


def title(step: Step) -> str:
    """A step in a few words, for people."""
    match step:
        case Preflight():
            return "check what the release needs"
        case TakeSnapshot():
            return "note what is served now"
        case Publish(function=function):
            return f"publish a version of {function}"
        case Deploy():
            return "make the deployment"
        case Shift(percent=percent):
            return f"shift to {percent:g} %" if percent else "put the change beside, at 0 %"
        case Bake(seconds=seconds, is_last=is_last):
            return f"bake {seconds:g} s{', until there is a verdict' if is_last else ''}"
        case Check(label=label) | AskApproval(label=label):
            return label
        case Migration(phase=phase, command=command):
            return f"migration: {phase} ({command})"
        case Promote(part=part):
            return f"promote: {part}"
        case PutBack():
            return "put back what the release wants"
        case Watch(seconds=seconds):
            return f"watch {seconds:g} s"
