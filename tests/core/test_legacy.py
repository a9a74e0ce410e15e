"""The older ``functions`` say the same as tools."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.legacy import show_function_call, tool_turns, tools_from_functions
from costspan.core.reply import Function, Message, ToolCall

FUNCTION = {"name": "now", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({}, {}),
        ({"function_call": "auto"}, {"tool_choice": "auto"}),
        ({"function_call": "none"}, {"tool_choice": "none"}),
        (
            {"function_call": {"name": "now"}},
            {"tool_choice": {"type": "function", "function": {"name": "now"}}},
        ),
    ],
)
def test_parameters(choice: dict[str, Any], sent: dict[str, Any]) -> None:
    params = {"functions": [FUNCTION], "seed": 1, **choice}
    assert tools_from_functions(params) == {"seed": 1, "tools": TOOLS, **sent}


def test_results_belong_to_the_latest_call_of_their_function() -> None:
    def call(text: str) -> dict[str, Any]:
        return {"role": "assistant", "function_call": {"name": "now", "arguments": text}}

    def result(text: str) -> dict[str, Any]:
        return {"role": "function", "name": "now", "content": text}

    turns: list[Any] = list(tool_turns([call("1"), result("a"), call("2"), result("b")]))
    for calling, answering in (turns[:2], turns[2:]):
        (made,) = calling["tool_calls"]
        assert "function_call" not in calling
        assert answering["tool_call_id"] == made["id"]
    assert turns[0]["tool_calls"][0]["id"] != turns[2]["tool_calls"][0]["id"]
    assert [turn["content"] for turn in (turns[1], turns[3])] == ["a", "b"]


def test_an_answer_that_shows_its_call_in_both_forms_is_sent_in_one() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    turns = tool_turns(
        [
            {"role": "assistant", "tool_calls": [call], "function_call": call["function"]},
            {"role": "function", "name": "now", "content": "noon"},
        ]
    )
    assert turns == [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "noon"},
    ]


def test_messages_of_today_are_left_as_they_are() -> None:
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    assert tool_turns(messages) == messages


def test_answers_show_their_first_call_and_those_without_none() -> None:
    message = Message(tool_calls=[ToolCall("t1", function=Function("now", "{}"))])
    show_function_call(message)
    assert message.function_call == Function("now", "{}")
    silent = Message(content="Hi")
    show_function_call(silent)
    assert silent.function_call is None
