"""Who is still to be told of what: a release's notifications, at least once each, in the journal once delivered.

One that cannot be delivered is given up after a few tries and the journal says so: a release never waits for a webhook.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final

from headgate.model.release import Notify
from headgate.release.events import Asked, Command, Did, Ended, Event, RollbackDecided, Started, Told
from headgate.release.failures import Refused, Unavailable
from headgate.release.journal import Entry
from headgate.release.notices import Notice
from headgate.release.rollout import Rollout

_TRIES: Final = 5
_FIRST_DELAY_S: Final = 1.0  # doubled at each try


class _Pending:
    def __init__(self, notify: Notify, index: int, notice: Notice) -> None:
        self.notify = notify
        self.index = index
        self.notice = notice
        self.tries = 0
        self.due_at = 0.0
        self.sending: Future[None] | None = None


class Outbox:
    """The notifications of one release; `take_in` is given every row of its journal."""

    def __init__(self, rollout: Rollout) -> None:
        self._release = rollout.release
        self._pending: dict[tuple[int, str], _Pending] = {}

    def __repr__(self) -> str:
        return f"<Outbox {len(self._pending)} pending>"

    @property
    def is_empty(self) -> bool:
        return not self._pending

    def take_in(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, Told):
            self._pending.pop((event.number, event.to), None)
            return
        told = _told(event)
        if told is None:
            return
        kind, text, region = told
        for index, notify in enumerate(self._release.notify):
            notice = Notice(
                release=self._release.release, number=entry.number, kind=kind, text=text, region=region, at=event.at
            )
            self._pending[entry.number, _name(index)] = _Pending(notify, index, notice)

    def due(self, now: float) -> Iterator[tuple[Notify, Notice]]:
        """What is to be sent now; whoever sends it says so by `send`."""
        for each in list(self._pending.values()):
            if each.sending is None and now >= each.due_at:
                yield each.notify, each.notice

    def send(self, notify: Notify, notice: Notice, sending: "Future[None]") -> None:
        for each in self._pending.values():
            if each.notify is notify and each.notice is notice:
                each.sending = sending

    def sent(self, now: float) -> Iterator[Event]:
        """Rows for what has been delivered, or given up."""
        for (number, to), each in list(self._pending.items()):
            if each.sending is None or not each.sending.done():
                continue
            failure = each.sending.exception()
            each.sending = None
            each.tries += 1
            if failure is None:
                yield Told(at=now, number=number, to=to)
            elif not isinstance(failure, Unavailable) or each.tries >= _TRIES:
                why = str(failure) if isinstance(failure, Unavailable | Refused) else "a defect of Headgate's"
                yield Told(at=now, number=number, to=to, failed=why)
            else:
                each.due_at = now + _FIRST_DELAY_S * 2.0 ** (each.tries - 1)


def _name(index: int) -> str:
    """How the journal calls a receiver: its URL may hold a secret."""
    return f"notify[{index}]"


def _told(event: Event) -> tuple[str, str, str] | None:
    """What people want to hear of: kind, words and region."""
    match event:
        case Started(actor=actor, attempt=attempt):
            return "started", f"started by {actor}{f', attempt {attempt}' if attempt > 1 else ''}", ""
        case Did(shifted=float(percent), region=region):
            return "shifted", f"{percent:g} % of the traffic goes to the change", region
        case Asked(why=why, region=region):
            return "waiting", why, region
        case Command(verb=verb, actor=actor, reason=reason):
            return verb, f"{actor}: {verb}{f' ({reason})' if reason else ''}", ""
        case RollbackDecided(why=why):
            return "rolling-back", why, ""
        case Ended(phase=phase, why=why):
            return phase, why, ""
        case _:
            return None
