"""One target has one release at a time, whatever it is called by."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headgate.release.events import Started
from headgate.release.failures import Refused
from headgate.release.service import ReleaseError, ReleaseService, StartRequest
from headgate.store.release_store import ReleaseStore

_APIS = {"orders": "a1", "a1": "a1", "bills": "b2"}


def a_file(name: str, api: str, more: str = "", stage: str = "prod") -> StartRequest:
    text = f"release: {name}\napi: {api}\nstage: {stage}\nchange: {{deployment: current}}\n{more}"
    return StartRequest(text=text, account_id="111122223333")


def rolling(name: str, function: str, alias: str = "live") -> StartRequest:
    changes = f"functions: {{'{function}': {{version: '2', alias: {alias}}}}}"
    return StartRequest(text=f"release: {name}\nstrategy: rolling\nchange: {{{changes}}}\n")


def a_service(store: ReleaseStore, apis: dict[str, str] = _APIS) -> ReleaseService:
    def find_api(_started: Started, _region: str, api: str) -> str:
        if api not in apis:
            raise Refused(f"there is no API {api!r}")
        return apis[api]

    return ReleaseService(store, find_api=find_api)


@pytest.mark.parametrize(("first", "second"), [("orders", "a1"), ("a1", "orders"), ("orders", "orders")])
def test_an_api_by_name_and_by_id_is_one_target(tmp_path: Path, first: str, second: str) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        service = a_service(store)
        service.start(a_file("one", first))
        service.start(a_file("other", "bills"))

        words = f"release one is on its way and moves us-east-1/{second}/prod too; let it end first"
        with pytest.raises(ReleaseError, match=words):
            service.start(a_file("two", second))


def test_it_is_one_target_after_a_restart_and_by_another_name(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        a_service(store).start(a_file("one", "orders"))

    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        service = a_service(store, {"shop": "a1", "orders": "c3"})
        service.start(a_file("new-orders", "orders"))

        with pytest.raises(ReleaseError, match="release one is on its way and moves us-east-1/shop/prod too"):
            service.start(a_file("two", "shop"))


def test_the_other_stage_of_a_blue_green_release_is_a_target_too(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        service = a_service(store)
        service.start(a_file("one", "orders", "strategy: blue-green\ngreen: idle\n"))

        with pytest.raises(ReleaseError, match="moves us-east-1/a1/idle too"):
            service.start(a_file("two", "a1", stage="idle"))


@pytest.mark.parametrize(
    "function", ["arn:aws:lambda:us-east-1:111122223333:function:orders", "111122223333:function:orders", "orders"]
)
def test_a_function_by_name_and_by_arn_is_one_target(tmp_path: Path, function: str) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        service = a_service(store)
        service.start(rolling("one", "orders"))
        service.start(rolling("of-beta", function, "beta"))

        with pytest.raises(ReleaseError, match=f"moves us-east-1/{function}:live too"):
            service.start(rolling("two", function))


def test_a_state_file_of_before_keeps_its_targets_as_they_are_called(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        a_service(store).start(a_file("one", "orders"))
    with closing(sqlite3.connect(tmp_path / "r.db")) as connection:
        connection.execute("""UPDATE release SET targets = '["us-east-1/orders/prod"]'""")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()

    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        with pytest.raises(ReleaseError, match="release one is on its way and moves us-east-1/orders/prod too"):
            a_service(store).start(a_file("two", "orders"))


def test_an_api_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    with closing(ReleaseStore(tmp_path / "r.db")) as store:
        with pytest.raises(ReleaseError, match="there is no API 'ordres'"):
            a_service(store).start(a_file("one", "ordres"))

        assert store.headers() == []
