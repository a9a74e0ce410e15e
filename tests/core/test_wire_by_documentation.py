"""What goes over the wire where another client says it otherwise: each case by the documentation.

The requests were also sent by LiteLLM 1.110 to a recording server; where both differed, the
provider's documentation or its own error message decided, in 2026-11.
"""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.observation import Observation
from costspan.core.protocols import load_protocol
from costspan.core.reply import Choice
from costspan.core.request import Request

HELLO = [{"role": "user", "content": "Hello"}]
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def sent(provider: str, model: str, messages: Any = HELLO, **params: Any) -> Any:
    there = endpoint(provider, settings={"region": "us-east-1"} if provider == "aws" else {})
    request = Request(model, messages, params=params)
    return load_protocol(there.protocol).encode(request, there).body


# https://platform.claude.com/docs/en/build-with-claude/effort lists who takes an effort; the others
# answer "This model does not support the effort parameter" and have budgets of 1024 tokens or more.
@pytest.mark.parametrize(
    ("model", "params", "thinking", "most"),
    [
        ("claude-sonnet-4-5", {"reasoning_effort": "minimal"}, 1024, 5120),
        ("claude-haiku-4-5-20251001", {"reasoning_effort": "medium"}, 8192, 12288),
        ("claude-opus-4-1", {"reasoning_effort": "high", "max_tokens": 8000}, 4000, 8000),
        ("claude-sonnet-4-20250514", {"reasoning_effort": "low", "max_tokens": 1500}, 1024, 1500),
        ("claude-opus-4-5", {"reasoning_effort": "high"}, None, 4096),
        ("claude-sonnet-5", {"reasoning_effort": "xhigh"}, None, 4096),
    ],
)
def test_effort_is_a_budget_for_claudes_that_know_no_effort(
    model: str, params: dict[str, Any], thinking: int | None, most: int
) -> None:
    body = sent("anthropic", model, **params)
    assert body["max_tokens"] == most
    if thinking is None:
        assert body["output_config"] == {"effort": params["reasoning_effort"]}
        assert "thinking" not in body
    else:
        assert body["thinking"] == {"type": "enabled", "budget_tokens": thinking}
        assert "output_config" not in body


@pytest.mark.parametrize(
    ("provider", "model"),
    [("anthropic", "claude-sonnet-4-5"), ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0")],
)
def test_efforts_that_have_no_budget(provider: str, model: str) -> None:
    with pytest.raises(UnsupportedParamsError, match="reasoning_effort"):
        sent(provider, model, reasoning_effort="xhigh")
    with pytest.raises(UnsupportedParamsError, match="reasoning_effort"):
        sent(provider, model, reasoning_effort="low", thinking_budget=2000)
    with pytest.raises(BadRequestError, match="budget of 1024 tokens leaves nothing of"):
        sent(provider, model, reasoning_effort="low", max_tokens=500)


def test_effort_is_a_budget_for_claudes_on_bedrock_too() -> None:
    body = sent("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0", reasoning_effort="low")
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert body["additionalModelRequestFields"] == {"thinking": thinking}
    assert "outputConfig" not in body


# "final assistant content cannot end with trailing whitespace" is Claude's answer on Bedrock too.
def test_prefill_on_bedrock_ends_without_white_space() -> None:
    prefill = {"role": "assistant", "content": "The answer is "}
    body = sent("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0", [*HELLO, prefill])
    assert body["messages"][-1]["content"] == [{"text": "The answer is"}]


# "text content blocks must contain non-whitespace text": Claude itself answers with line breaks
# before a call, which then come back as history.
@pytest.mark.parametrize(
    ("provider", "text"),
    [("anthropic", {"type": "text", "text": " a"}), ("aws", {"text": " a"})],
)
@pytest.mark.parametrize("blank", ["\n\n", [{"type": "text", "text": " "}], [" "]])
def test_blank_texts_are_left_out(provider: str, text: dict[str, str], blank: Any) -> None:
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": " a"}, {"type": "text", "text": " "}],
        },
        {"role": "assistant", "content": blank},
        {"role": "user", "content": " a"},
    ]
    assert sent(provider, "anthropic.claude-sonnet-4-6", messages)["messages"] == [
        {"role": "user", "content": [text, text]}
    ]


# DeepSeek: "unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`".
# OpenAI: https://platform.openai.com/docs/guides/text, developer messages are its own.
@pytest.mark.parametrize(
    ("provider", "role"),
    [
        ("openai", "developer"),
        ("openrouter", "developer"),
        ("deepseek", "system"),
        ("mistral", "system"),
        ("groq", "system"),
        ("vllm", "system"),
    ],
)
def test_developers_are_the_system_where_the_server_knows_no_developers(
    provider: str, role: str
) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, *HELLO]
    assert sent(provider, "m", messages)["messages"][0]["role"] == role
    assert messages[0]["role"] == "developer"


# DeepSeek: "messages[1]: invalid type: sequence, expected a string".
def test_deepseek_takes_content_as_one_text() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    user, seeing = {"role": "user", "content": parts}, {"role": "user", "content": [*parts, PNG]}
    first, second = sent("deepseek", "deepseek-chat", [user, seeing])["messages"]
    assert (first["content"], second["content"]) == ("one\ntwo", [*parts, PNG])
    assert sent("openai", "gpt-4o", [user])["messages"] == [user]


# https://platform.openai.com/docs/api-reference/chat/create: image_url is an object with a url. The
# other formats take a text for it as well, and so does a conversation that moves between them.
def test_the_address_of_an_image_may_be_a_text() -> None:
    address = "https://example.com/a.png"
    seen = [{"role": "user", "content": [{"type": "image_url", "image_url": address}]}]
    (message,) = sent("openai", "gpt-4o", seen)["messages"]
    assert message["content"] == [{"type": "image_url", "image_url": {"url": address}}]
    assert seen[0]["content"] == [{"type": "image_url", "image_url": address}]


# https://api-docs.deepseek.com/guides/thinking_mode: the switch is `thinking`, which is on.
def test_no_effort_switches_deepseeks_thinking_off() -> None:
    body = sent("deepseek", "deepseek-flash", reasoning_effort="none")
    assert body["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in body
    assert sent("deepseek", "deepseek-flash", reasoning_effort="high")["reasoning_effort"] == "high"


# https://ai.google.dev/gemini-api/docs/openai: minimal is `low` for Pro, and 1,024 tokens before.
# An effort stands beside any bound of the output there, as it does at OpenAI.
@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"}),
        ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-2.5-pro", "minimal", {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", "high", {"thinkingBudget": 24576}),
    ],
)
def test_efforts_of_gemini(model: str, effort: str, thinking: dict[str, Any]) -> None:
    config = sent("google", model, reasoning_effort=effort, max_tokens=500)["generationConfig"]
    assert config["thinkingConfig"] == {**thinking, "includeThoughts": True}
    assert config["maxOutputTokens"] == 500


# "`function_response.parts` is not supported for this model" is the answer of Gemini 2.5; and the
# turn of the results must hold as many parts as there were calls.
def test_images_of_results_follow_them_before_gemini_3() -> None:
    def call(identity: str) -> dict[str, Any]:
        function = {"name": "look", "arguments": "{}"}
        return {"id": identity, "type": "function", "function": function}

    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "x"}, PNG]},
        {"role": "tool", "tool_call_id": "b", "content": "y"},
        {"role": "user", "content": "And?"},
    ]
    _, _, results, images, last = sent("google", "gemini-2.5-flash", messages)["contents"]
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"name": "look", "response": {"output": "x"}, "id": "a"},
        {"name": "look", "response": {"output": "y"}, "id": "b"},
    ]
    blob = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert images == {"role": "user", "parts": [blob]}
    assert last == {"role": "user", "parts": [{"text": "And?"}]}


def test_a_web_search_of_the_usual_size_is_gemini_s_own_search() -> None:
    usual = {"search_context_size": "medium"}
    assert sent("google", "gemini-2.5-flash", web_search_options=usual)["tools"] == [
        {"googleSearch": {}}
    ]


# OpenAI: "Unknown parameter: 'input[0].content[0].cache_control'"; Mistral refuses all that it does
# not know. A gateway in front of Claude, for which such a name may stand as well, takes the marks.
@pytest.mark.parametrize("provider", ["openai", "azure", "mistral", "groq"])
def test_cache_marks_stay_away_from_who_refuses_them(provider: str) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "Hello"}
    tool = {"type": "function", "function": {"name": "now"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{**part, **mark}]},
        {**HELLO[0], **mark},
    ]
    there = endpoint(
        provider, base_url="https://me.openai.azure.com" if provider == "azure" else None
    )
    gateway = endpoint(provider, base_url="https://gateway.example/v1")
    request = Request("m", messages, params={"tools": [{**tool, **mark}]})
    body = load_protocol("chat").encode(request, there).body
    assert body["messages"] == [{"role": "user", "content": [part]}, *HELLO]
    assert body["tools"] == [tool]
    kept = load_protocol("chat").encode(request, gateway).body
    assert (kept["messages"], kept["tools"]) == (messages, [{**tool, **mark}])


# "cache_control may not be specified within `tool_result.content`. Instead, place it directly on
# `tool_result`".
def test_a_cache_mark_in_a_result_stands_on_the_result() -> None:
    mark = {"type": "ephemeral"}
    function = {"name": "now", "arguments": ""}
    call = {"id": "a", "type": "function", "function": function}
    part = {"type": "text", "text": "noon"}
    messages: list[dict[str, Any]] = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": [{**part, "cache_control": mark}]},
    ]
    (result,) = sent("anthropic", "claude-sonnet-4-5", messages)["messages"][-1]["content"]
    assert result == {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [part],
        "cache_control": mark,
    }
    assert "cache_control" in messages[-1]["content"][0]


def answer(api: str, body: dict[str, Any]) -> Choice:
    found = load_protocol(api).choices(body)
    assert found is not None
    return found[0]


def streamed(api: str, *events: dict[str, Any]) -> list[Any]:
    reader = load_protocol(api).chunks()
    return [chunk.choices[0].delta for event in events if (chunk := reader.read(event))]


# A tool without parameters: https://platform.claude.com/docs/en/build-with-claude/streaming has the
# whole input in deltas, of which there is none then, or an empty one; OpenAI's clients read JSON.
@pytest.mark.parametrize(
    ("start", "deltas", "arguments"),
    [
        ({}, [], "{}"),
        ({}, [""], "{}"),
        ({"zone": "UTC"}, [], '{"zone": "UTC"}'),
        ({}, ["", '{"zone":', ' "UTC"}'], '{"zone": "UTC"}'),
    ],
)
def test_arguments_of_a_streamed_call_are_json(
    start: dict[str, Any], deltas: list[str], arguments: str
) -> None:
    use = {"type": "tool_use", "id": "a", "name": "now", "input": start}
    told = streamed(
        "messages",
        {"type": "content_block_start", "index": 1, "content_block": use},
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": each},
            }
            for each in deltas
        ),
        {"type": "content_block_stop", "index": 1},
    )
    calls = [call for delta in told for call in delta.tool_calls or ()]
    assert "".join(call.function.arguments for call in calls) == arguments
    assert [call.id for call in calls] == ["a", *[None] * (len(calls) - 1)]
    assert {call.index for call in calls} == {0}


@pytest.mark.parametrize(
    ("deltas", "arguments"), [([], "{}"), ([""], "{}"), (['{"a"', ": 1}"], '{"a": 1}')]
)
def test_arguments_of_a_streamed_call_of_bedrock_are_json(
    deltas: list[str], arguments: str
) -> None:
    use = {"toolUse": {"toolUseId": "a", "name": "now"}}
    told = streamed(
        "converse",
        {"contentBlockStart": {"contentBlockIndex": 0, "start": use}},
        *(
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": each}}}}
            for each in deltas
        ),
        {"contentBlockStop": {"contentBlockIndex": 0}},
    )
    calls = [call for delta in told for call in delta.tool_calls or ()]
    assert "".join(call.function.arguments for call in calls) == arguments


# https://docs.claude.com/en/api/files-content: who names an uploaded file must send the header.
@pytest.mark.parametrize(
    ("given", "sent_along"),
    [
        ({}, "files-api-2025-04-14"),
        ({"anthropic-beta": "other-1"}, "other-1,files-api-2025-04-14"),
        ({"anthropic-beta": "files-api-2026-01-01"}, "files-api-2026-01-01"),
    ],
)
def test_an_uploaded_file_goes_with_the_beta_header(given: dict[str, str], sent_along: str) -> None:
    file = {"type": "file", "file": {"file_id": "file_1"}}
    messages = [{"role": "user", "content": [file]}]
    there = endpoint("anthropic")
    request = Request("claude-sonnet-5", messages, extra_headers=given)
    assert load_protocol("messages").encode(request, there).headers == {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": sent_along,
    }
    plain = load_protocol("messages").encode(Request("claude-sonnet-5", HELLO), there)
    assert plain.headers == {"anthropic-version": "2023-06-01"}


# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo: a header says the tier,
# and a field is refused (https://github.com/googleapis/python-genai/issues/2433).
@pytest.mark.parametrize(
    ("tier", "header"), [("priority", "priority"), ("flex", "flex"), ("default", None)]
)
def test_tiers_of_vertex_stand_in_a_header(tier: str, header: str | None) -> None:
    there = endpoint("vertex", settings={"project": "p"})
    request = Request("gemini-2.5-pro", HELLO, params={"service_tier": tier})
    wire = load_protocol("generateContent").encode(request, there)
    assert "serviceTier" not in wire.body
    assert wire.headers.get("X-Vertex-AI-LLM-Shared-Request-Type") == header
    assert sent("google", "gemini-2.5-pro", service_tier="flex")["serviceTier"] == "flex"


# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CitationsContentBlock.html:
# what the model said stands in the block that cites for it; in a stream, beside it.
def test_what_bedrock_cites_for_is_said() -> None:
    citation = {"title": "Report", "location": {"documentPage": {"start": 1, "end": 2}}}
    cited = {"content": [{"text": "It grew"}, {"text": " by half"}], "citations": [citation]}
    content = [{"text": "So: "}, {"citationsContent": cited}, {"text": "."}]
    body = {"output": {"message": {"content": content}}, "stopReason": "end_turn"}
    protocol, seen = load_protocol("converse"), Observation()
    protocol.observe(body, seen)
    message = answer("converse", body).message
    assert message.content == "So: It grew by half."
    assert message.annotations == [citation]
    assert "".join(seen.output_text) == "So: It grew by half."
    text, source = streamed(
        "converse",
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "It grew"}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"citation": citation}}},
    )
    assert (text.content, source.annotations) == ("It grew", [citation])


# Words of Together, TGI and Mistral for OpenAI's; what failed has no word of OpenAI's.
@pytest.mark.parametrize(
    ("theirs", "word"),
    [("eos", "stop"), ("eos_token", "stop"), ("model_length", "length"), ("error", "error")],
)
def test_finish_reasons_of_compatible_servers(theirs: str, word: str) -> None:
    choice = {"index": 0, "finish_reason": theirs}
    body = {"choices": [{**choice, "message": {"content": "a"}}]}
    protocol, seen = load_protocol("chat"), Observation()
    whole = answer("chat", body).finish_reason
    chunk = protocol.chunks().read({"choices": [{**choice, "delta": {}}]})
    protocol.observe(body, seen)
    assert chunk is not None
    assert [whole, chunk.choices[0].finish_reason] == [word, word]
    assert seen.finish_reasons == {0: theirs}


def test_arguments_that_a_server_sends_as_an_object_are_not_lost() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "now", "arguments": {"zone": "é"}}}
    body = {"choices": [{"message": {"tool_calls": [call]}}]}
    calls = answer("chat", body).message.tool_calls
    assert calls is not None
    assert [each.function.arguments for each in calls] == ['{"zone": "é"}']
