"""Requests as they go over the wire to Gemini, translated from OpenAI's terms."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import gemini
from costspan.core.request import Request, WireRequest

HELLO = [{"role": "user", "content": "Hello"}]
HELLO_TURN = {"role": "user", "parts": [{"text": "Hello"}]}
SCHEMA = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOL = {
    "type": "function",
    "function": {"name": "now", "description": "The time.", "parameters": SCHEMA, "strict": True},
}
DECLARED = {"name": "now", "description": "The time.", "parametersJsonSchema": SCHEMA}


def wire(
    messages: Any = HELLO,
    *,
    model: str = "gemini-2.5-flash",
    provider: str = "google",
    stream: bool = False,
    drop: bool = False,
    extra: dict[str, Any] | None = None,
    **params: Any,
) -> WireRequest:
    request = Request(
        model, messages, stream=stream, params=params, drop_params=drop, extra_body=extra or {}
    )
    settings = {"project": "p"} if provider == "vertex" else {}
    return gemini.encode(request, endpoint(provider, settings=settings))


def turns(*messages: dict[str, Any], **how: Any) -> Any:
    return wire(list(messages), **how).body["contents"]


def config(**params: Any) -> Any:
    return wire(**params).body.get("generationConfig")


def call(identity: str, name: str = "now", arguments: Any = '{"zone":"UTC"}') -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": identity, "type": "function", "function": function}


def asked(*calls: dict[str, Any], content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **fields}


def result(identity: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content}


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stream", "path", "query"),
    [
        ("gemini-2.5-flash", False, "/models/gemini-2.5-flash:generateContent", {}),
        ("models/gemini-2.5-pro", False, "/models/gemini-2.5-pro:generateContent", {}),
        ("g", True, "/models/g:streamGenerateContent", {"alt": "sse"}),
        ("../x?y", False, "/models/..%2Fx%3Fy:generateContent", {}),
    ],
)
def test_paths(model: str, stream: bool, path: str, query: dict[str, str]) -> None:
    sent = wire(model=model, stream=stream)
    assert (sent.path, sent.query) == (path, query)
    assert sent.body == {"contents": [HELLO_TURN]}


@pytest.mark.parametrize(
    ("provider", "base"),
    [
        ("google", "https://generativelanguage.googleapis.com/v1beta"),
        (
            "vertex",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google",
        ),
    ],
)
def test_addresses(provider: str, base: str) -> None:
    sent = wire(provider=provider, stream=True)
    row = endpoint(provider, settings={"project": "p"} if provider == "vertex" else {})
    url = row.url(sent.path, model="gemini-2.5-flash", query=sent.query)
    assert url == f"{base}/models/gemini-2.5-flash:streamGenerateContent?alt=sse"


# --- messages -------------------------------------------------------------------------------------


def test_system_and_developer_messages_become_the_system_instruction() -> None:
    sent = wire(
        [
            {"role": "system", "content": "A"},
            *HELLO,
            {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        ]
    ).body
    assert sent["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}
    assert sent["contents"] == [HELLO_TURN]


def test_neighbours_of_one_role_become_one_turn() -> None:
    assert turns(
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, "c"]},
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "e"},
        {"role": "user", "content": [{"type": "text", "text": ""}]},
    ) == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
        {"role": "model", "parts": [{"text": "d"}]},
        {"role": "user", "parts": [{"text": "e"}]},
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "image_url", "image_url": "https://x.example/a.PNG?size=1"},
            {"fileData": {"fileUri": "https://x.example/a.PNG?size=1", "mimeType": "image/png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://bucket/a"}},
            {"fileData": {"fileUri": "gs://bucket/a", "mimeType": "image/jpeg"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://bucket/a", "format": "image/webp"}},
            {"fileData": {"fileUri": "gs://bucket/a", "mimeType": "image/webp"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
        ),
        (
            {"type": "file", "file": {"file_id": "gs://bucket/film.mp4"}},
            {"fileData": {"fileUri": "gs://bucket/film.mp4", "mimeType": "video/mp4"}},
        ),
        (
            {"type": "file", "file": {"file_id": "https://g.example/v1beta/files/abc"}},
            {"fileData": {"fileUri": "https://g.example/v1beta/files/abc"}},
        ),
        (
            {"fileData": {"fileUri": "gs://b/f.mp4"}, "videoMetadata": {"fps": 1}},
            {"fileData": {"fileUri": "gs://b/f.mp4"}, "videoMetadata": {"fps": 1}},
        ),
    ],
)
def test_content_parts(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert turns({"role": "user", "content": [part]}) == [{"role": "user", "parts": [expected]}]


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        ({"role": "robot", "content": "x"}, BadRequestError, "unknown role 'robot'"),
        ({"role": "user", "content": [{"type": "tree"}]}, UnsupportedParamsError, "'tree'"),
        ({"role": "user", "content": [5]}, BadRequestError, "a content part must be"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, BadRequestError, "file_data"),
        (asked(call("t", arguments="[1]")), BadRequestError, "'t' are no JSON object"),
        (asked(call("t", arguments="{")), BadRequestError, "'t' are no JSON object"),
        (result("t9", "x"), BadRequestError, "tool_call_id='t9'"),
    ],
)
def test_what_cannot_be_said(message: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        turns(message)


def test_tool_calls_and_results_are_matched_by_id() -> None:
    assert turns(
        {"role": "user", "content": "Time?"},
        asked(call("t1"), call("t2", "zone", "{}"), content="Let me see."),
        result("t2", [{"type": "text", "text": "one"}]),
        result("t1", '{"time": "noon"}'),
        {"role": "user", "content": "And?"},
    )[1:] == [
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {"functionCall": {"id": "t1", "name": "now", "args": {"zone": "UTC"}}},
                {"functionCall": {"id": "t2", "name": "zone", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "t1",
                        "name": "now",
                        "response": {"time": "noon"},
                    }
                },
                {"functionResponse": {"id": "t2", "name": "zone", "response": {"output": "one"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "And?"}]},
    ]


@pytest.mark.parametrize("arguments", ["", "{}", None, {}])
def test_litellm_empty_arguments_are_replayed_as_an_empty_object(arguments: Any) -> None:
    (turn,) = turns(asked(call("t1", arguments=arguments)))
    assert turn["parts"] == [{"functionCall": {"id": "t1", "name": "now", "args": {}}}]


def test_vercel_ai_15664_vertex_takes_no_ids_of_calls() -> None:
    calls, results = turns(
        asked(call("t1"), call("t2")), result("t2", "b"), result("t1", "a"), provider="vertex"
    )
    assert [part["functionCall"] for part in calls["parts"]] == [
        {"name": "now", "args": {"zone": "UTC"}}
    ] * 2
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"name": "now", "response": {"output": "a"}},
        {"name": "now", "response": {"output": "b"}},
    ]


def test_a_tool_result_with_an_image() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = result("t1", [{"type": "text", "text": "seen"}, image])
    _, answer = turns(asked(call("t1")), seen, model="gemini-3-flash")
    assert answer["parts"][0]["functionResponse"] == {
        "id": "t1",
        "name": "now",
        "response": {"output": "seen"},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
    }


def signed(signature: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def test_signatures_go_back_to_the_parts_they_came_from() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = asked({**call("t1"), **signed("s-call")}, call("t2"), content="x", **signed("s-text"))
    (turn,) = turns({**message, "images": [{**image, **signed("s-image")}]}, model="gemini-3-pro")
    assert [part.get("thoughtSignature") for part in turn["parts"]] == [
        "s-text",
        "s-image",
        "s-call",
        None,
    ]
    (turn,) = turns({"role": "assistant", "content": None, **signed("s")})
    assert turn["parts"] == [{"text": "", "thoughtSignature": "s"}]


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        ("gemini-3-pro", "skip_thought_signature_validator"),
        ("gemini-flash-latest", "skip_thought_signature_validator"),
        ("gemini-2.5-pro", None),
        ("gemma-3-27b-it", None),
    ],
)
def test_openclaw_63397_calls_of_another_model_do_not_fail_for_want_of_a_signature(
    model: str, signature: str | None
) -> None:
    (turn,) = turns(asked(call("t1"), call("t2")), model=model)
    assert [part.get("thoughtSignature") for part in turn["parts"]] == [signature, None]


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"top_p": 0.9, "top_k": 5}, {"topP": 0.9, "topK": 5}),
        ({"max_tokens": 9}, {"maxOutputTokens": 9}),
        ({"max_completion_tokens": 9}, {"maxOutputTokens": 9}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stopSequences": ["a", "b"]}),
        ({"n": 2, "seed": 7}, {"candidateCount": 2, "seed": 7}),
        (
            {"presence_penalty": 0.5, "frequency_penalty": -1},
            {"presencePenalty": 0.5, "frequencyPenalty": -1},
        ),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
                }
            },
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        (
            {"modalities": ["audio"], "audio": {"voice": "Kore", "format": "pcm16"}},
            {
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            },
        ),
    ],
)
def test_generation_config(params: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config(**params) == expected


def test_values_that_ask_for_nothing_are_not_sent() -> None:
    sent = wire(
        n=1,
        logprobs=False,
        top_logprobs=0,
        logit_bias={},
        presence_penalty=0,
        frequency_penalty=0.0,
        store=False,
        parallel_tool_calls=True,
        modalities=["text"],
        response_format={"type": "text"},
        service_tier="auto",
        stream_options={"include_usage": True},
    )
    assert sent.body == {"contents": [HELLO_TURN]}
    assert sent.dropped == ()


LACKING: list[tuple[str, Any]] = [
    ("logit_bias", {"5": 1}),
    ("parallel_tool_calls", False),
    ("user", "u"),
    ("safety_identifier", "u"),
    ("store", True),
    ("prediction", {"type": "content", "content": "x"}),
    ("verbosity", "low"),
    ("prompt_cache_key", "k"),
    ("service_tier", "scale"),
    ("web_search_options", {"search_context_size": "low"}),
    ("audio", {"voice": "Kore", "format": "mp3"}),
    ("reasoning_effort", "xhigh"),
]


@pytest.mark.parametrize(("name", "value"), LACKING)
def test_what_the_format_lacks_is_refused_or_dropped_by_name(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParamsError, match=f"google has no {name} in"):
        wire(**{name: value})
    sent = wire(drop=True, **{name: value})
    assert sent.dropped == (name,)
    assert sent.body == {"contents": [HELLO_TURN]}


@pytest.mark.parametrize(
    ("given", "sent"),
    [("default", "standard"), ("standard", "standard"), ("flex", "flex"), ("priority", "priority")],
)
def test_service_tier(given: str, sent: str) -> None:
    assert wire(service_tier=given).body["serviceTier"] == sent


def test_tools() -> None:
    own: dict[str, Any] = {"googleSearch": {}}
    bare = {"type": "function", "function": {"name": "ping"}}
    assert wire(tools=[own, TOOL, bare]).body["tools"] == [
        {"functionDeclarations": [DECLARED, {"name": "ping"}]},
        own,
    ]
    assert "tools" not in wire(tools=[]).body
    assert wire(web_search_options={}).body["tools"] == [{"googleSearch": {}}]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "now"}},
            {"mode": "ANY", "allowedFunctionNames": ["now"]},
        ),
        ({"mode": "VALIDATED"}, {"mode": "VALIDATED"}),
    ],
)
def test_tool_choice(choice: Any, expected: dict[str, Any]) -> None:
    sent = wire(tools=[TOOL], tool_choice=choice).body
    assert sent["toolConfig"] == {"functionCallingConfig": expected}
    assert "toolConfig" not in wire(tool_choice=choice).body


@pytest.mark.parametrize(
    ("model", "params", "expected"),
    [
        ("gemini-2.5-pro", {"thinking_budget": 2000}, {"thinkingBudget": 2000}),
        (
            "gemini-2.5-pro",
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"thinkingBudget": 2000},
        ),
        ("gemini-2.5-flash", {"reasoning_effort": "minimal"}, {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", {"reasoning_effort": "low"}, {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", {"reasoning_effort": "medium"}, {"thinkingBudget": 8192}),
        ("gemini-2.5-flash", {"reasoning_effort": "high"}, {"thinkingBudget": 24576}),
        ("gemini-3.1-pro-preview", {"reasoning_effort": "low"}, {"thinkingLevel": "LOW"}),
        ("gemini-3-flash", {"reasoning_effort": "minimal"}, {"thinkingLevel": "MINIMAL"}),
        ("gemini-flash-latest", {"reasoning_effort": "high"}, {"thinkingLevel": "HIGH"}),
        ("gemini-3-flash", {"thinking_budget": 2000}, {"thinkingBudget": 2000}),
        ("gemini-3-flash", {"thinking": {"type": "adaptive"}}, {}),
    ],
)
def test_thinking(model: str, params: dict[str, Any], expected: dict[str, Any]) -> None:
    asked_for = config(model=model, **params)
    assert asked_for == {"thinkingConfig": {**expected, "includeThoughts": True}}


@pytest.mark.parametrize(
    "params", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}]
)
def test_not_to_think(params: dict[str, Any]) -> None:
    off = {"thinkingConfig": {"thinkingBudget": 0}}
    assert config(model="gemini-2.5-flash", **params) == off
    with pytest.raises(UnsupportedParamsError, match=next(iter(params))):
        wire(model="gemini-3-flash", **params)
    assert wire(model="gemini-3-flash", drop=True, **params).dropped == tuple(params)


@pytest.mark.parametrize(
    "params",
    [
        {"thinking_budget": 500, "max_tokens": 500},
        {"thinking": {"type": "enabled", "budget_tokens": 600}, "max_completion_tokens": 500},
    ],
)
def test_a_thinking_budget_that_leaves_nothing_for_the_answer(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="raise max_tokens above the budget"):
        wire(**params)
    assert wire(thinking_budget=499, max_tokens=500).body["generationConfig"] == {
        "maxOutputTokens": 500,
        "thinkingConfig": {"thinkingBudget": 499, "includeThoughts": True},
    }


def test_an_effort_and_a_budget_are_one_setting() -> None:
    with pytest.raises(BadRequestError, match="give one of them"):
        wire(reasoning_effort="low", thinking_budget=5000)


def test_extra_body_wins_and_joins_the_generation_config() -> None:
    sent = wire(
        temperature=0,
        max_tokens=9,
        extra={
            "generationConfig": {"temperature": 1, "mediaResolution": "MEDIA_RESOLUTION_LOW"},
            "cachedContent": "cachedContents/1",
            "safetySettings": [],
        },
    ).body
    assert sent["generationConfig"] == {
        "temperature": 1,
        "maxOutputTokens": 9,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    assert sent["cachedContent"] == "cachedContents/1"
    assert sent["safetySettings"] == []
