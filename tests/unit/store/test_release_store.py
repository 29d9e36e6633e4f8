from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headgate.release.events import Command, Ended, Started
from headgate.release.journal import CannotStart, LeaseLost
from headgate.store.release_store import ReleaseStore, StateFileError

_NOW = 1_800_000_000.0


class Clock:
    now = _NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[ReleaseStore]:
    with closing(ReleaseStore(tmp_path / "releases.db", clock)) as store:
        yield store


def started(attempt: int = 1, at: float = _NOW, **artefacts: str) -> Started:
    return Started(at=at, text="release: r", region="us-east-1", actor="ann", attempt=attempt, artefacts=artefacts)


def test_rows_are_numbered_from_one_and_survive_the_store(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        store.create("r", started(), {"t": "t"}, [])
        store.append("r", Command(at=_NOW, verb="pause", actor="bob"))

    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        assert [entry.number for entry in store.entries("r")] == [1, 2]
        assert store.entries("r", after=1)[0].event == Command(at=_NOW, verb="pause", actor="bob")


def test_a_name_is_used_once(store: ReleaseStore) -> None:
    store.create("r", started(), {}, [])

    with pytest.raises(CannotStart, match="is on its way"):
        store.create("r", started(), {}, [])


def test_two_open_releases_do_not_move_the_same(store: ReleaseStore) -> None:
    store.create("one", started(), {"us-east-1/a1/prod": "us-east-1/orders/prod"}, [])

    with pytest.raises(CannotStart, match="release one is on its way and moves us-east-1/orders/prod too"):
        store.create("two", started(), {"us-east-1/a1/prod": "us-east-1/orders/prod"}, [])


def test_a_closed_release_stands_in_nobody_s_way_and_can_have_another_attempt(store: ReleaseStore) -> None:
    store.create("one", started(), {"t": "t"}, [])
    lease = store.acquire("one", "me", 10)
    assert lease is not None
    assert store.close_release("one", lease, len(store.entries("one")))

    store.create("two", started(), {"t": "t"}, [])
    with pytest.raises(CannotStart, match="release two is on its way"):
        store.create("one", started(attempt=2), {"t": "t"}, [])


def test_one_holder_at_a_time(store: ReleaseStore, clock: Clock) -> None:
    store.create("r", started(), {}, [])

    first = store.acquire("r", "first", 10)
    assert store.acquire("r", "second", 10) is None
    clock.now += 10
    second = store.acquire("r", "second", 10)

    assert first is not None
    assert second is not None
    assert second.token > first.token


def test_what_comes_under_an_older_lease_is_refused(store: ReleaseStore, clock: Clock) -> None:
    store.create("r", started(), {}, [])
    first = store.acquire("r", "first", 10)
    clock.now += 10
    second = store.acquire("r", "second", 10)
    assert first is not None
    assert second is not None

    with pytest.raises(LeaseLost):
        store.append("r", Ended(at=_NOW, phase="promoted", why=""), first)
    with pytest.raises(LeaseLost):
        store.renew(first, 10)
    store.append("r", Ended(at=_NOW, phase="promoted", why=""), second)


def test_a_renewed_lease_lasts(store: ReleaseStore, clock: Clock) -> None:
    store.create("r", started(), {}, [])
    lease = store.acquire("r", "first", 10)
    assert lease is not None

    clock.now += 9
    store.renew(lease, 10)
    clock.now += 9

    assert store.acquire("r", "second", 10) is None


def test_the_lease_of_a_holder_that_is_no_more_need_not_run_out(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db", has_ended=lambda holder: holder == "dead")) as store:
        store.create("r", started(), {}, [])
        store.acquire("r", "dead", 1000)

        assert store.acquire("r", "living", 10) is not None


def test_code_is_kept_for_open_releases_and_the_newest_alone(store: ReleaseStore) -> None:
    def digest(body: bytes) -> str:
        import hashlib

        return hashlib.sha256(body).hexdigest()

    for number in range(25):
        body = b"code %d" % number
        store.create(f"r{number}", started(at=_NOW + number, orders=digest(body)), {}, [body])
        if number:
            lease = store.acquire(f"r{number}", "me", 10)
            assert lease is not None
            assert store.close_release(f"r{number}", lease, len(store.entries(f"r{number}")))

    kept = [number for number in range(25) if store.blob(digest(b"code %d" % number)) is not None]
    assert kept == [0, *range(5, 25)]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"no database at all, but long enough to be looked at" * 20)

    with pytest.raises(StateFileError, match=r"cannot use the state file .*other\.db"):
        ReleaseStore(other)
