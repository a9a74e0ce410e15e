"""Conversations and safe completions that are metered."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

import costspan
from costspan import calling
from costspan.core.conversation_store import ConversationFileError
from costspan.core.errors import EmptyReplyError
from costspan.pricing.types import Cost, Estimate

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
# gpt-4o-2024-08-06: 600 x $2.50 + 400 x $1.25 + 100 x $10 per million tokens.
COST = Decimal("0.003")


@pytest.fixture
def memory() -> costspan.InMemoryExporter:
    return costspan.InMemoryExporter()


@pytest.fixture
def chat(frame_server: FrameServer, memory: costspan.InMemoryExporter) -> Any:
    return talk(frame_server, memory)


def talk(
    server: FrameServer,
    memory: costspan.InMemoryExporter,
    model: str = "openai/gpt-4o",
    **arguments: Any,
) -> costspan.ConversationManager:
    return costspan.ConversationManager(
        model,
        "Be brief.",
        meter=costspan.Meter(exporters=[memory]),
        base_url=f"{server.url}/v1",
        api_key="k",
        **arguments,
    )


def test_what_a_conversation_has_cost(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, chat: Any
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    assert (chat.cost_usd, chat.unpriced_replies) == (0, 0)
    chat.send_message("Count.")
    text, reply = chat.send_message("Again.")
    assert text == "One two three."
    assert reply.cost.total == COST
    assert (chat.cost_usd, chat.unpriced_replies, chat.replies) == (2 * COST, 0, 2)
    assert chat.usage.prompt_tokens_details.cached_tokens == 800
    assert [call.cost_usd for call in memory.calls] == [COST, COST]
    assert chat.fork().cost_usd == 0


async def test_asynchronously_and_in_pieces(frame_server: FrameServer, chat: Any) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)
    await chat.asend_message("Count.")
    async with await chat.astream_message("Again.") as stream:
        async for _ in stream:
            pass
    with chat.stream_message("Again.") as stream:
        assert list(stream)
    assert stream.reply.cost.total == COST
    assert (chat.cost_usd, chat.unpriced_replies) == (3 * COST, 0)
    assert len(chat.get_history()) == 7


def test_a_stream_that_was_left_is_unpriced_and_not_free(
    frame_server: FrameServer, chat: Any
) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=0.02)
    with chat.stream_message("Count.") as stream:
        next(stream)
    assert (chat.cost_usd, chat.unpriced_replies) == (None, 1)


def test_unknown_is_not_zero(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, chat: Any
) -> None:
    frame_server.json(CHAT, {**wire.CHAT_BODY, "model": "no-such-model"})
    frame_server.json(CHAT, wire.CHAT_BODY)
    unknown = talk(frame_server, memory, "openai/no-such-model")
    unknown.send_message("Count.")
    assert (unknown.cost_usd, unknown.unpriced_replies) == (None, 1)
    unknown.model = "openai/gpt-4o"
    unknown.send_message("Again.")
    assert (unknown.cost_usd, unknown.unpriced_replies) == (COST, 1)


def test_without_a_meter_nothing_is_known_of_the_cost(
    frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch, chat: Any
) -> None:
    monkeypatch.setenv("COSTSPAN_DISABLED", "1")
    frame_server.json(CHAT, wire.CHAT_BODY)
    assert chat.send_message("Count.")[0] == "One two three."
    assert (chat.cost_usd, chat.unpriced_replies) == (None, 1)
    assert chat.usage.total_tokens == 1100


def test_saved_with_what_it_has_cost(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, tmp_path: Path, chat: Any
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat.send_message("Count.")
    path = tmp_path / "chat.json"
    chat.save(path)
    again = costspan.ConversationManager.load(
        path,
        meter=costspan.Meter(exporters=[memory]),
        base_url=f"{frame_server.url}/v1",
        api_key="k",
    )
    assert (again.cost_usd, again.unpriced_replies) == (COST, 0)
    again.send_message("Again.")
    assert again.cost_usd == 2 * COST
    assert len(memory.calls) == 2


@pytest.mark.parametrize("cost", ["NaN", "Infinity", "-1", "much", 1, True])
def test_a_cost_that_is_none(tmp_path: Path, chat: Any, cost: object) -> None:
    path = tmp_path / "chat.json"
    chat.save(path)
    document = json.loads(path.read_text())
    document["spent"]["cost_usd"] = cost
    path.write_text(json.dumps(document))
    with pytest.raises(ConversationFileError, match=r"chat\.json .*cost_usd is no amount"):
        costspan.ConversationManager.load(path)


def test_what_the_core_saved_was_not_metered(tmp_path: Path, chat: Any) -> None:
    path = tmp_path / "chat.json"
    chat.save(path)
    document = json.loads(path.read_text())
    document["spent"] = {"replies": 2, "replies_without_usage": 0, "usage": None}
    path.write_text(json.dumps(document))
    again = costspan.ConversationManager.load(path)
    assert (again.cost_usd, again.unpriced_replies) == (None, 2)


def test_trimmed_by_the_tokens_that_the_estimate_counts(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, chat: Any
) -> None:
    """OpenAI's cookbook: 3 a message, 1 for the role, the text, and 3 for a reply."""
    chat.clear_history()
    for _ in range(3):
        chat.add_message("user", "hi")
    said = costspan.estimate(model="openai/gpt-4o", messages=chat.get_history())
    # "Be brief." is 3 tokens: 7 for it, 5 for each "hi", 3 for the reply.
    assert said.input_tokens.likely == 25
    assert chat.trim(25) == 0
    assert chat.trim(24) == 1
    assert len(chat.get_history()) == 3


def test_no_more_is_sent_than_the_limit(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat = talk(frame_server, memory, max_history_tokens=20)
    for _ in range(2):
        chat.add_message("user", "hi")
    chat.send_message("hi")
    assert len(messages_of(frame_server)) == 3
    assert len(chat.get_history()) == 5


def messages_of(server: FrameServer) -> list[Any]:
    found = server.requests[-1].json["messages"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        # gpt-4-0613 has a window of 8,192 tokens, gpt-4o one of 128,000.
        ("openai/gpt-4-0613", 2),
        ("openai/gpt-4o", 4),
        ("openai/no-such-model", 4),
    ],
)
def test_as_much_is_sent_as_the_model_s_window_holds(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, model: str, sent: int
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat = talk(frame_server, memory, model)
    chat.add_message("user", "word " * 9000)
    chat.add_message("assistant", "Well.")
    chat.send_message("Count.")
    assert len(messages_of(frame_server)) == sent


@pytest.mark.parametrize(("tool_words", "sent"), [(1, 4), (4000, 2)])
def test_tools_take_room_in_the_window(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, tool_words: int, sent: int
) -> None:
    """A window of 8,192: 1,000 for the answer, 5,000 for the first turn, and the tool."""
    frame_server.json(CHAT, wire.CHAT_BODY)
    function = {"name": "now", "description": "word " * tool_words}
    chat = talk(
        frame_server,
        memory,
        "openai/gpt-4-0613",
        tools=[{"type": "function", "function": function}],
        max_tokens=1000,
    )
    chat.add_message("user", "word " * 5000)
    chat.add_message("assistant", "Well.")
    chat.send_message("Count.")
    assert len(messages_of(frame_server)) == sent


def test_the_window_of_an_alias_is_that_of_its_model(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    meter = costspan.Meter(exporters=[memory], aliases={"mine": "openai/gpt-4-0613"})
    chat = costspan.ConversationManager(
        "openai/mine", meter=meter, base_url=f"{frame_server.url}/v1", api_key="k"
    )
    chat.add_message("user", "word " * 9000)
    chat.send_message("Count.")
    assert len(messages_of(frame_server)) == 1


def test_short_conversations_are_not_counted(
    frame_server: FrameServer,
    memory: costspan.InMemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
    chat: Any,
) -> None:
    """Counting would load the vocabulary, for a quarter of a second, in front of the first send."""
    counted: list[object] = []
    estimate = calling.estimate

    def noted(**arguments: Any) -> Estimate:
        counted.append(arguments)
        return estimate(**arguments)

    monkeypatch.setattr(calling, "estimate", noted)
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat.send_message("Count.")
    chat.send_message("Count.", tools=[{"type": "function", "function": {"name": "now"}}])
    assert counted == []
    chat.send_message([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}])
    assert len(counted) == 1, "what an image takes cannot be told by its length"


def test_limits_work_without_a_meter(
    frame_server: FrameServer,
    memory: costspan.InMemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSTSPAN_DISABLED", "1")
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat = talk(frame_server, memory, "openai/gpt-4-0613")
    chat.add_message("user", "word " * 9000)
    chat.send_message("Count.")
    assert len(messages_of(frame_server)) == 3, "the window is not known"
    chat.max_history_tokens = 1000
    chat.send_message("Count.")
    assert len(messages_of(frame_server)) == 4


async def test_safe_completions_are_metered(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(MESSAGES, wire.MESSAGE_BODY)
    meter = costspan.Meter(exporters=[memory])
    hi = [{"role": "user", "content": "Hi"}]
    where: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k", "meter": meter}
    reply = costspan.safe_completion("anthropic/claude-sonnet-5", hi, **where)
    assert isinstance(reply.cost, Cost)
    again = await costspan.asafe_completion("anthropic/claude-sonnet-5", hi, **where)
    assert again.cost == reply.cost
    # Sonnet 5: 600 x $2 + 400 x $0.20 (cache read) + 100 x $10 per million tokens.
    assert [call.cost_usd for call in memory.calls] == [Decimal("0.00228")] * 2
    assert [request.json["max_tokens"] for request in frame_server.requests] == [1000, 1000]
    assert [request.json["temperature"] for request in frame_server.requests] == [0.7, 0.7]


def test_an_empty_reply_was_paid(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(MESSAGES, {**wire.MESSAGE_BODY, "content": []})
    meter = costspan.Meter(exporters=[memory])
    with pytest.raises(EmptyReplyError) as raised:
        costspan.safe_completion(
            "anthropic/claude-sonnet-5",
            [{"role": "user", "content": "Hi"}],
            base_url=frame_server.url,
            api_key="k",
            meter=meter,
        )
    assert raised.value.reply is not None
    assert isinstance(raised.value.reply.cost, Cost)
    assert raised.value.reply.cost.total == memory.calls[0].cost_usd == Decimal("0.00228")
    # Worker processes hand errors back, and replies.
    assert pickle.loads(pickle.dumps(raised.value)).reply == raised.value.reply


@pytest.mark.parametrize("usage", [wire.OPENAI_USAGE, {"prompt_tokens": 7, "total_tokens": 7}])
def test_a_metered_reply_can_be_pickled_and_copied(
    frame_server: FrameServer, usage: dict[str, Any], chat: Any
) -> None:
    frame_server.json(CHAT, {**wire.CHAT_BODY, "usage": usage})
    _, reply = chat.send_message("Count.")
    assert pickle.loads(pickle.dumps(reply)) == reply == copy.deepcopy(reply)
