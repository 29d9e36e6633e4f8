"""The evaluator and the outbox on a real store and real series, with a clock that the test turns."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from headgate.control.cloudwatch.alarm_book import AlarmBook
from headgate.control.cloudwatch.alarm_deliveries import GIVE_UP_S, AlarmDeliveries
from headgate.control.cloudwatch.alarm_documents import put_alarm
from headgate.control.cloudwatch.alarm_evaluator import DELAY_S, AlarmEvaluator
from headgate.control.cloudwatch.alarm_states import change_state, judge_composite
from headgate.control.lambda_.event_targets import DeliveryFailed
from headgate.model.alarm import AlarmDelivery, AlarmState, AlarmValue, CompositeAlarm, MetricAlarm
from headgate.model.metric import MetricKey, Sample, point_of
from headgate.store.alarm_journal import HistoryQuery
from headgate.store.metric_database import MetricDatabase
from headgate.store.sqlite import SqliteStore
from headgate.telemetry.alarm_transition import Change

T = TypeVar("T")
_NOON = 1_728_561_600  # 2024-10-10 12:00:00 UTC, a whole minute
_KEY = MetricKey(account_id="000000000000", region="us-east-1", namespace="Shop", name="Bad")
_WEBHOOK = "arn:aws:headgate:::webhook/oncall"
_ALARM = MetricAlarm(
    account_id="000000000000",
    region="us-east-1",
    alarm_name="bad",
    alarm_configuration_updated_timestamp=0.0,
    evaluation_periods=3,
    datapoints_to_alarm=2,
    comparison_operator="GreaterThanThreshold",
    threshold=5.0,
    namespace="Shop",
    metric_name="Bad",
    statistic="Average",
    period=60,
    alarm_actions=(_WEBHOOK,),
    ok_actions=(_WEBHOOK,),
)


class _Metrics:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.database = MetricDatabase(":memory:", clock())
        self._clock = clock

    async def read(self, act: Callable[[MetricDatabase, float], T]) -> T:
        return act(self.database, self._clock())

    def put(self, at: float, *values: float) -> None:
        """Values of a minute that begins then, as they would be written in it."""
        samples = [Sample(key=_KEY, at=int(at), point=point_of(value)) for value in values]
        self.database.write(samples, at)


class _Targets:
    """Takes messages, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[AlarmDelivery] = []
        self.tried = 0
        self.failing = False
        self.instead: list[str] = []

    async def send(self, delivery: AlarmDelivery) -> list[AlarmDelivery]:
        self.tried += 1
        if self.failing:
            raise DeliveryFailed("it is down")
        if self.instead and not delivery.subscription:
            return [replace(delivery, id=f"{delivery.id}/{each}", subscription=each) for each in self.instead]
        self.taken.append(delivery)
        return []


class _World:
    """One store, and a process on it that may be crashed and started again."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = float(_NOON)
        self.metrics = _Metrics(lambda: self.now)
        self.targets = _Targets()
        self._path = tmp_path / "test.db"

    async def start(self) -> None:
        self.book = AlarmBook()
        self.store = SqliteStore(self._path, self.book.prepare, durable=False)
        (await self.store.read(self.book.load))()
        self.evaluator = AlarmEvaluator(self.store, self.metrics, self.book, lambda: self.now)
        self.deliveries = AlarmDeliveries(self.store, self.targets, lambda: self.now)

    def crash(self) -> None:
        """What is in memory is lost."""
        self.store.close()

    async def put(self, alarm: MetricAlarm | CompositeAlarm) -> None:
        await self.store.write(lambda tx: put_alarm(tx, alarm, self.now))

    async def minute(self, number: int) -> AlarmValue:
        """The state once that minute after noon was over and evaluated."""
        self.now = _NOON + 60 * (number + 1) + DELAY_S
        self.metrics.database.roll(self.now)
        await self.evaluator.evaluate_due()
        return (await self.state(_ALARM)).state_value

    async def state(self, alarm: MetricAlarm | CompositeAlarm) -> AlarmState:
        state = await self.store.read(lambda tx: tx.get(AlarmState, *alarm.key))
        assert state is not None
        return state

    async def send(self) -> float | None:
        """One round of the outbox; the seconds until more is due, None where nothing is left."""
        await self.deliveries.send_due()
        await self.deliveries.settle()
        unsent = await self.store.read(lambda tx: tx.alarms.unsent(1))
        return unsent[0].due_at - self.now if unsent else None

    async def history(self, kind: str) -> list[str]:
        query = HistoryQuery(
            account_id="000000000000",
            region="us-east-1",
            alarm_types=["MetricAlarm", "CompositeAlarm"],
            limit=100,
            item_type=kind,
            oldest_first=True,
        )
        return [item.history_summary for _, item in await self.store.read(lambda tx: tx.alarms.history(query))]


def _in_world(tmp_path: Path, story: Callable[[_World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = _World(tmp_path)
        await world.start()
        try:
            await story(world)
        finally:
            world.crash()

    asyncio.run(run())


def test_the_state_changes_at_the_minute_that_the_table_says(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(_ALARM)
        states = []
        for number, value in enumerate([0.0, 0.0, 9.0, 0.0, 9.0, 0.0, 0.0, 0.0]):
            world.metrics.put(_NOON + 60 * number, value)
            states.append(await world.minute(number))

        # With one point of three a breach could still follow, but what is there is in order.
        assert states == [*(["OK"] * 4), "ALARM", "OK", "OK", "OK"]

    _in_world(tmp_path, story)


def test_an_average_of_five_percent_is_judged_over_the_whole_minute(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, threshold=0.04, evaluation_periods=1, datapoints_to_alarm=None))
        world.metrics.put(_NOON, *([0.0] * 97), *([1.0] * 3))
        world.metrics.put(_NOON + 60, *([0.0] * 95), *([1.0] * 5))

        assert [await world.minute(0), await world.minute(1)] == ["OK", "ALARM"]

    _in_world(tmp_path, story)


def test_each_minute_is_evaluated_once(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(_ALARM)
        await world.minute(0)
        await world.store.write(
            lambda tx: change_state(tx, _ALARM, Change(value=AlarmValue.ALARM, reason="by hand"), world.now)
        )

        world.now += 30
        await world.evaluator.evaluate_due()

        assert (await world.state(_ALARM)).state_reason == "by hand"
        assert await world.minute(1) == "INSUFFICIENT_DATA"

    _in_world(tmp_path, story)


def test_a_transition_and_its_message_survive_a_crash_and_the_message_is_sent_once(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, datapoints_to_alarm=1))
        world.metrics.put(_NOON, 9.0)
        assert await world.minute(0) == "ALARM"
        change_id = (await world.state(_ALARM)).change_id

        world.crash()
        await world.start()
        assert await world.minute(0) == "ALARM"
        await world.send()
        await world.send()

        assert [each.change_id for each in world.targets.taken] == [change_id]
        assert await world.history("StateUpdate") == ["Alarm updated from INSUFFICIENT_DATA to ALARM"]
        assert await world.history("Action") == [f"Successfully executed action {_WEBHOOK}"]

    _in_world(tmp_path, story)


def test_what_was_measured_before_a_crash_and_not_judged_is_judged_after_it(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, evaluation_periods=1, datapoints_to_alarm=None))
        world.metrics.put(_NOON, 9.0)
        world.crash()

        world.now = _NOON + 600
        await world.start()
        await world.evaluator.catch_up()

        assert (await world.state(_ALARM)).state_value is AlarmValue.ALARM
        assert await world.minute(9) == "INSUFFICIENT_DATA"
        assert len(await world.history("StateUpdate")) == 2

    _in_world(tmp_path, story)


def test_a_point_of_the_future_hides_no_crash(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, evaluation_periods=1, datapoints_to_alarm=None))
        world.metrics.put(_NOON, 9.0)
        world.metrics.database.write([Sample(key=_KEY, at=_NOON + 7000, point=point_of(1.0))], _NOON)

        world.now = _NOON + 600
        await world.evaluator.catch_up()

        assert (await world.state(_ALARM)).state_value is AlarmValue.ALARM

    _in_world(tmp_path, story)


def test_an_alarm_that_cannot_be_evaluated_leaves_no_other_unwatched(tmp_path: Path) -> None:
    broken = replace(_ALARM, alarm_name="a broken one", comparison_operator="Unheard")

    async def story(world: _World) -> None:
        await world.put(broken)
        await world.put(replace(_ALARM, datapoints_to_alarm=1))
        world.metrics.put(_NOON, 9.0)

        assert await world.minute(0) == "ALARM"
        assert (await world.state(broken)).state_value is AlarmValue.INSUFFICIENT_DATA

    _in_world(tmp_path, story)


def test_a_change_that_cannot_be_stored_keeps_no_other_back(tmp_path: Path) -> None:
    # Nothing that is checked lets such a name in; it stands for any defect with one alarm.
    broken = replace(_ALARM, alarm_name=object(), datapoints_to_alarm=1)

    async def story(world: _World) -> None:
        world.metrics.put(_NOON, 9.0)
        await world.put(replace(_ALARM, datapoints_to_alarm=1))
        book = world.book.due
        [watched] = book(60)
        world.book.due = lambda interval: [replace(watched, alarm=broken), *book(interval)]  # type: ignore[method-assign]

        assert await world.minute(0) == "ALARM"

    _in_world(tmp_path, story)


def test_an_alarm_that_was_changed_while_it_was_evaluated_is_judged_as_it_is_now(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, datapoints_to_alarm=1))
        world.metrics.put(_NOON, 9.0)
        seen = world.metrics.read

        async def read_slowly(act: Callable[[MetricDatabase, float], T]) -> T:
            found = await seen(act)
            await world.put(replace(_ALARM, datapoints_to_alarm=1, threshold=50.0))
            return found

        world.metrics.read = read_slowly  # type: ignore[method-assign]

        assert await world.minute(0) == "INSUFFICIENT_DATA"
        world.metrics.read = seen  # type: ignore[method-assign]
        assert await world.minute(1) == "OK"

    _in_world(tmp_path, story)


def test_a_message_that_is_not_taken_is_tried_ever_more_seldom_and_given_up_after_an_hour(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        world.targets.failing = True
        await world.put(_ALARM)
        await world.store.write(
            lambda tx: change_state(tx, _ALARM, Change(value=AlarmValue.ALARM, reason="x"), world.now)
        )

        delays = []
        while (delay_s := await world.send()) is not None:
            delays.append(delay_s)
            world.now += delay_s

        assert delays[:9] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
        assert set(delays[9:]) == {300.0}
        assert GIVE_UP_S <= sum(delays) < GIVE_UP_S + 300
        assert world.targets.tried == len(delays) + 1
        assert await world.history("Action") == [f"Failed to execute action {_WEBHOOK}. Received error: it is down"]

    _in_world(tmp_path, story)


def test_a_topic_s_subscriptions_are_messages_of_their_own_with_the_change_s_id(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        world.targets.instead = ["first", "second"]
        await world.put(_ALARM)
        await world.store.write(
            lambda tx: change_state(tx, _ALARM, Change(value=AlarmValue.ALARM, reason="x"), world.now)
        )
        await world.send()
        world.crash()
        await world.start()
        await world.send()

        assert sorted(each.subscription for each in world.targets.taken) == ["first", "second"]
        assert len({each.change_id for each in world.targets.taken}) == 1
        assert len(await world.history("Action")) == 1

    _in_world(tmp_path, story)


def test_a_composite_alarm_changes_in_the_same_transaction_as_its_child(tmp_path: Path) -> None:
    composite = CompositeAlarm(
        account_id="000000000000",
        region="us-east-1",
        alarm_name="all",
        alarm_configuration_updated_timestamp=0.0,
        alarm_rule="ALARM(bad)",
        alarm_actions=(_WEBHOOK,),
    )

    async def story(world: _World) -> None:
        await world.put(replace(_ALARM, datapoints_to_alarm=1, alarm_actions=()))
        await world.put(composite)
        world.metrics.put(_NOON, 9.0)
        await world.minute(0)

        assert (await world.state(composite)).state_value is AlarmValue.ALARM
        await world.send()
        assert [each.alarm_name for each in world.targets.taken] == ["all"]

    _in_world(tmp_path, story)


def test_a_composite_alarm_s_state_that_somebody_set_holds_until_the_next_evaluation(tmp_path: Path) -> None:
    composite = CompositeAlarm(
        account_id="000000000000",
        region="us-east-1",
        alarm_name="all",
        alarm_configuration_updated_timestamp=0.0,
        alarm_rule="ALARM(bad)",
    )

    async def story(world: _World) -> None:
        await world.put(_ALARM)
        await world.put(composite)
        await world.minute(0)
        set_by_hand = Change(value=AlarmValue.ALARM, reason="by hand")
        await world.store.write(lambda tx: change_state(tx, composite, set_by_hand, world.now))
        before = (await world.state(composite)).state_value

        await world.minute(1)

        assert (before, (await world.state(composite)).state_value) == ("ALARM", "OK")

    _in_world(tmp_path, story)


def test_held_actions_are_taken_when_their_time_has_come(tmp_path: Path) -> None:
    composite = CompositeAlarm(
        account_id="000000000000",
        region="us-east-1",
        alarm_name="all",
        alarm_configuration_updated_timestamp=0.0,
        alarm_rule="TRUE",
        alarm_actions=(_WEBHOOK,),
        actions_suppressor="bad",
        actions_suppressor_wait_period=120,
        actions_suppressor_extension_period=0,
    )

    async def story(world: _World) -> None:
        await world.put(_ALARM)
        await world.put(composite)
        await world.store.write(lambda tx: judge_composite(tx, composite, world.now, "put"))

        world.now += 119
        await world.evaluator.evaluate_due()
        await world.send()
        before = len(world.targets.taken)
        world.now += 1
        await world.evaluator.evaluate_due()
        await world.send()

        assert before == 0
        assert [each.alarm_name for each in world.targets.taken] == ["all"]

    _in_world(tmp_path, story)


def test_history_is_bounded_by_age_and_by_number(tmp_path: Path) -> None:
    async def story(world: _World) -> None:
        for number in range(5):
            await world.put(replace(_ALARM, alarm_name=f"alarm {number}"))
            world.now += 10

        await world.store.write(lambda tx: tx.alarms.forget(_NOON + 10, most=3))

        assert await world.history("ConfigurationUpdate") == [f'Alarm "alarm {number}" created' for number in (2, 3, 4)]
        await world.store.write(lambda tx: tx.alarms.forget(_NOON + 35))
        assert await world.history("ConfigurationUpdate") == ['Alarm "alarm 4" created']

    _in_world(tmp_path, story)
