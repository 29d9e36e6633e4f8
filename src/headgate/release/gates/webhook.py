"""The webhook gate: another system is asked whether the release may go on."""

import threading

import msgspec

from headgate.release.failures import Refused
from headgate.release.gates import excerpt
from headgate.release.gates.context import GateContext, payload
from headgate.release.gates.exchange import ask
from headgate.release.gates.target import target_of


def call_webhook(url: str, context: GateContext, timeout_s: float, cancelled: threading.Event) -> str:
    """What was answered; only the origin of the URL is told, as its path is often a secret.

    Raises Refused, Unavailable and Cancelled.
    """
    target = target_of(url)
    answer = ask(
        "POST",
        target,
        headers={"Content-Type": "application/json", "Idempotency-Key": context.key},
        body=msgspec.json.encode(payload(context)),
        timeout_s=timeout_s,
        cancelled=cancelled,
    )
    said = excerpt.beginning(answer.body, target.secrets)
    if not 200 <= answer.status < 300:
        raise Refused(f"webhook {target.origin} answered {answer.status}: {said or 'no body'}")
    return f"webhook {target.origin} answered {answer.status}{f': {said}' if said else ''}"
