"""A release file as values: what changes, in which steps, on which evidence. `release.file` reads one from YAML.

Each field's default stands here, and the schema and the reference of the docs are made from these definitions.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from headgate.model.value import Value

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION_FORM: Final = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$|^0$"
PERCENTAGE_FORM: Final = r"^\d+(\.\d+)?%?$"


class Duration(float):
    """Seconds, written as `90s`, `5m`, `1h30m`, `800ms` or `2d`."""

    @classmethod
    def parse(cls, text: Any) -> "Duration":
        """Raises ValueError."""
        if isinstance(text, Duration):
            return text
        written = str(text)
        if written == "0":
            return cls(0.0)
        parts = _DURATION.findall(written)
        if isinstance(text, bool | float | int) or not parts or "".join(a + b for a, b in parts) != written:
            raise ValueError(f"{text!r} is no duration; write it as 90s, 5m, 1h30m, 800ms or 2d")
        return cls(sum(float(number) * _UNITS[unit] for number, unit in parts))

    def __str__(self) -> str:
        left = float(self)
        if left < 1.0:
            return f"{left * 1000:g}ms" if left else "0s"
        parts = []
        for unit in ("d", "h", "m"):
            whole, left = divmod(left, _UNITS[unit])
            if whole:
                parts.append(f"{whole:g}{unit}")
        if left:
            parts.append(f"{left:g}s")
        return "".join(parts)


class Percentage(float):
    """0 to 100, written as `5%` or `5`."""

    @classmethod
    def parse(cls, text: Any) -> "Percentage":
        """Raises ValueError."""
        if isinstance(text, Percentage):
            return text
        if isinstance(text, bool) or not re.fullmatch(PERCENTAGE_FORM, str(text)) or float(str(text).rstrip("%")) > 100:
            raise ValueError(f"{text!r} is no percentage; write it as 5% or 5, from 0 to 100")
        return cls(str(text).rstrip("%"))

    def __str__(self) -> str:
        return f"{float(self):g}%"


class _Part(Value, frozen=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True):
    """A part of the file: names are written with hyphens, and an unknown one is an error."""


Policy = Literal["hold", "promote", "rollback", "ask"]
Strategy = Literal["canary", "blue-green", "rolling", "all-at-once"]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
COMPARED: Final = ("errors-5xx", "errors-4xx", "throttles", "latency-p50", "latency-p90", "latency-p99")
LIMITED: Final = ("error-rate", "errors-4xx", "throttles", "latency-p50", "latency-p90", "latency-p99")


class FunctionChange(_Part, frozen=True):
    """A function's new version: code to publish, or a version that is there. One of `zip` and `version`."""

    alias: str = "live"  # moved to the new version at promotion
    zip: str | None = None  # path of the code, beside the release file
    version: str | None = None  # a published version


class Change(_Part, frozen=True):
    """One set, moved and rolled back as one."""

    deployment: str | None = None  # "current" (the API's resources as they stand now) or a deployment's id
    variables: Mapping[str, str] = {}  # stage variables, set on the side of the change
    functions: Mapping[str, FunctionChange] = {}  # by name of the function


class Require(_Part, frozen=True):
    """What the stage must have before any traffic moves."""

    variables: tuple[str, ...] = ()  # stage variables, on the stage or in the change


class Approval(_Part, frozen=True):
    """A person's yes before the next step."""

    needed: Annotated[int, Meta(ge=1, le=20)] = 1  # different people
    by: tuple[str, ...] = ()  # who may; anybody when empty
    timeout: Duration = Duration(24 * 3600)  # how long it is waited for
    then: Literal["abort", "promote", "hold"] = "abort"  # what happens when the time is up


class Step(_Part, frozen=True):
    """One weight: what share of the traffic goes to the change, and for how long it is looked at."""

    weight: Percentage  # of the traffic; 100% promotes
    bake: Duration = Duration(0)  # how long at this weight, at least
    approval: Approval | None = None  # after the bake
    watch: Duration = Duration(0)  # after promotion: still rolled back by itself


class Analysis(_Part, frozen=True):
    """On which evidence the release goes on, stops, or is rolled back."""

    alpha: Annotated[float, Meta(gt=0, lt=0.5)] = 0.01  # chance of rolling back a healthy release
    beta: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05  # chance of passing one that is worse by the margin
    margin: Annotated[float, Meta(gt=1, le=30)] = 2.0  # risk ratio that a pass excludes
    compare: tuple[str, ...] = ("errors-5xx", "latency-p50", "latency-p90", "latency-p99")  # also errors-4xx, throttles
    limits: Mapping[str, str] = {}  # such as `{error-rate: 5%, latency-p99: 800ms}`: never beyond, whatever else is
    hard_guard: Percentage = Percentage(20)  # of server errors on the canary: beyond it, at once
    alarms: tuple[str, ...] = ()  # CloudWatch alarms that must stay OK
    negligible: Percentage = Percentage(0.5)  # of requests: a share surely below it passes, whatever the ratio
    min_requests: Annotated[int, Meta(ge=1)] = 50  # on each side; with fewer a bake's end has no data
    interval: Duration = Duration(0)  # between two looks; 0: a thirtieth of the shortest bake, from 1s to 30s
    lag: Duration = Duration(
        0
    )  # until counts are complete; 0: 2s on Headgate, on AWS 60s of access logs, 120s of metrics
    settle: Duration = Duration(5)  # left out after each change of weight: cold starts, empty caches
    early: bool = False  # end a bake as soon as it has passed
    inconclusive: Policy = "hold"  # neither a pass nor a failure at the last step before promotion
    no_data: Policy = "hold"  # too few requests at the end of a bake
    error: Policy = "hold"  # the evidence cannot be read for a minute
    source: Literal["auto", "headgate", "access-logs", "alias-metrics"] = "auto"  # where counts come from


class HttpGate(_Part, frozen=True):
    """A request to the stage (a path) or elsewhere (a URL), and what its answer must be."""

    get: str | None = None  # path or URL; one of get and post
    post: str | None = None  # path or URL
    body: str = ""  # of the request
    headers: Mapping[str, str] = {}  # of the request
    status: int = 200  # that the answer must have
    contains: str | None = None  # text that the answer's body must hold


class LoadGate(_Part, frozen=True, rename={"for_": "for"}):
    """Requests at a fixed rate, whatever the answers take (an open loop)."""

    rps: Annotated[float, Meta(gt=0, le=10_000)]  # requests per second
    for_: Duration  # how long
    get: str = "/"  # path or URL
    p50: Duration | None = None  # the most that half of the answers take
    p90: Duration | None = None  # the most that 90 % of the answers take
    p99: Duration | None = None  # the most that 99 % of the answers take
    errors: Percentage = Percentage(1)  # of answers 5XX and of none


class Gate(_Part, frozen=True):
    """One check that must succeed. Exactly one of http, run, load, function and webhook."""

    http: HttpGate | None = None  # a request and its answer
    run: str | None = None  # a command; exit status 0 is a yes
    load: LoadGate | None = None  # a load test
    function: str | None = None  # a function that answers {"status": "Succeeded"} or "Failed", as CodeDeploy's hooks
    webhook: str | None = None  # a URL; a status of 2XX is a yes
    name: str | None = None  # what people call it
    timeout: Duration = Duration(300)  # of one try
    retries: Annotated[int, Meta(ge=0, le=20)] = 0  # after a try that failed


class Gates(_Part, frozen=True):
    before: tuple[Gate, ...] = ()  # before any traffic
    step: tuple[Gate, ...] = ()  # at each weight, after the bake
    after: tuple[Gate, ...] = ()  # after promotion


class Migrate(_Part, frozen=True):
    """A schema's change in three commands: expand, then the release, then verify and contract."""

    expand: str | None = None  # additive only, before any traffic
    verify: str | None = None  # after the watch: is all data moved?
    contract: str | None = None  # once the rollback-window is over; after it nothing can be rolled back
    sql: tuple[str, ...] = ()  # files with expand's DDL, beside the release file: checked to be additive
    timeout: Duration = Duration(1800)  # of each command


class Mirror(_Part, frozen=True):
    percent: Percentage  # of the stable side's requests, copied to the canary
    compare: bool = False  # whether their answers are compared


class Route(_Part, frozen=True):
    header: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+=.+$")]  # name=value: goes to the canary, is left out of counts


class Sticky(_Part, frozen=True):
    """The same caller stays on one side. One of both."""

    header: str | None = None  # whose value is the caller
    cookie: str | None = None  # whose value is the caller


class Notify(_Part, frozen=True):
    """Who is told of a start, a wait, a promotion, a rollback. One of both."""

    webhook: str | None = None  # a URL
    sns: str | None = None  # a topic's ARN


class Wave(_Part, frozen=True):
    wave: tuple[str, ...]  # regions, side by side
    after: Duration = Duration(0)  # how long after the wave before has ended


class Freeze(_Part, frozen=True, rename={"from_": "from"}):
    """A time in which no weight is raised. Times are UTC."""

    from_: str  # "2026-12-24T00:00" or "fri 16:00"
    to: str  # "2027-01-02T08:00" or "mon 08:00"
    why: str = ""  # for people


class Release(_Part, frozen=True):
    """A release file."""

    release: Name  # its name, such as `orders-2.1`
    change: Change  # what is moved, and rolled back, as one
    api: str | None = None  # REST API, by name or id; not for strategy rolling
    stage: str | None = None  # of the API; not for strategy rolling
    strategy: Strategy = "canary"  # how traffic moves
    green: str | None = None  # for strategy blue-green: the stage that nobody calls now
    require: Require = Require()  # what must be there
    steps: tuple[
        Step, ...
    ] = ()  # default: 10, 25 and 50 % for 10m each (rolling: 10 and 50 %), then 100 % watched for 10m
    analysis: Analysis = Analysis()  # the evidence
    gates: Gates = Gates()  # checks that must succeed
    migrate: Migrate = Migrate()  # a database schema's change
    mirror: Mirror | None = None  # copies of requests to the canary; Headgate alone
    route: Route | None = None  # test traffic to the canary; Headgate alone
    sticky: Sticky | None = None  # callers that stay on a side; Headgate alone
    notify: tuple[Notify, ...] = ()  # who is told
    regions: tuple[str | Wave, ...] = ()  # in this order; default: the caller's region
    freeze: tuple[Freeze, ...] = ()  # times in which no weight is raised
    deadline: Duration = Duration(3600)  # for each step to make progress; waits for people are left out
    rollback_window: Duration = Duration(24 * 3600)  # how long a migration waits before it contracts
