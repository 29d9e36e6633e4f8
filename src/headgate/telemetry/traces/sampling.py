"""Who is traced: X-Ray's sampling rules, and the decision on a request by the first rule that matches it.

A rule lets through its reservoir, so many requests a second, and a fixed share of what is beyond. The default rule is
last: one request a second and 5 % (aws-semantics 6.5).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Final

from headgate.model.scope import Scope
from headgate.model.trace import Asked, Decision
from headgate.model.value import Value

STATISTICS_S: Final = 10  # a summary's stretch of time, and how often clients report
_KEPT_SUMMARIES: Final = 600
_CLIENT_S: Final = 60.0  # after which a client that has not reported has no share of a reservoir
_MAX_CLIENTS: Final = 1_000


class SamplingRule(Value, frozen=True):
    """One rule. `*` and `?` are wildcards."""

    rule_name: str
    priority: int  # lower is first
    fixed_rate: float  # 0 to 1
    reservoir_size: int  # requests a second
    service_name: str = "*"
    service_type: str = "*"
    host: str = "*"
    http_method: str = "*"
    url_path: str = "*"
    resource_arn: str = "*"
    attributes: Mapping[str, str] = {}
    created_at: float = 0.0
    modified_at: float = 0.0


DEFAULT_RULE: Final = SamplingRule(rule_name="Default", priority=10_000, fixed_rate=0.05, reservoir_size=1)


class Tally:
    """What came of one rule in a stretch of time."""

    __slots__ = ("borrows", "requests", "samples")

    def __init__(self) -> None:
        self.requests = self.samples = self.borrows = 0


class Sampler:
    """Decides, counts what it decided, and shares the reservoirs with whoever else samples by the rules."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rules: dict[tuple[str, str], tuple[SamplingRule, ...]] = {}
        self._taken: dict[tuple[str, str, str], tuple[int, int]] = {}  # by rule: the second, and what was taken in it
        self._tallies: dict[tuple[str, str, str, int], Tally] = {}
        self._clients: dict[tuple[str, str, str, str], float] = {}  # when each reported last
        self.modified_at = clock()

    def __repr__(self) -> str:
        return f"<Sampler {sum(map(len, self._rules.values()))} rules>"

    def publish(self, scope: Scope, rules: Sequence[SamplingRule]) -> None:
        """These are an account's rules in a region from now on; the default one among them where it was changed."""
        self._rules[scope.account_id, scope.region] = in_order(rules)
        self.modified_at = self._clock()

    def clear(self) -> None:
        for each in (self._rules, self._taken, self._tallies, self._clients):
            each.clear()

    def decide(self, account_id: str, region: str, asked: Asked, draw: float) -> Decision:
        """Whether a request is traced; `draw` is uniform in [0, 1)."""
        rules = self._rules.get((account_id, region), _DEFAULT_RULES)
        rule = next(rule for rule in rules if matches(rule, asked))
        key = (account_id, region, rule.rule_name)
        now = self._clock()
        second, taken = self._taken.get(key, (-1, 0))
        if second != int(now):
            second, taken = int(now), 0
        tally = self._tally(key, now)
        tally.requests += 1
        if taken < rule.reservoir_size:
            self._taken[key] = (second, taken + 1)
            sampled = True
        else:
            sampled = draw < rule.fixed_rate
        tally.samples += sampled
        return Decision(sampled=sampled, rule_name=rule.rule_name)

    def report(self, scope: Scope, rule: SamplingRule, client_id: str, counts: tuple[int, int, int]) -> int:
        """Take a client's counts (requests, samples, borrows); its share of the reservoir, in requests a second."""
        now = self._clock()
        tally = self._tally((scope.account_id, scope.region, rule.rule_name), now)
        tally.requests += counts[0]
        tally.samples += counts[1]
        tally.borrows += counts[2]
        key = (scope.account_id, scope.region, rule.rule_name)
        self._clients = {each: at for each, at in self._clients.items() if now - at < _CLIENT_S}
        if len(self._clients) < _MAX_CLIENTS:
            self._clients[(*key, client_id)] = now
        sharing = sum(each[:3] == key for each in self._clients) or 1
        return ceil(rule.reservoir_size / sharing)

    def summaries(self, scope: Scope) -> list[tuple[str, int, Tally]]:
        """By rule name and beginning of the stretch, in seconds since the epoch; newest first."""
        found = [
            (name, at, tally)
            for (account_id, region, name, at), tally in self._tallies.items()
            if (account_id, region) == (scope.account_id, scope.region)
        ]
        return sorted(found, key=lambda each: each[1], reverse=True)

    def _tally(self, key: tuple[str, str, str], now: float) -> Tally:
        at = (*key, int(now) // STATISTICS_S * STATISTICS_S)
        tally = self._tallies.get(at)
        if tally is None:
            if len(self._tallies) >= _KEPT_SUMMARIES:
                del self._tallies[next(iter(self._tallies))]
            tally = self._tallies[at] = Tally()
        return tally


def in_order(rules: Sequence[SamplingRule]) -> tuple[SamplingRule, ...]:
    """As they are tried: by priority, then by name; the default one last, added where it is not there."""
    others = [rule for rule in rules if rule.rule_name != DEFAULT_RULE.rule_name]
    default = next((rule for rule in rules if rule.rule_name == DEFAULT_RULE.rule_name), DEFAULT_RULE)
    return (*sorted(others, key=lambda rule: (rule.priority, rule.rule_name)), default)


def matches(rule: SamplingRule, asked: Asked) -> bool:
    return (
        not rule.attributes
        and _like(rule.service_name, asked.service_name)
        and _like(rule.service_type, asked.service_type)
        and _like(rule.host, asked.host)
        and _like(rule.http_method, asked.http_method)
        and _like(rule.url_path, asked.url_path)
        and _like(rule.resource_arn, asked.resource_arn)
    )


_DEFAULT_RULES: Final = (DEFAULT_RULE,)


def _like(pattern: str, text: str) -> bool:
    """`*` and `?`, without regard to case. In time of pattern by text at most, whatever the client's path is."""
    if pattern == "*":
        return True
    pattern, text = pattern.lower(), text.lower()
    star = -1
    at = position = resume = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", text[position]}:
            at += 1
            position += 1
        elif star >= 0:  # the last star takes one character more
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
