"""Tells people and programs of what a release did. Whoever calls keeps what was not delivered, and tries again."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from headgate.model.release import Notify
from headgate.model.value import Value
from headgate.release.failures import Refused, Unavailable
from headgate.release.gates import excerpt
from headgate.release.gates.exchange import ask
from headgate.release.gates.target import target_of

Publish = Callable[[str, str, str], None]  # topic's ARN, subject, message; raises Refused and Unavailable

_TIMEOUT_S: Final = 10.0
_MOST_SUBJECT: Final = 99  # characters: "less than 100", of printable ASCII (SNS API reference, Publish)
_LATER: Final = {408, 425, 429}  # a status below 500 that says to try again
_NEVER: Final = threading.Event()


class Notice(Value, frozen=True):
    """One event of a release; its number tells it from the others."""

    release: str
    number: int
    kind: str  # started, waiting, promoted, rolled-back, shifted, resumed ...
    text: str  # a sentence for people
    at: float  # seconds since the epoch
    region: str = ""
    url: str = ""  # where to look further

    @property
    def key(self) -> str:
        """The same each time that the notice is sent."""
        return f"{self.release}/{self.number}"


def deliver(notify: Notify, notice: Notice, publish: Publish) -> None:
    """Send a notice to a webhook or a topic. A receiver may get it twice, with the same key.

    Raises Unavailable (not now) and Refused (the receiver will not have it).
    """
    if notify.webhook is not None:
        _post(notify.webhook, notice)
    elif notify.sns is not None:
        publish(notify.sns, _subject(notice), _message(notice).decode())
    else:
        raise Refused("a notification goes to a webhook or to sns; this one has neither")


def _post(url: str, notice: Notice) -> None:
    target = target_of(url)
    answer = ask(
        "POST",
        target,
        headers={"Content-Type": "application/json", "Idempotency-Key": notice.key},
        body=_message(notice),
        timeout_s=_TIMEOUT_S,
        cancelled=_NEVER,
    )
    if 200 <= answer.status < 300:
        return
    said = excerpt.beginning(answer.body, target.secrets)
    told = f"{target.origin} answered {answer.status} to a notice: {said or 'no body'}"
    if answer.status >= 500 or answer.status in _LATER:
        raise Unavailable(told)
    raise Refused(told)


def _message(notice: Notice) -> bytes:
    """`text` is what Slack, Mattermost and their like show; they pass over the rest."""
    shown = f"{notice.release}{f' ({notice.region})' if notice.region else ''}: {notice.text}"
    body: dict[str, Any] = {
        "text": f"{shown} {notice.url}".rstrip(),
        "release": notice.release,
        "number": notice.number,
        "kind": notice.kind,
        "region": notice.region,
        "reason": notice.text,
        "at": datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "url": notice.url,
    }
    return msgspec.json.encode(body)


def _subject(notice: Notice) -> str:
    subject = " ".join(f"{notice.release} {notice.kind}: {notice.text}".split())
    return "".join(each if " " <= each <= "~" else "?" for each in subject)[:_MOST_SUBJECT]
