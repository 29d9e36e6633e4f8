"""A release shown live until it ends: a view for people, or a line of JSON for each event."""

import json
import time
from typing import Final

from headgate.cli.release_view import OVER, watched
from headgate.client.releases import ReleasesApi

_POLL_S: Final = 1.0
_INTERRUPTED: Final = 130


def watch_until_over(releases: ReleasesApi, name: str, as_json: bool) -> int:
    try:
        if as_json:
            return _watch_events(releases, name)
        return watched(lambda: releases.show(name), _POLL_S)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _watch_events(releases: ReleasesApi, name: str) -> int:
    number = 0
    while True:
        # The state first: rows that come between the two are then printed before this ends.
        phase = releases.show(name)["phase"]
        for event in releases.history(name, number):
            number = event["number"]
            print(json.dumps(event), flush=True)
        if phase in OVER:
            return OVER[phase]
        time.sleep(_POLL_S)
