"""A release with what only Headgate's gateway has: mirrored requests, a header for tests, sticky sides."""

import queue
import threading
from pathlib import Path
from typing import Final

from support.releases import GO, QUICK, Versions, a_story
from support.server import RunningServer, fetch

WAIT_S: Final = 60


def test_a_release_may_mirror_route_and_stick(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.new)
        url = story.api.url("prod")
        stopping = threading.Event()

        def call() -> None:
            caller = 0
            while not stopping.wait(0.005):
                caller += 1
                seen = {fetch(url, headers={"Authorization": f"caller {caller}"}).body for _ in range(2)}
                sides.put(len(seen))

        sides: queue.SimpleQueue[int] = queue.SimpleQueue()  # that each caller saw
        thread = threading.Thread(target=call)
        thread.start()
        try:
            story.start(
                steps="[{weight: 50, bake: 6s}, {weight: 100}]",
                analysis=f"{QUICK}, inconclusive: promote",
                more=f"""
                mirror: {{percent: 100, compare: true}}
                route: {{header: "x-canary=yes"}}
                sticky: {{header: authorization}}
                gates: {{step: [{GO}]}}
                """,
            )
            story.followed.until("Did", shifted=50)
            while not sides.empty():
                sides.get()
            sides.get(timeout=WAIT_S)  # of a caller that came while the weight changed, perhaps
            after = [sides.get(timeout=WAIT_S) for _ in range(20)]
            routed = [fetch(url, headers={"x-canary": "yes", "Authorization": f"tester {n}"}).body for n in range(20)]
            stage = fetch(f"{server.url}/restapis/{story.api.id}/stages/prod").json
            (tmp_path / "go").touch()  # until now the gate has kept the weight
            report = story.end()
        finally:
            stopping.set()
            thread.join()

    canary = stage["canarySettings"]
    assert (canary["mirrorPercent"], canary["routeHeader"]) == (100, "x-canary=yes")
    assert canary["stickyHeader"] == "authorization"
    assert set(routed) == {story.new.encode()}
    assert set(after) == {1}
    assert report["phase"] == "promoted", report["why"]
    assert report["regions"][0]["differences"] == ["body"]
    looks = [look for each in story.followed.events("Looked") for look in each["looks"]]
    assert any(look["is_sticky"] for look in looks)
