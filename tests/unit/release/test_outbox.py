from concurrent.futures import Future

from headgate.release.events import Asked, Did, Ended, Started, Told
from headgate.release.failures import Refused, Unavailable
from headgate.release.journal import Entry
from headgate.release.outbox import Outbox
from headgate.release.rollout import begin
from unit.release.worlds import BEGIN, CANARY, started

_TEXT = CANARY + 'notify: [{webhook: "https://one.example"}, {webhook: "https://two.example"}]\n'
_ENDED = Entry(9, Ended(at=BEGIN, phase="promoted", why="every step is done"))


def an_outbox(*entries: Entry) -> Outbox:
    outbox = Outbox(begin(started(_TEXT)))
    for entry in entries:
        outbox.take_in(entry)
    return outbox


def sent(outbox: Outbox, failure: Exception | None = None, now: float = BEGIN) -> list[Told]:
    """Send all that is due."""
    for notify, notice in list(outbox.due(now)):
        future: Future[None] = Future()
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
        outbox.send(notify, notice, future)
    return [each for each in outbox.sent(now) if isinstance(each, Told)]


def test_each_receiver_is_told_of_what_people_want_to_hear() -> None:
    outbox = an_outbox(
        Entry(1, started(_TEXT)),
        Entry(2, Did(at=BEGIN, region="r", key="k", shifted=10.0)),
        Entry(3, Did(at=BEGIN, region="r", key="k", message="a gate")),
        Entry(4, Asked(at=BEGIN, region="r", topic="approval", why="waits")),
        _ENDED,
    )

    kinds = [notice.kind for _, notice in outbox.due(BEGIN)]

    assert isinstance(started(_TEXT), Started)
    assert sorted(set(kinds)) == ["promoted", "shifted", "started", "waiting"]
    assert len(kinds) == 8


def test_a_notice_that_is_on_its_way_is_not_sent_again() -> None:
    outbox = an_outbox(_ENDED)
    for notify, notice in list(outbox.due(BEGIN)):
        outbox.send(notify, notice, Future())

    assert list(outbox.due(BEGIN)) == []


def test_what_the_journal_knows_as_told_is_not_told_again() -> None:
    outbox = an_outbox(_ENDED, Entry(10, Told(at=BEGIN, number=9, to="notify[0]")))

    assert [notify.webhook for notify, _ in outbox.due(BEGIN)] == ["https://two.example"]


def test_a_receiver_that_does_not_answer_is_asked_again_and_given_up_in_the_end() -> None:
    outbox = an_outbox(_ENDED)
    now = BEGIN
    tries = 0
    told: list[Told] = []
    while not told:
        told = sent(outbox, Unavailable("no answer"), now)
        tries += 1
        now += 60

    assert tries == 5
    assert {each.failed for each in told} == {"no answer"}


def test_a_receiver_that_refuses_is_not_asked_again_and_its_url_is_in_no_row() -> None:
    told = sent(an_outbox(_ENDED), Refused("404"))

    assert [(each.to, each.failed) for each in told] == [("notify[0]", "404"), ("notify[1]", "404")]
