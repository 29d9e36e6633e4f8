"""The loop that drives one release: fold the journal, look at what is so, decide, carry out one thing, again.

It has no rule of its own: what happens next is `decide`'s. A row is written before and after each act. Acts that take
long run beside the loop, so that evidence and people are heard meanwhile; all else is done in it, one at a time.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Final, TypeVar

from headgate.release.actions import Action, Do, LookAt, Note, Undo, Wait
from headgate.release.acts import perform, takes_long
from headgate.release.decide import decide
from headgate.release.events import Began, Did, DidNot, Event, Looked, LookFailed, Undid
from headgate.release.failures import Refused, Unavailable
from headgate.release.fold import after, replay
from headgate.release.gates.cancelled import Cancelled
from headgate.release.journal import Entry, Journals, Lease, LeaseLost
from headgate.release.outbox import Outbox
from headgate.release.plan import is_region
from headgate.release.report import summary
from headgate.release.rollout import Rollout
from headgate.release.seen import Seen, Target
from headgate.release.steps import Migration
from headgate.release.world import World

_log = logging.getLogger("headgate.release")

LEASE_S: Final = 15.0
_END_S: Final = 10.0  # that what was cancelled has to end its processes

T = TypeVar("T")


class Controller:
    """Drives one release while it holds the lease. `world` is made from the journal's first fold."""

    def __init__(
        self,
        journals: Journals,
        lease: Lease,
        world: Callable[[Rollout], World],
        *,
        clock: Callable[[], float] = time.time,
        heard: Callable[[Entry], None] = lambda _entry: None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._journals = journals
        self._lease = lease
        self._lease_s = lease_s
        self._clock = clock
        self._heard = heard
        self._number = 0
        entries = journals.entries(lease.name)
        self._rollout = replay(entry.event for entry in entries)
        self._world = world(self._rollout)
        self._outbox = Outbox(self._rollout)
        self._running: dict[str, tuple[Do, Future[Did], threading.Event]] = {}
        for entry in entries:
            self._take_in(entry, fold=False)
        self._lost: LeaseLost | None = None
        self._unseen: dict[str, str] = {}  # why a region cannot be read
        self._closing = threading.Event()
        self._heart = threading.Thread(target=self._keep_lease, name=f"lease-{lease.name}", daemon=True)
        self._heart.start()

    def __repr__(self) -> str:
        return f"<Controller {self._lease.name} {self._rollout.phase}>"

    @property
    def rollout(self) -> Rollout:
        return self._rollout

    def run(self, poke: threading.Event, stopping: threading.Event, until: Callable[[Rollout], bool]) -> None:
        """Until the release is over and told of, or `until` says so, or `stopping` is set. Raises LeaseLost."""
        while not stopping.is_set():
            wake_at = self.step()
            if wake_at is None:
                return
            idle_s = wake_at - self._clock()
            if idle_s > 0 and until(self._rollout):  # once all is done that can be done
                return
            poke.wait(max(0.0, min(idle_s, 1.0)))
            poke.clear()

    def step(self) -> float | None:
        """One pass; when to make the next at the latest, or None when there is nothing left to do. Raises LeaseLost."""
        self._catch_up()
        self._collect()
        actions = decide(self._rollout, self._look_around(), self._clock())
        action = next((each for each in actions if not isinstance(each, Wait)), None)
        if action is not None:
            self._carry_out(action)
            return self._clock()
        told = self._tell()
        if self._rollout.is_over:
            if told:
                if self._journals.close_release(self._lease.name, self._lease, self._number):
                    return None
                return self._clock()  # somebody told it something meanwhile
            return self._clock() + 1.0
        return min(each.until for each in actions if isinstance(each, Wait))

    def close(self) -> None:
        """Let go of the release, wherever it is; what runs beside is cancelled, and done again by whoever goes on."""
        for _, _, cancelled in self._running.values():
            cancelled.set()
        # A migration does not end for us: its command goes on, and holds the lock that whoever comes next waits for.
        wait([future for action, future, _ in self._running.values() if not isinstance(action.step, Migration)], _END_S)
        self.die()
        self._journals.release(self._lease)
        self._world.close()

    def die(self) -> None:
        """End the thread that keeps the lease and leave all else as it is: the lease runs out."""
        self._closing.set()
        self._heart.join()

    def _keep_lease(self) -> None:
        while not self._closing.wait(self._lease_s / 3):
            try:
                self._lease = self._journals.renew(self._lease, self._lease_s)
            except LeaseLost as error:
                self._lost = error
                return
            except Exception:  # a disk that is full may not be so for long
                _log.exception("the lease of release %s is not renewed; it is tried again", self._lease.name)

    def _look_around(self) -> Seen:
        """What is so in the regions that the release is at; one that does not answer is left out."""
        rollout = self._rollout
        running = frozenset(self._running)
        if rollout.is_over or rollout.rollback is not None:
            return Seen(running=running)
        targets: dict[str, Target] = {}
        lag_s, interval_s, grain_s = 0.0, 1.0, 1.0
        for region, track in rollout.tracks.items():
            if not is_region(region) or track.before is None:
                continue
            try:
                targets[region] = self._world.driver(region).read()
                source = self._world.source(region)
                lag_s, interval_s = max(lag_s, source.lag_s), max(interval_s, source.interval_s)
                grain_s = max(grain_s, source.grain_s)
                self._unseen.pop(region, None)
            except (Unavailable, Refused) as error:
                if self._unseen.get(region) != str(error):  # once, and not at each pass
                    self._unseen[region] = str(error)
                    _log.warning("release %s: %s", self._lease.name, error)
            except Exception as error:  # a defect must not keep a release from being rolled back
                if self._unseen.get(region) != repr(error):
                    self._unseen[region] = repr(error)
                    _log.exception("release %s: %s cannot be read", self._lease.name, region)
        return Seen(targets=targets, running=running, lag_s=lag_s, interval_s=interval_s, grain_s=grain_s)

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Do | Undo):
            # A row is fenced by the store, an act is not: a process that was stopped may have been replaced.
            self._journals.check(self._lease)
        match action:
            case Do():
                self._do(action)
            case Undo():
                self._undo(action)
            case LookAt():
                self._look_at(action)
            case Note(event=event):
                self._append_decided(event)
            case Wait():
                pass

    def _do(self, action: Do) -> None:
        track = self._rollout.tracks[action.region]
        if not track.begun:
            began = Began(at=self._clock(), region=action.region, key=action.key, title=action.title)
            if not self._append_decided(began):
                return
            track = self._rollout.tracks[action.region]
        cancelled = threading.Event()

        def act() -> Did:
            return perform(
                self._rollout, track, action.step, action.key, self._world, self._artefact, self._clock(), cancelled
            )

        if takes_long(action.step):
            self._running[action.key] = (action, beside(act), cancelled)
            return
        self._note_outcome(action, act)

    def _artefact(self, name: str) -> bytes | None:
        return self._journals.blob(self._rollout.started.artefacts.get(name, ""))

    def _note_outcome(self, action: Do, outcome: Callable[[], Did]) -> None:
        try:
            event: Event = outcome()
        except Cancelled:
            return
        except (Refused, Unavailable) as error:
            event = self._did_not(action, str(error), refused=isinstance(error, Refused))
        except LeaseLost:
            raise
        except Exception:
            _log.exception("release %s: %s failed", self._lease.name, action.title)
            event = self._did_not(action, f"{action.title}: a defect of Headgate's; see its log", refused=False)
        self._append(event)

    def _did_not(self, action: Do | Undo, message: str, *, refused: bool) -> DidNot:
        return DidNot(at=self._clock(), region=action.region, key=action.key, message=message, refused=refused)

    def _collect(self) -> None:
        """What ran beside and has ended. Of a rollback's way nothing that was begun before it matters any more."""
        for key, (action, future, cancelled) in list(self._running.items()):
            if self._rollout.rollback is not None or self._rollout.is_over:
                cancelled.set()
            if future.done():
                del self._running[key]
                if not cancelled.is_set():
                    self._note_outcome(action, future.result)

    def _undo(self, action: Undo) -> None:
        track = self._rollout.tracks[action.region]
        try:
            self._world.driver(action.region).undo(track, action.part, promoted=action.promoted)
        except (Refused, Unavailable) as error:
            # There is nothing behind a rollback: it is tried until it is done, whatever the reason.
            self._append(self._did_not(action, f"rolling back {action.part}: {error}", refused=False))
        except Exception:
            _log.exception("release %s: rolling back %s failed", self._lease.name, action.part)
            self._append(self._did_not(action, f"rolling back {action.part}: a defect; see the log", refused=False))
        else:
            self._append(Undid(at=self._clock(), region=action.region, part=action.part))

    def _look_at(self, action: LookAt) -> None:
        track = self._rollout.tracks[action.region]
        try:
            seen = self._world.source(action.region).looks(track, action.since, action.until)
        except (Refused, Unavailable) as error:
            self._append(LookFailed(at=self._clock(), region=action.region, message=str(error)))
        except Exception:
            _log.exception("release %s: the evidence of %s cannot be read", self._lease.name, action.region)
            self._append(
                LookFailed(at=self._clock(), region=action.region, message="a defect of Headgate's; see its log")
            )
        else:
            self._append(
                Looked(
                    at=self._clock(),
                    region=action.region,
                    until=action.until,
                    looks=seen.looks,
                    thresholds=seen.thresholds,
                    differences=seen.differences,
                )
            )

    def _append_decided(self, event: Event) -> bool:
        """Write what was decided, unless somebody said something since: then it is decided anew, with that."""
        return self._append(event, self._number)

    def _append(self, event: Event, decided_on: int | None = None) -> bool:
        if self._lost is not None:
            raise self._lost
        following = after(self._rollout, event)
        shown = summary(following, self._clock())
        written = self._journals.append(self._lease.name, event, self._lease, shown, decided_on)
        self._catch_up()
        return written is not None

    def _catch_up(self) -> None:
        """The rows that were written since, one's own among them: people's commands come between."""
        if self._lost is not None:
            raise self._lost
        for entry in self._journals.entries(self._lease.name, self._number):
            self._take_in(entry, fold=True)

    def _take_in(self, entry: Entry, *, fold: bool) -> None:
        before = self._rollout
        if fold:
            self._rollout = after(before, entry.event)
        self._number = entry.number
        self._outbox.take_in(entry)
        self._heard(entry)

    def _tell(self) -> bool:
        """Send what is due; whether nothing is left to be told."""
        for event in self._outbox.sent(self._clock()):
            self._append(event)
        for notify, notice in self._outbox.due(self._clock()):
            self._outbox.send(notify, notice, beside(partial(self._world.tell, notify, notice)))
        return self._outbox.is_empty


def beside(act: Callable[[], T]) -> "Future[T]":
    """Run it on a thread that the process does not wait for at its end."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:  # it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
