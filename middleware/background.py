"""Calls of responses in background mode: created without an answer, which a later retrieval shows.

https://platform.openai.com/docs/guides/background (2026-11)
"""

from __future__ import annotations

from costspan.middleware.live import LiveCall
from costspan.middleware.pending import pending_of


def is_in_background(call: LiveCall) -> bool:
    """Whether a call asks a provider for a response in background mode."""
    return call.asked.is_request and call.asked.body.get("background") is True


def follow(call: LiveCall) -> bool:
    """Keep a call open whose response is being made in the background.

    Returns:
        Whether it is; False when the answer is complete, or nothing is known of it. Takes no lock.
    """
    identity = call.seen.response_id
    if identity is None or not call.is_open:
        return False
    pending = pending_of(call.meter)
    if call.seen.complete:
        pending.take(identity)
        return False
    pending.hold(identity, call)
    call.keep_open()
    call.asked = call.asked._replace(body={})  # a prompt is not kept for hours
    return True


def answered(call: LiveCall) -> None:
    """A call has returned a value: end it, unless that is a response still being made."""
    if not (is_in_background(call) and follow(call)):
        call.end("value")
