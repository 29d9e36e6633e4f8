"""From what is stored to what is served: a change is served whole when it is durable, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from headgate.control.publishing import Publisher
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.dataplane.mirror import Mirrors
from headgate.dataplane.observation import Meters
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.functions.directory import FunctionDirectory
from headgate.model.arn import FunctionRef
from headgate.model.deployment import Definition
from headgate.model.errors import ApiError
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import Alias, FunctionRecord, FunctionVersion
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import RestApi
from headgate.model.stage import CanarySettings, Stage
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Transaction
from unit.dataplane.builders import ACCOUNT, API, REGION, a_definition, a_stage, an_api, an_http_proxy


class _Node:
    """A store and what is served of it."""

    def __init__(self) -> None:
        self.stages = Stages()
        self.directory = FunctionDirectory()
        self.retired: list[tuple[str, str]] = []
        self.expected_calls = 0
        self.publisher = Publisher(
            self.stages,
            self.directory,
            Buckets(),
            Meters(),
            self,
            FunctionUrls(),
            Mirrors(),
        )

    # See `control.publishing.FunctionKeeper`.

    def expect_call(self) -> None:
        self.expected_calls += 1

    def retire(self, version: FunctionVersion) -> None:
        self.retired.append((version.version, version.revision_id))

    def keep_started(self, version: FunctionVersion, environments: int) -> None:
        raise AssertionError(f"no test here provisions {environments} environments of {version.version}")

    def poll(self, uuid: str, mapping: EventSourceMapping | None) -> None:
        raise AssertionError(f"no test here has an event source mapping {uuid}: {mapping}")

    def served(self, stage_name: str = "prod") -> str | None:
        """The deployment that a stage serves."""
        stage = self.stages.find(API, stage_name)
        return None if stage is None else stage.base.deployment_id

    def version(self, qualifier: str = "") -> str | None:
        """The revision of what a call of the function would run."""
        ref = FunctionRef(account_id=ACCOUNT, region=REGION, name="orders", qualifier=qualifier)
        version = self.directory.resolve(ref, 0.5)
        return None if version is None else version.revision_id


def _story(tmp_path: Path, story: Callable[[SqliteStore, _Node], Awaitable[None]]) -> None:
    async def run() -> None:
        node = _Node()
        store = SqliteStore(tmp_path / "test.db", node.publisher.prepare, durable=False)
        try:
            (await store.read(node.publisher.load))()
            await story(store, node)
        finally:
            store.close()

    asyncio.run(run())


def _put_api(tx: Transaction) -> None:
    tx.put(an_api(), ACCOUNT, REGION, API)


def _put_definition(tx: Transaction, deployment: str) -> None:
    definition = a_definition(("/", an_http_proxy("http://backend/")), deployment_id=deployment)
    tx.put(definition, API, deployment)


def _put_stage(tx: Transaction, deployment: str, name: str = "prod", canary: str | None = None) -> None:
    settings = None if canary is None else CanarySettings(deployment_id=DeploymentId(canary), percent_traffic=10.0)
    stage = a_stage(stage_name=name, deployment_id=DeploymentId(deployment), canary_settings=settings)
    tx.put(stage, API, name)


def _first_deployment(tx: Transaction) -> None:
    _put_api(tx)
    _put_definition(tx, "dep1")
    _put_definition(tx, "dep2")
    _put_stage(tx, "dep1")


def test_a_change_is_served_when_its_write_has_returned(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)
        assert node.served() == "dep1"
        assert node.stages.knows_api(API)

        await store.write(lambda tx: _put_stage(tx, "dep2", canary="dep1"))
        stage = node.stages.find(API, "prod")
        assert stage is not None
        assert stage.canary is not None
        assert (stage.base.deployment_id, stage.canary.deployment_id) == ("dep2", "dep1")

    _story(tmp_path, story)


def test_a_write_that_fails_is_not_served(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)

        def fail(tx: Transaction) -> None:
            _put_stage(tx, "dep2")
            raise RuntimeError("too late")

        with pytest.raises(RuntimeError, match="too late"):
            await store.write(fail)
        assert node.served() == "dep1"

    _story(tmp_path, story)


@pytest.mark.parametrize("canary", [None, "dep1"], ids=["the stage's deployment", "the canary's deployment"])
def test_a_stage_that_does_not_compile_is_refused_and_the_old_one_goes_on(tmp_path: Path, canary: str | None) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)

        with pytest.raises(ApiError, match="Stage prod cannot be served: its deployment absent does not exist"):
            await store.write(
                lambda tx: _put_stage(tx, "absent") if canary is None else _put_stage(tx, "dep2", canary="absent")
            )

        assert node.served() == "dep1"
        stored = await store.read(lambda tx: tx.get(Stage, API, "prod"))
        assert stored is not None
        assert stored.deployment_id == "dep1"

    _story(tmp_path, story)


def test_stages_of_one_write_are_served_together_or_not_at_all(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)

        def both(tx: Transaction) -> None:
            _put_stage(tx, "dep2")
            _put_stage(tx, "absent", "test")

        with pytest.raises(ApiError):
            await store.write(both)
        assert (node.served("prod"), node.served("test")) == ("dep1", None)

    _story(tmp_path, story)


def test_a_deleted_stage_and_a_deleted_api_are_served_no_more(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)
        await store.write(lambda tx: tx.delete(Stage, API, "prod"))
        assert node.served() is None
        assert node.stages.knows_api(API)

        await store.write(lambda tx: tx.delete(RestApi, ACCOUNT, REGION, API))
        assert not node.stages.knows_api(API)

    _story(tmp_path, story)


def test_a_start_serves_what_is_stored_but_a_stage_that_does_not_compile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def before(store: SqliteStore, node: _Node) -> None:
        await store.write(_first_deployment)
        await store.write(lambda tx: _put_stage(tx, "dep2", "test"))
        await store.write(lambda tx: tx.delete(Definition, API, "dep2"))
        await store.write(lambda tx: _put_function(tx, "a"))

    async def after(store: SqliteStore, node: _Node) -> None:
        assert (node.served("prod"), node.served("test")) == ("dep1", None)
        assert node.stages.knows_api(API)
        assert node.version() == "a"

    _story(tmp_path, before)
    _story(tmp_path, after)

    assert "stage api1234567/test is not served: its deployment dep2 does not exist" in caplog.text


def _put_function(tx: Transaction, revision: str, version: str = "$LATEST") -> None:
    key = (ACCOUNT, REGION, "orders")
    tx.put(FunctionRecord(name="orders", account_id=ACCOUNT, region=REGION), *key)
    tx.put(
        FunctionVersion(
            function_name="orders",
            function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders",
            version=version,
            runtime="python3.13",
            role="",
            handler="handler.handle",
            code_size=1,
            last_modified="",
            revision_id=revision,
            account_id=ACCOUNT,
            region=REGION,
        ),
        *key,
        version,
    )


def test_a_changed_version_is_retired_and_the_others_are_left_alone(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(lambda tx: _put_function(tx, "a"))
        await store.write(lambda tx: _put_function(tx, "one", "1"))
        assert node.retired == []

        await store.write(lambda tx: _put_function(tx, "b"))

        assert node.retired == [("$LATEST", "a")]
        assert (node.version(), node.version("1")) == ("b", "one")

    _story(tmp_path, story)


def test_a_new_function_is_expected_to_be_called_and_a_changed_one_is_not(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(lambda tx: _put_function(tx, "a"))
        assert node.expected_calls == 1

        await store.write(lambda tx: _put_function(tx, "b"))

        assert node.expected_calls == 1

    _story(tmp_path, story)


def test_a_moved_alias_retires_nothing(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        def move(tx: Transaction, version: str) -> None:
            alias = Alias(
                name="live",
                alias_arn="",
                function_version=version,
                revision_id=version,
                function_name="orders",
                account_id=ACCOUNT,
                region=REGION,
            )
            tx.put(alias, ACCOUNT, REGION, "orders", "live")

        await store.write(lambda tx: _put_function(tx, "one", "1"))
        await store.write(lambda tx: _put_function(tx, "two", "2"))
        await store.write(lambda tx: move(tx, "1"))
        assert node.version("live") == "one"

        await store.write(lambda tx: move(tx, "2"))

        assert node.version("live") == "two"
        assert node.retired == []

    _story(tmp_path, story)


def test_a_deleted_function_s_versions_are_all_retired(tmp_path: Path) -> None:
    async def story(store: SqliteStore, node: _Node) -> None:
        await store.write(lambda tx: _put_function(tx, "a"))
        await store.write(lambda tx: _put_function(tx, "one", "1"))

        def delete(tx: Transaction) -> None:
            tx.delete(FunctionRecord, ACCOUNT, REGION, "orders")
            tx.delete_all(FunctionVersion, ACCOUNT, REGION, "orders")

        await store.write(delete)

        assert sorted(node.retired) == [("$LATEST", "a"), ("1", "one")]
        assert node.version() is None

    _story(tmp_path, story)
