"""The turns of a conversation: what belongs together, and which of them still fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from costspan.core.types import JSON


class Entry(NamedTuple):
    """One message of a conversation.

    Attributes:
        message: The message in OpenAI's shape.
        at_ns: When it was added, in nanoseconds since the epoch.
    """

    message: JSON
    at_ns: int


def plain(value: Any) -> Any:
    """A copy of a message or of a part of one, in plain dicts and lists all the way down."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def is_instruction(message: JSON) -> bool:
    """Whether a message sets the model's behaviour: those are never trimmed."""
    return message.get("role") in ("system", "developer")


def leading_instructions(entries: Sequence[Entry]) -> list[Entry]:
    """The instructions that stand before everything else."""
    for position, entry in enumerate(entries):
        if not is_instruction(entry.message):
            return list(entries[:position])
    return list(entries)


def turn_numbers(entries: Sequence[Entry]) -> list[int | None]:
    """Which turn each message belongs to.

    A turn begins with a message of the user's and holds all that comes of it. It does not begin
    between a tool call and its result, so that the two are never parted.

    Returns:
        A number for each message, counted from 0; None for instructions, which belong to no turn.
    """
    reach_of = _reach_of_calls(entries)
    found: list[int | None] = []
    number, reach = -1, -1
    for position, entry in enumerate(entries):
        if is_instruction(entry.message):
            found.append(None)
            continue
        if number < 0 or (entry.message.get("role") == "user" and position > reach):
            number += 1
        found.append(number)
        reach = max(reach, reach_of.get(position, -1))
    return found


def _reach_of_calls(entries: Sequence[Entry]) -> dict[int, int]:
    """For each message with tool calls that has results, the position of the last of them."""
    latest: dict[object, int] = {}
    reach: dict[int, int] = {}
    for position, entry in enumerate(entries):
        message = entry.message
        for identity in _call_ids(message):
            latest[identity] = position
        asked = latest.get(_result_id(message))
        if asked is not None:
            reach[asked] = position
    return reach


def _call_ids(message: JSON) -> Iterator[object]:
    """What the results of a message's calls will refer to: an id, or a function's name."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, (list, tuple)) else ():
        if isinstance(call, Mapping):
            yield "tool", str(call.get("id"))
    call = message.get("function_call")
    if isinstance(call, Mapping):
        yield "function", str(call.get("name"))


def _result_id(message: JSON) -> object:
    if message.get("role") == "tool":
        return "tool", str(message.get("tool_call_id"))
    return ("function", str(message.get("name"))) if message.get("role") == "function" else None


def within_age(entries: Sequence[Entry], oldest_ns: int) -> list[Entry]:
    """The conversation without the turns in which nothing was said since an instant.

    The last turn stays, whatever its age: it is the one that is about to be sent.
    """
    numbers = turn_numbers(entries)
    newest: dict[int | None, int] = {}
    for entry, number in zip(entries, numbers, strict=True):
        newest[number] = max(entry.at_ns, newest.get(number, entry.at_ns))
    last = _last(numbers)
    return [
        entry
        for entry, number in zip(entries, numbers, strict=True)
        if number is None or number == last or newest[number] >= oldest_ns
    ]


def within_tokens(entries: Sequence[Entry], fits: Callable[[list[Entry]], bool]) -> list[Entry]:
    """The conversation without as many of its oldest turns as it takes to fit.

    Instructions and the last turn stay, even where they do not fit.

    Args:
        entries: The conversation.
        fits: Whether what it is given is short enough.
    """
    if fits(list(entries)):
        return list(entries)
    numbers = turn_numbers(entries)

    def without(turns: int) -> list[Entry]:
        return [
            entry
            for entry, number in zip(entries, numbers, strict=True)
            if number is None or number >= turns
        ]

    most = max(0, _last(numbers))
    return without(bisect_left(range(most), True, key=lambda turns: fits(without(turns))))


def _last(numbers: Sequence[int | None]) -> int:
    return max((number for number in numbers if number is not None), default=-1)
