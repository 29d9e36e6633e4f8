"""The control listener's pages of metrics: both sides of a stage and its mirror as JSON, the process for Prometheus."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from headgate.dataplane.mirror import Mirrors
from headgate.store.metric_database import MetricDatabase
from headgate.store.metric_store import MetricStore
from headgate.telemetry.exposition import Totals, exposition
from headgate.telemetry.sides import MAX_LOOKS, RangeTooLong, shown, side_intervals

SIDES_PATH: Final = re.compile(r"/_headgate/stages/([^/]+)/([^/]+)/sides")
MIRROR_PATH: Final = re.compile(r"/_headgate/stages/([^/]+)/([^/]+)/mirror")
DEFAULT_RANGE_S: Final = 900
DEFAULT_STEP_S: Final = 30

Gauges = Callable[[], Mapping[str, float]]


class MetricsPages:
    def __init__(self, store: MetricStore, totals: Totals, gauges: Gauges, mirrors: Mirrors) -> None:
        self._store = store
        self._totals = totals
        self._gauges = gauges
        self._mirrors = mirrors

    async def prometheus(self) -> bytes:
        """`GET /metrics`."""
        await self._store.flush()
        return exposition(self._totals, self._gauges())

    def mirror(self, path: str) -> tuple[int, dict[str, Any]] | None:
        """`GET /_headgate/stages/{apiId}/{stage}/mirror`; None for another path."""
        found = MIRROR_PATH.fullmatch(path)
        if found is None:
            return None
        api_id, stage_name = unquote(found[1]), unquote(found[2])
        mirror = self._mirrors.find(api_id, stage_name)
        if mirror is None:
            message = f"no requests of stage {stage_name} of {api_id} are mirrored; set /canarySettings/mirrorPercent"
            return 404, {"message": message}
        return 200, {"apiId": api_id, "stage": stage_name, **mirror.report()}

    async def sides(self, path: str, query: str) -> tuple[int, dict[str, Any]] | None:
        """`GET /_headgate/stages/{apiId}/{stage}/sides`; None for another path.

        `since`, `until` and `step` are seconds, the first two since the epoch: by default the last 15 minutes, by 30 s.
        With `looks=no` each interval has its totals alone.
        """
        found = SIDES_PATH.fullmatch(path)
        if found is None:
            return None
        api_id, stage_name = unquote(found[1]), unquote(found[2])
        given = dict(parse_qsl(query))
        numbers: dict[str, float] = {}
        for name in ("since", "until", "step"):
            if name in given:
                if not re.fullmatch(r"\d{1,10}(\.\d{1,9})?", given[name]):
                    return 400, {"message": f"{name} is {given[name]!r}; give seconds, since the epoch but for step"}
                numbers[name] = float(given[name])
        step = int(numbers.get("step", DEFAULT_STEP_S))
        if not 1 <= step <= 86_400:
            return 400, {"message": f"step is {given['step']!r}; give whole seconds from 1 to 86400"}

        def read(database: MetricDatabase, now: float) -> list[dict[str, Any]]:
            until = numbers.get("until", now)
            since = numbers.get("since", until - DEFAULT_RANGE_S)
            intervals = side_intervals(database, api_id, stage_name, since, until, step, now)
            return [shown(each, with_looks=given.get("looks") != "no") for each in intervals]

        try:
            intervals = await self._store.run(read)
        except RangeTooLong as error:
            return 400, {"message": f"{error}; give a larger step or a shorter range ({MAX_LOOKS} steps)"}
        return 200, {
            "apiId": api_id,
            "stage": stage_name,
            "now": time.time(),
            "stepSeconds": step,
            "intervals": intervals,
        }
