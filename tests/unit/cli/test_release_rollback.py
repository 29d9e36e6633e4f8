"""Which releases a rollback has to undo first."""

from typing import Any, cast

from headgate.cli.release_tell import _newer_of_the_same
from headgate.client.releases import ReleasesApi


class Listed:
    def __init__(self, *releases: dict[str, Any]) -> None:
        self._releases = list(releases)

    def all(self) -> list[dict[str, Any]]:
        return self._releases


def listed(name: str, target: str, started_at: float, created_at: float | None = None) -> dict[str, Any]:
    return {
        "release": name,
        "createdAt": started_at if created_at is None else created_at,
        "startedAt": started_at,
        "phase": "promoted",
        "targets": [target],
    }


def newer(name: str, *releases: dict[str, Any]) -> list[str]:
    return _newer_of_the_same(cast("ReleasesApi", Listed(*releases)), name)


def test_a_release_of_another_function_is_left_alone() -> None:
    other = listed("bills-1", "us-east-1/bills:live", 2)
    mine = listed("orders-1", "us-east-1/orders:live", 1)

    assert newer("orders-1", other, mine) == ["orders-1"]


def test_later_ones_of_the_same_target_are_undone_first_the_newest_before_the_others() -> None:
    releases = [listed(f"orders-{number}", "us-east-1/orders/prod", number) for number in (3, 2, 1)]

    assert newer("orders-2", *releases) == ["orders-3", "orders-2"]


def test_what_was_tried_again_later_came_later() -> None:
    second = listed("orders-2", "us-east-1/orders/prod", 2)
    first = listed("orders-1", "us-east-1/orders/prod", 3, created_at=1)

    assert newer("orders-2", second, first) == ["orders-1", "orders-2"]
