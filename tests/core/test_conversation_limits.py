"""What is sent of a conversation that has become too long, or too old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.conversation import ConversationManager
from costspan.core.reply import Choice, Message, Reply
from costspan.core.types import JSON

SECOND = 10**9


def words(model: str, messages: list[JSON]) -> int:
    """A token a word, and one a message."""
    return sum(1 + len(str(message.get("content", "")).split()) for message in messages)


class Recorder:
    """A completion function that answers the same and notes what it was sent."""

    def __init__(self, text: str = "yes") -> None:
        self.sent: list[list[str]] = []
        self._text = text

    def __call__(self, model: str, messages: Sequence[Any], **_: object) -> Reply:
        self.sent.append([str(message.get("content")) for message in messages])
        return Reply(choices=[Choice(0, Message("assistant", self._text), "stop")])


def contents(chat: ConversationManager) -> list[object]:
    return [message.get("content") for message in chat.get_history()]


def talked(*texts: str, **arguments: Any) -> ConversationManager:
    """A conversation with a system message of two words, and these messages of the user's."""
    arguments = {"completion": Recorder(), "token_counter": words, **arguments}
    chat = ConversationManager("m", "Be brief.", **arguments)
    for text in texts:
        chat.add_message("user", text)
        chat.add_message("assistant", "yes")
    return chat


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        # The system message is 3 tokens, a turn 2 + 2.
        (11, ["a", "b"]),
        (10, ["b"]),
        (7, ["b"]),
        (6, ["b"]),  # the last turn stays, whatever it takes
        (1, ["b"]),
    ],
)
def test_trimmed_by_hand(limit: int, kept: list[str]) -> None:
    chat = talked("a", "b")
    assert chat.trim(limit) == 4 - 2 * len(kept)
    assert contents(chat) == ["Be brief.", *[each for k in kept for each in (k, "yes")]]
    assert chat.trim(limit) == 0


def test_trimming_needs_something_that_counts() -> None:
    chat = ConversationManager("m", completion=Recorder())
    with pytest.raises(ValueError, match=r"trim\(\) needs token_counter="):
        chat.trim(10)


def test_nothing_to_trim() -> None:
    chat = ConversationManager("m", completion=Recorder(), token_counter=words)
    assert chat.trim(1) == 0
    chat.add_message("system", "Be very brief.")
    assert chat.trim(1) == 0


def test_what_is_sent_fits_and_the_history_stays_whole() -> None:
    recorder = Recorder()
    chat = talked("a", "b", completion=recorder, max_history_tokens=9)
    chat.send_message("c")
    # 3 for the system message, 4 for a turn, 2 for the new message.
    assert recorder.sent == [["Be brief.", "b", "yes", "c"]]
    assert contents(chat) == ["Be brief.", "a", "yes", "b", "yes", "c", "yes"]
    chat.max_history_tokens = None
    chat.send_message("d")
    assert len(recorder.sent[1]) == 8


@pytest.mark.parametrize(
    ("window", "arguments", "kept"),
    [
        (None, {}, 7),
        (17, {}, 7),  # an eighth for the answer: 15 are left
        (16, {}, 5),  # 14
        (12, {}, 5),  # 11
        (11, {}, 3),  # 10
        (25, {"max_tokens": 10}, 7),
        (24, {"max_tokens": 10}, 5),
        (24, {"max_completion_tokens": 10}, 5),
        (5, {"max_tokens": 10}, 3),
        (16, {"max_tokens": "many"}, 5),  # the call itself says what is wrong with it
    ],
)
def test_the_window_holds_what_is_sent_and_the_answer(
    window: int | None, arguments: dict[str, Any], kept: int
) -> None:
    recorder = Recorder()
    chat = talked("a", "b", completion=recorder, context_window={"m": window}.get)
    chat.add_message("system", "c")
    chat.send_message("d", **arguments)
    # 3 + 2 for the instructions, 4 + 4 for the turns, 2 for the new message: 15 with all.
    assert len(recorder.sent[0]) == kept


def test_the_smaller_limit_counts() -> None:
    recorder = Recorder()
    chat = talked(
        "a", "b", completion=recorder, context_window=lambda model: 100, max_history_tokens=9
    )
    chat.send_message("c")
    assert recorder.sent == [["Be brief.", "b", "yes", "c"]]


def test_old_turns_are_not_sent() -> None:
    now = [0]
    recorder = Recorder()
    chat = talked(completion=recorder, max_age_s=60, clock=lambda: now[0])
    for at, text in ((0, "a"), (30, "b"), (61, "c")):
        now[0] = at * SECOND
        chat.send_message(text)
    assert recorder.sent[2] == ["Be brief.", "b", "yes", "c"]
    assert len(chat.get_history()) == 7
    now[0] = 10_000 * SECOND
    chat.send_message("d")
    assert recorder.sent[3] == ["Be brief.", "d"]


def test_a_turn_is_as_old_as_what_was_said_last_in_it_and_an_open_one_is_sent() -> None:
    now = [0]
    recorder = Recorder()
    chat = talked(completion=recorder, max_age_s=60, clock=lambda: now[0])
    chat.add_message("user", "a")
    now[0] = 50 * SECOND
    chat.add_message("assistant", "yes")
    now[0] = 100 * SECOND
    chat.send_message("b")
    assert recorder.sent[0] == ["Be brief.", "a", "yes", "b"]
    chat.add_message("user", "c")
    now[0] = 10_000 * SECOND
    chat.send_message(None)
    assert recorder.sent[1] == ["Be brief.", "c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_history_tokens": 0, "token_counter": words}, "max_history_tokens=0: at least 1"),
        ({"max_history_tokens": 9}, "max_history_tokens= needs token_counter="),
        ({"max_age_s": 0}, "max_age_s=0: more than 0"),
    ],
)
def test_limits_that_are_none(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ConversationManager("m", completion=Recorder(), **arguments)


def tool_call(*identities: str) -> dict[str, Any]:
    calls = [{"id": each, "function": {"name": "now"}} for each in identities]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(identity: str) -> dict[str, Any]:
    return {"role": "tool", "content": "noon", "tool_call_id": identity}


USER: dict[str, Any] = {"role": "user", "content": "hm"}
OLD_CALL: dict[str, Any] = {"role": "assistant", "content": None, "function_call": {"name": "now"}}
OLD_RESULT: dict[str, Any] = {"role": "function", "content": "noon", "name": "now"}


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ([USER, tool_call("1"), result("1"), USER], 1),
        ([USER, tool_call("1"), USER, result("1")], 4),
        ([USER, tool_call("1", "2"), result("1"), USER, result("2"), USER], 1),
        ([USER, tool_call("1"), result("1"), USER, tool_call("1"), result("1")], 3),
        ([USER, tool_call("1"), USER, USER], 1),  # a call without a result parts nothing
        ([USER, OLD_CALL, USER, OLD_RESULT], 4),
        ([USER, OLD_CALL, OLD_RESULT, USER], 1),
        ([{"role": "assistant", "content": "Hello!"}, USER], 1),  # a greeting is a turn of its own
    ],
)
def test_a_tool_call_and_its_result_go_together(messages: list[dict[str, Any]], kept: int) -> None:
    chat = ConversationManager("m", completion=Recorder(), token_counter=words)
    for message in messages:
        chat.add_message(**message)
    chat.trim(1)
    assert len(chat.get_history()) == kept


text = st.text("ab ", max_size=8)
turn = st.one_of(
    st.tuples(st.just({"role": "user"}), text).map(lambda two: [{**two[0], "content": two[1]}]),
    text.map(lambda said: [{"role": "assistant", "content": said}]),
    text.map(lambda said: [{"role": "system", "content": said}]),
    st.lists(st.sampled_from("12"), min_size=1, max_size=2, unique=True).map(
        lambda ids: [tool_call(*ids)]
    ),
    st.sampled_from("12").map(lambda each: [result(each)]),
)
conversations = st.lists(turn, max_size=12).map(lambda turns: [m for turn in turns for m in turn])


@given(messages=conversations, limit=st.integers(1, 30))
def test_laws_of_trimming(messages: list[dict[str, Any]], limit: int) -> None:
    chat = ConversationManager("m", completion=Recorder(), token_counter=words)
    for message in messages:
        chat.add_message(**message)
    before = chat.get_history()
    forgotten = chat.trim(limit)
    after = chat.get_history()

    assert len(before) - len(after) == forgotten
    instructions = [message for message in before if message["role"] == "system"]
    assert [message for message in after if message["role"] == "system"] == instructions
    rest_before = [message for message in before if message["role"] != "system"]
    rest = [message for message in after if message["role"] != "system"]
    assert rest_before[len(rest_before) - len(rest) :] == rest, "the latest are kept, in order"
    assert not rest_before or rest, "the last turn stays"
    assert orphans(after) <= orphans(before), "no result loses its call"
    if words("m", after) > limit:
        chat.trim(1)
        assert chat.get_history() == after, "only what always stays is left"
    elif forgotten:
        assert words("m", before) > limit


def orphans(messages: Sequence[JSON]) -> int:
    """How many results there are without a call before them."""
    known: set[object] = set()
    found = 0
    for message in messages:
        calls: Any = message.get("tool_calls") or []
        known |= {call["id"] for call in calls}
        found += message["role"] == "tool" and message["tool_call_id"] not in known
    return found
