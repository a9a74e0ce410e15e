"""``last_call``: the newest finished record of this context."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TypeAlias

from costspan.middleware.lifecycle import drain_all
from costspan.middleware.record import Call

Slot: TypeAlias = "list[Call]"
"""Where a call leaves its record for the context that began it; empty until it has ended."""

_begun: ContextVar[Slot | None] = ContextVar("costspan_begun", default=None)
_finished: ContextVar[Call | None] = ContextVar("costspan_finished", default=None)


def note_begun() -> Slot:
    """A call begins in this context: where its record is to be left."""
    former = _begun.get()
    if former:  # of a stream that was left: it ended in another context, or when it was drained
        finished = _finished.get()
        if finished is None or former[0].ended_at > finished.ended_at:
            _finished.set(former[0])
    slot: Slot = []
    _begun.set(slot)
    return slot


def begun_here() -> Slot | None:
    """Where the call that began last in this context leaves its record."""
    return _begun.get()


def put_back(slot: Slot | None) -> None:
    """Forget what has begun since `begun_here` was asked: it is not the user's own call."""
    _begun.set(slot)


def forget() -> None:
    """Nothing has run in this context: a test begins."""
    _begun.set(None)
    _finished.set(None)


def note_finished(record: Call) -> None:
    """A call has ended in this context, which need not be the one that it began in."""
    _finished.set(record)


def last_call() -> Call | None:
    """The newest finished call of this context: of this thread or task, and what they awaited.

    Returns:
        The frozen record with ``cost_usd``, ``usage``, ``estimate`` and the rest; None if no call
        has ended here. Calls that ran in other tasks or threads are not seen. A stream counts
        when it has ended; one that was left early counts, too.

    Example:
        >>> import costspan
        >>> ask = costspan.wrap(lambda model, messages: {"choices": []})
        >>> answer = ask("gpt-4o-mini", [])
        >>> costspan.last_call().model
        'gpt-4o-mini'
    """
    drain_all()
    slot, finished = _begun.get(), _finished.get()
    begun = slot[0] if slot else None
    if begun is None or finished is None:
        return begun or finished
    return begun if begun.ended_at >= finished.ended_at else finished
