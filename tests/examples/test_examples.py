"""What the examples send, to the field, and what they print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

if TYPE_CHECKING:
    from tests.conftest import FrameServer
    from tests.examples.conftest import Run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
PLACE = {"location": "Tokyo"}


def chat_answer(text: str | None, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **fields}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**wire.CHAT_BODY, "model": "gpt-4o-mini-2024-07-18", "choices": [choice]}


def claude_answer(*blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**wire.MESSAGE_BODY, "content": list(blocks), **fields}


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def gemini(model: str) -> str:
    return f"/v1beta/models/{model}:generateContent"


def gemini_answer(*parts: dict[str, Any]) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 100,
            "totalTokenCount": 1100,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
    }


def bodies(server: FrameServer) -> list[dict[str, Any]]:
    return [request.json for request in server.requests]


def test_basic_chat(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer("It scatters."))
    out = run("01_basic_chat", url=frame_server.url)

    assert bodies(frame_server) == [
        {
            "model": "gpt-4o-mini",
            "messages": [
                {
                    "role": "system",
                    "content": "You explain science to curious teenagers, in three sentences.",
                },
                {"role": "user", "content": "Why is the sky blue?"},
            ],
        }
    ]
    # gpt-4o-mini: 600 x $0.15 + 400 x $0.075 + 100 x $0.60 per million tokens.
    assert out.splitlines() == [
        "It scatters.",
        "-- 1000 tokens in, 100 out",
        "-- cost in US dollars: 0.000180000000",
    ]


def test_basic_chat_with_claude(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(MESSAGES, claude_answer(text_block("It scatters.")))
    out = run("01_basic_chat", "anthropic/claude-sonnet-5", url=frame_server.url)

    (body,) = bodies(frame_server)
    assert body["model"] == "claude-sonnet-5"
    assert body["messages"] == [{"role": "user", "content": [text_block("Why is the sky blue?")]}]
    # Sonnet 5: 600 x $2 + 400 x $0.20 (cache read) + 100 x $10 per million tokens.
    assert out.splitlines()[-1] == "-- cost in US dollars: 0.002280000000"


def test_the_model_can_come_from_the_environment(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer("It scatters."))
    run("01_basic_chat", url=frame_server.url, EXAMPLE_MODEL="openai/no-such-model")

    assert bodies(frame_server)[0]["model"] == "no-such-model"


def test_advanced_parameters(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer("Gearloaf."))
    out = run("02_advanced_parameters", url=frame_server.url)

    assert bodies(frame_server) == [
        {
            "model": "gpt-4o-mini",
            "messages": [
                {
                    "role": "user",
                    "content": "Invent a name for a bakery run by robots, and say why.",
                }
            ],
            "max_completion_tokens": 500,
            "temperature": 0.7,
            "top_p": 0.9,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "stop": ["\n\n", "###"],
            "n": 1,
            "logit_bias": {},
        }
    ]
    assert out.splitlines() == ["Gearloaf.", "-- ended by: stop", "-- left out: nothing"]


def test_multi_turn(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer("With reversed()."))
    frame_server.json(CHAT, chat_answer("From the end."))
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)
    out = run("03_multi_turn", url=frame_server.url)

    history = [
        {"role": "system", "content": "You are a patient Python tutor."},
        {"role": "user", "content": "How do I reverse a string?"},
        {"role": "assistant", "content": "With reversed()."},
        {"role": "user", "content": "And how does slicing do it?"},
        {"role": "assistant", "content": "From the end."},
        {"role": "user", "content": "One line of code, please."},
    ]
    sent = bodies(frame_server)
    assert [body["messages"] for body in sent] == [history[:2], history[:4], history]
    assert [body["max_completion_tokens"] for body in sent] == [300, 300, 300]
    assert [body.get("stream", False) for body in sent] == [False, False, True]
    # Twice gpt-4o-mini as above, and gpt-4o-2024-08-06 (which the stream names) at $0.003.
    assert out.splitlines() == [
        "You:   How do I reverse a string?",
        "Tutor: With reversed().",
        "",
        "You:   And how does slicing do it?",
        "Tutor: From the end.",
        "",
        "You:   One line of code, please.",
        "Tutor: One two three.",
        "",
        "-- 7 messages, 3 replies",
        "-- cost in US dollars: 0.003360000000 (0 replies without a price)",
    ]


def test_json_extraction(frame_server: FrameServer, run: Run) -> None:
    person = {"name": "Maria Lopez", "age": 41, "occupation": "marine biologist"}
    frame_server.json(CHAT, chat_answer(json.dumps(person)))
    frame_server.json(CHAT, chat_answer("Maria Lopez, 41"))
    out = run("04_json_extraction", url=frame_server.url)
    failed = run("04_json_extraction", url=frame_server.url)

    body = bodies(frame_server)[0]
    asked = body["response_format"]
    assert (body["temperature"], body["max_completion_tokens"]) == (0.1, 200)
    assert (asked["type"], asked["json_schema"]["name"]) == ("json_schema", "Person")
    assert asked["json_schema"]["schema"]["required"] == ["name", "age", "occupation"]
    assert out == "Maria Lopez is 41 and works as: marine biologist\n"
    assert failed == "Not what was asked for: Maria Lopez, 41\n"


@pytest.mark.parametrize("fence", ["```python\n", ""])
def test_code_generation(frame_server: FrameServer, run: Run, fence: str) -> None:
    frame_server.json(CHAT, chat_answer(f"{fence}def fib(n: int) -> int:\n    ..."))
    out = run("05_code_generation", url=frame_server.url)

    (body,) = bodies(frame_server)
    assert body["messages"][0]["content"].startswith("You write python with type hints")
    assert body["messages"][1] == {
        "role": "user",
        "content": "A function that gives the n-th Fibonacci number and remembers those it has "
        "worked out.",
    }
    assert (body["temperature"], body["stop"]) == (0.2, ["\n```"])
    assert body["max_completion_tokens"] == 400
    assert out == "def fib(n: int) -> int:\n    ...\n"


def test_few_shot(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer(" Positive."))
    frame_server.json(CHAT, chat_answer("negative"))
    out = run("06_few_shot", url=frame_server.url)

    first, second = bodies(frame_server)
    assert [message["role"] for message in first["messages"]] == [
        "system",
        *["user", "assistant"] * 3,
        "user",
    ]
    assert [m["content"] for m in first["messages"] if m["role"] == "assistant"] == [
        "positive",
        "negative",
        "neutral",
    ]
    assert first["messages"][-1]["content"] == "What a wonderful film!"
    assert second["messages"][:-1] == first["messages"][:-1]
    assert (first["temperature"], first["max_completion_tokens"]) == (0.1, 10)
    assert out.splitlines() == [
        "positive  What a wonderful film!",
        "negative  Two hours that I will never get back.",
    ]


def test_few_shot_with_gemini(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(gemini("gemini-2.5-flash-lite"), gemini_answer({"text": "positive"}))
    out = run("06_few_shot", "gemini/gemini-2.5-flash-lite", url=frame_server.url)

    body = bodies(frame_server)[0]
    assert body["systemInstruction"]["parts"] == [
        {"text": "Say the sentiment of each review in one word: positive, negative or neutral."}
    ]
    assert [turn["role"] for turn in body["contents"]] == [*["user", "model"] * 3, "user"]
    assert body["contents"][1]["parts"] == [{"text": "positive"}]
    assert body["generationConfig"] == {"temperature": 0.1, "maxOutputTokens": 10}
    assert out.splitlines()[0] == "positive  What a wonderful film!"


@pytest.mark.parametrize(
    ("answer", "printed"),
    [
        (
            "1. 7.5 litres a minute.\nResult: 20 minutes",
            ["1. 7.5 litres a minute.", "-- 20 minutes"],
        ),
        (
            "1. 7.5 litres",
            [
                "1. 7.5 litres",
                "-- no line with a result: raise max_tokens, or ask a larger model",
            ],
        ),
    ],
)
def test_step_by_step(frame_server: FrameServer, run: Run, answer: str, printed: list[str]) -> None:
    frame_server.json(CHAT, chat_answer(answer))
    out = run("07_step_by_step", url=frame_server.url)

    (body,) = bodies(frame_server)
    assert (body["temperature"], body["max_completion_tokens"]) == (0.3, 1000)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert out.splitlines() == printed


def test_several_answers_of_claude_are_as_many_requests(
    frame_server: FrameServer, run: Run
) -> None:
    for number in range(5):
        frame_server.json(MESSAGES, claude_answer(text_block(f"Slogan {number}.")))
    out = run("08_several_answers", url=frame_server.url)

    sent = bodies(frame_server)
    assert (
        sent
        == [
            {
                "model": "claude-sonnet-4-5",
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            text_block("A slogan for a coffee shop in a library, in one line.")
                        ],
                    }
                ],
                "max_tokens": 200,
                "temperature": 0.8,
            }
        ]
        * 5
    )
    *slogans, usage = out.splitlines()
    assert [line[:3] for line in slogans] == ["1. ", "2. ", "3. ", "4. ", "5. "]
    assert {line[3:] for line in slogans} == {f"Slogan {number}." for number in range(5)}
    assert usage == "-- 5000 tokens in, 500 out"


def test_several_answers_of_openai_are_one_request(frame_server: FrameServer, run: Run) -> None:
    choices = [{**chat_answer(f"Slogan {n}.")["choices"][0], "index": n} for n in range(5)]
    frame_server.json(CHAT, {**wire.CHAT_BODY, "choices": choices})
    out = run("08_several_answers", "openai/gpt-4o", url=frame_server.url)

    (body,) = bodies(frame_server)
    assert body["n"] == 5
    assert out.splitlines() == [
        *(f"{n + 1}. Slogan {n}." for n in range(5)),
        "-- 1000 tokens in, 100 out",
    ]


def test_thinking_budget(frame_server: FrameServer, run: Run) -> None:
    thought = {"type": "thinking", "thinking": "Sum of squares.", "signature": "s"}
    frame_server.json(MESSAGES, claude_answer(thought, text_block("204.")))
    out = run("09_thinking_budget", url=frame_server.url)

    (body,) = bodies(frame_server)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 4000
    assert "temperature" not in body
    assert out.splitlines() == [
        "It thought: Sum of squares.",
        "",
        "204.",
        "-- 100 tokens out, the thinking included",
    ]


def test_thinking_budget_of_gemini(frame_server: FrameServer, run: Run) -> None:
    thought = {"text": "Sum of squares.", "thought": True}
    frame_server.json(gemini("gemini-2.5-pro"), gemini_answer(thought, {"text": "204."}))
    out = run("09_thinking_budget", "gemini/gemini-2.5-pro", url=frame_server.url)

    (body,) = bodies(frame_server)
    config = body["generationConfig"]
    assert config["maxOutputTokens"] == 4000
    assert config["thinkingConfig"]["thinkingBudget"] == 2000
    assert out.splitlines()[:3] == ["It thought: Sum of squares.", "", "204."]


def test_function_calling(frame_server: FrameServer, run: Run) -> None:
    function = {"name": "get_weather", "arguments": json.dumps(PLACE)}
    call = {"id": "call_1", "type": "function", "function": function}
    frame_server.json(CHAT, chat_answer(None, tool_calls=[call]))
    frame_server.json(CHAT, chat_answer("Yes, it rains."))
    out = run("10_function_calling", url=frame_server.url)

    first, second = bodies(frame_server)
    assert first["tools"][0]["function"]["name"] == "get_weather"
    assert second["tools"] == first["tools"]
    assert second["messages"] == [
        {"role": "user", "content": "Do I need an umbrella in Tokyo today?"},
        {"role": "assistant", "tool_calls": [call]},
        {
            "role": "tool",
            "content": '{"location": "Tokyo", "sky": "rain", "celsius": 18}',
            "tool_call_id": "call_1",
        },
    ]
    assert out.splitlines() == [
        '-- it calls get_weather({"location": "Tokyo"})',
        "Yes, it rains.",
    ]


def test_function_calling_with_claude(frame_server: FrameServer, run: Run) -> None:
    call = {"type": "tool_use", "id": "tu_1", "name": "get_weather", "input": PLACE}
    frame_server.json(MESSAGES, claude_answer(call, stop_reason="tool_use"))
    frame_server.json(MESSAGES, claude_answer(text_block("Yes, it rains.")))
    out = run("10_function_calling", "anthropic/claude-sonnet-4-5", url=frame_server.url)

    first, second = bodies(frame_server)
    assert first["tools"][0]["name"] == "get_weather"
    assert second["messages"] == [
        {
            "role": "user",
            "content": [text_block("Do I need an umbrella in Tokyo today?")],
        },
        {"role": "assistant", "content": [call]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "tu_1",
                    "content": '{"location": "Tokyo", "sky": "rain", "celsius": 18}',
                }
            ],
        },
    ]
    assert out.splitlines()[-1] == "Yes, it rains."


def test_function_calling_with_gemini(frame_server: FrameServer, run: Run) -> None:
    """What Google signs with a call goes back to it with the call's result."""
    call = {"functionCall": {"name": "get_weather", "args": PLACE}, "thoughtSignature": "c2ln"}
    path = gemini("gemini-2.5-flash")
    frame_server.json(path, gemini_answer(call))
    frame_server.json(path, gemini_answer({"text": "Yes, it rains."}))
    out = run("10_function_calling", "gemini/gemini-2.5-flash", url=frame_server.url)

    first, second = bodies(frame_server)
    (declared,) = first["tools"][0]["functionDeclarations"]
    assert declared["name"] == "get_weather"
    question, asked, answered = second["contents"]
    assert question["parts"] == [{"text": "Do I need an umbrella in Tokyo today?"}]
    assert (asked["role"], answered["role"]) == ("model", "user")
    assert asked["parts"][0]["functionCall"]["args"] == PLACE
    assert asked["parts"][0]["thoughtSignature"] == "c2ln"
    result = answered["parts"][0]["functionResponse"]
    assert result["name"] == "get_weather"
    assert "rain" in json.dumps(result["response"])
    assert out.splitlines()[-1] == "Yes, it rains."


def test_a_model_that_never_stops_calling_is_left(frame_server: FrameServer, run: Run) -> None:
    function = {"name": "get_weather", "arguments": json.dumps(PLACE)}
    call = {"id": "call_1", "type": "function", "function": function}
    frame_server.json(CHAT, chat_answer(None, tool_calls=[call]))
    run("10_function_calling", url=frame_server.url)

    assert len(frame_server.requests) == 6


def test_safe_completion(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, {"error": {}}, status=429, headers={"retry-after-ms": "1"})
    frame_server.json(CHAT, chat_answer("Hola!"))
    out = run("11_safe_completion", url=frame_server.url)

    first, second = bodies(frame_server)
    assert first == second
    assert second == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Say hello in five languages."}],
        "max_completion_tokens": 1000,
        "temperature": 0.7,
    }
    assert out.splitlines() == ["Hola!", "Not sent: messages[0] (user) has no content"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": {"message": "Bad key"}}, "Check the key: .*openai/gpt-4o-mini.*Bad key"),
        (200, chat_answer(""), r"Paid for nothing \(0\.000180000000\): the answer is empty"),
        (404, {}, "NotFoundError after 1 attempts: openai"),
    ],
)
def test_safe_completion_that_fails(
    frame_server: FrameServer, run: Run, status: int, body: object, said: str
) -> None:
    frame_server.json(CHAT, body, status=status)
    assert re.match(said, run("11_safe_completion", url=frame_server.url))


def test_cost_estimate(frame_server: FrameServer, run: Run) -> None:
    frame_server.json(CHAT, chat_answer("Lighthouses ..."))
    out = run("12_cost_estimate", url=frame_server.url)

    assert bodies(frame_server) == [
        {
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "user", "content": "Write an essay of 500 words about lighthouses."}
            ],
            "max_completion_tokens": 1000,
        }
    ]
    # 4 + 12 + 3 tokens: gpt-4o-mini 19 x $0.15 + 215 (1000) x $0.60 per million tokens.
    assert out.splitlines() == [
        "Tokens in:  about 19",
        "Tokens out: 215, at most 1000",
        "Cost:       about $0.000132, at most $0.000603",
        "It was:     1000 in, 100 out",
        "It cost:    0.000180000000 US dollars",
    ]


def test_what_may_cost_too_much_is_not_sent(frame_server: FrameServer, run: Run) -> None:
    """gpt-5.5-pro: 1000 tokens of output at most, at $180 per million."""
    out = run("12_cost_estimate", "openai/gpt-5.5-pro", url=frame_server.url, status=1)

    assert out.endswith("That may be more than $0.05: not sent.\n")
    assert frame_server.requests == []


def test_every_example_is_listed_and_short() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = sorted(path.name for path in EXAMPLES.glob("*.py"))

    assert re.findall(r"^\| \[(.*?)\]\(\1\)", page, re.MULTILINE) == names
    lengths = {
        name: len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) for name in names
    }
    assert {name: lines for name, lines in lengths.items() if lines > 50} == {}
