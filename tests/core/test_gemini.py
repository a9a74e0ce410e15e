"""Gemini's replies: whole bodies and stream events to OpenAI's shape, and what is seen of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.assembly import Exchange, StreamAssembler, reply_from_body
from costspan.core.base64_pieces import joined_base64
from costspan.core.decoders import Event
from costspan.core.endpoints import endpoint
from costspan.core.errors import APIError
from costspan.core.observation import Observation
from costspan.core.protocols import gemini, load_protocol
from costspan.core.reply import Chunk, Reply
from costspan.core.request import Request
from costspan.core.types import Usage

HELLO = [{"role": "user", "content": "Hello"}]


def exchange(provider: str = "google") -> Exchange:
    settings = {"project": "p"} if provider == "vertex" else {}
    row = endpoint(provider, settings=settings)
    return Exchange(Request("gemini-x", HELLO), row, load_protocol("generateContent"))


def body(*parts: dict[str, Any], reason: str | None = "STOP", **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}
    return {
        "candidates": [candidate | fields.pop("candidate", {})],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
        "modelVersion": "gemini-x-001",
        "responseId": "r1",
        **fields,
    }


def read(found: dict[str, Any], provider: str = "google") -> Reply:
    return reply_from_body(found, exchange(provider))


def streamed(*events: dict[str, Any]) -> tuple[list[Chunk], Reply]:
    assembler = StreamAssembler(exchange())
    pushed = [assembler.push(Event("", json.dumps(event).encode())) for event in events]
    assembler.finish()
    return [chunk for chunk in pushed if chunk is not None], assembler.reply


def seen_of(*events: dict[str, Any]) -> Observation:
    seen = Observation(api="generateContent")
    for event in events:
        gemini.observe(event, seen)
    return seen


def call(name: str, **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **fields}}


# --- whole bodies ---------------------------------------------------------------------------------


def test_text_and_the_top_of_the_reply() -> None:
    reply = read(body({"text": "Grö"}, {"text": "ße"}))
    assert (reply.id, reply.model, reply.provider) == ("r1", "gemini-x-001", "google")
    (choice,) = reply.choices
    assert choice.message.content == "Größe"
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 5)


def test_thoughts_are_reasoning_and_no_content() -> None:
    message = (
        read(
            body(
                {"text": "Hm", "thought": True},
                {"text": ", yes.", "thought": True},
                {"text": "Yes."},
            )
        )
        .choices[0]
        .message
    )
    assert (message.content, message.reasoning_content) == ("Yes.", "Hm, yes.")


def test_tool_calls() -> None:
    found = body(
        {"text": "Let me see."},
        {**call("now", args={"zone": "Größe"}, id="fc-7"), "thoughtSignature": "c2ln"},
        call("now"),
        call("now", args=None),
    )
    (choice,) = read(found).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    calls = choice.message.tool_calls
    assert calls is not None
    assert [each.function.name for each in calls] == ["now"] * 3
    assert [each.function.arguments for each in calls] == ['{"zone": "Größe"}', "{}", "{}"]
    assert calls[0].id == "fc-7"
    assert calls[0].extra_content == {"google": {"thought_signature": "c2ln"}}
    assert [each.index for each in calls] == [None] * 3


def ids(found: dict[str, Any]) -> list[str]:
    answers = gemini.choices(found) or []
    return [str(c.id) for answer in answers for c in answer.message.tool_calls or ()]


def test_made_up_ids_of_calls_differ_and_stay_the_same() -> None:
    two = {"content": {"parts": [call("now"), call("now")]}}
    found = body(candidates=[two, two])
    first = ids(found)
    assert len(set(first)) == 4
    assert first == ids(found)
    assert not set(first) & set(ids({**found, "responseId": "r2"}))
    # OpenAI takes at most 40 characters, Anthropic only these: a fallback may send them there.
    assert all(len(each) <= 40 and each.replace("_", "a").isalnum() for each in first)
    nameless = body(call("now"))
    del nameless["responseId"]
    assert ids(nameless) != ids(nameless)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("OTHER", "OTHER"),
        ("FINISH_REASON_UNSPECIFIED", None),
        (None, None),
        (7, None),
    ],
)
def test_finish_reasons(reason: Any, expected: str | None) -> None:
    found = body({"text": "x"}, reason=reason)
    assert read(found).choices[0].finish_reason == expected
    seen = seen_of(found)
    assert seen.complete == (expected is not None)
    assert seen.finish_reasons == ({} if expected is None else {0: reason})


def test_a_malformed_call_is_not_said_to_be_a_call() -> None:
    assert read(body(reason="MALFORMED_FUNCTION_CALL")).choices[0].message.tool_calls is None


def test_several_answers() -> None:
    def answer(text: str, **fields: Any) -> dict[str, Any]:
        return {"content": {"parts": [{"text": text}]}, "finishReason": "STOP", **fields}

    reply = read(body(candidates=[answer("a"), answer("b", index=1)]))
    assert [(c.index, c.message.content) for c in reply.choices] == [(0, "a"), (1, "b")]


BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No."},
    "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4},
    "modelVersion": "gemini-x-001",
}


def test_a_blocked_prompt_is_a_reply_without_text() -> None:
    reply = read(BLOCKED)
    (choice,) = reply.choices
    assert choice.finish_reason == "content_filter"
    assert choice.message.content is None
    assert choice.message.refusal == "No."
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 4
    seen = seen_of(BLOCKED)
    assert (seen.finish_reasons, seen.complete) == ({0: "PROHIBITED_CONTENT"}, True)


@pytest.mark.parametrize(
    "content",
    [None, {}, {"role": "model"}, {"parts": None}, {"parts": []}, {"parts": [{"text": None}]}],
)
def test_logfire_1678_parts_null_and_text_none_are_an_empty_answer(content: Any) -> None:
    found = body(candidate={"content": content}, reason="MAX_TOKENS")
    (choice,) = read(found).choices
    assert choice.message.content is None
    assert choice.finish_reason == "length"
    assert seen_of(found).output_text == []


@pytest.mark.parametrize("extra", [{}, {"candidates": []}])
def test_no_answer_but_usage_is_an_empty_reply(extra: dict[str, Any]) -> None:
    reply = read({"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}, **extra})
    assert len(reply.choices) == 1
    assert reply.choices[0].message.content is None
    assert reply.choices[0].finish_reason is None


@pytest.mark.parametrize("found", [{}, {"candidates": 5}, {"error": {"code": 400}}, {"a": "b"}])
def test_what_is_no_completion(found: dict[str, Any]) -> None:
    assert gemini.choices(found) is None


def test_sources_are_kept_as_given() -> None:
    grounding = {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "u"}}]}
    citation = {"citationSources": [{"uri": "u", "startIndex": 1}]}
    found = body(
        {"text": "x"}, candidate={"groundingMetadata": grounding, "citationMetadata": citation}
    )
    assert read(found).choices[0].message.annotations == [
        {"citationMetadata": citation},
        {"groundingMetadata": grounding},
    ]


def test_audio_and_images() -> None:
    sound = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAE="}
    image = {"mimeType": "image/png", "data": "iVBO"}
    message = (
        read(body({"inlineData": sound}, {"inlineData": image, "thoughtSignature": "s"}))
        .choices[0]
        .message
    )
    assert message.audio == sound
    assert message.images == [
        {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64,iVBO"},
            "extra_content": {"google": {"thought_signature": "s"}},
        }
    ]


def test_images_among_the_thoughts_are_not_the_answer() -> None:
    draft = {"inlineData": {"mimeType": "image/png", "data": "iVBO"}, "thought": True}
    assert read(body(draft)).choices[0].message.images is None


def test_logprobs_in_openais_shape() -> None:
    result = {
        "chosenCandidates": [{"token": "ß", "tokenId": 7, "logProbability": -0.5}],
        "topCandidates": [
            {
                "candidates": [
                    {"token": "ß", "logProbability": -0.5},
                    {"token": "s", "logProbability": -2},
                ]
            }
        ],
    }
    sharp_s = {"token": "ß", "logprob": -0.5, "bytes": [195, 159]}
    logprobs = read(body({"text": "ß"}, candidate={"logprobsResult": result})).choices[0].logprobs
    assert logprobs == {
        "content": [
            {**sharp_s, "top_logprobs": [sharp_s, {"token": "s", "logprob": -2, "bytes": [115]}]}
        ]
    }


# --- streams --------------------------------------------------------------------------------------


def event(*parts: dict[str, Any], reason: str | None = None, out: int = 1) -> dict[str, Any]:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": out, "totalTokenCount": 10 + out}
    return body(*parts, reason=reason, usageMetadata=usage)


def test_stream() -> None:
    chunks, reply = streamed(
        event({"text": "Hm", "thought": True}),
        event({"text": "Grö"}, out=2),
        event({"text": "ße"}, reason="STOP", out=3),
    )
    assert [c.choices[0].delta.role for c in chunks] == ["assistant", None, None]
    assert [c.choices[0].delta.content for c in chunks] == [None, "Grö", "ße"]
    assert [c.choices[0].finish_reason for c in chunks] == [None, None, "stop"]
    message = reply.choices[0].message
    assert (message.content, message.reasoning_content) == ("Größe", "Hm")
    assert (reply.id, reply.model) == ("r1", "gemini-x-001")


def test_litellm_39_opencode_4152_cumulative_usage_is_never_summed() -> None:
    chunks, reply = streamed(event({"text": "a"}), event(out=2), event(reason="STOP", out=3))
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 3)
    assert chunks[-1].usage == reply.usage


def test_usage_after_the_finish_reason_counts() -> None:
    last = {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 9}}
    chunks, reply = streamed(event({"text": "a"}, reason="STOP"), last)
    assert chunks[-1].choices == []
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 9


def test_streamed_tool_calls_are_numbered_across_events() -> None:
    chunks, reply = streamed(
        event({**call("now", args={"a": 1}), "thoughtSignature": "s1"}),
        event(call("now", args={"a": 2})),
        event({"text": ""}, reason="STOP"),
    )
    deltas = [c.choices[0].delta.tool_calls for c in chunks[:2]]
    assert [calls[0].index for calls in deltas if calls] == [0, 1]
    assert chunks[2].choices[0].finish_reason == "tool_calls"
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    assert [c.function.arguments for c in calls] == ['{"a": 1}', '{"a": 2}']
    assert calls[0].id != calls[1].id
    assert calls[0].extra_content == {"google": {"thought_signature": "s1"}}
    assert calls[1].extra_content is None


def test_any_llm_1320_a_signature_on_a_last_empty_text_is_kept() -> None:
    _, reply = streamed(
        event({"text": "Yes."}), event({"text": "", "thoughtSignature": "s"}, reason="STOP")
    )
    message = reply.choices[0].message
    assert message.content == "Yes."
    assert message.extra_content == {"google": {"thought_signature": "s"}}


def test_a_blocked_stream() -> None:
    chunks, reply = streamed(BLOCKED)
    assert chunks[0].choices[0].finish_reason == "content_filter"
    assert reply.choices[0].finish_reason == "content_filter"
    assert reply.choices[0].message.refusal == "No."


def test_an_error_event() -> None:
    error = {"error": {"code": 503, "message": "secret", "status": "UNAVAILABLE"}}
    with pytest.raises(APIError) as caught:
        streamed(event({"text": "a"}), error)
    assert caught.value.status_code == 503
    seen = seen_of(event({"text": "a"}), error)
    assert (seen.error_type, seen.error_code, seen.complete) == ("UNAVAILABLE", "503", False)
    assert seen_of({"error": "no"}).error_type == "error"


def test_streamed_audio_and_images_are_joined() -> None:
    def sound(data: str) -> dict[str, Any]:
        return {"inlineData": {"mimeType": "audio/pcm", "data": data}}

    image = {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}
    # "ab" + "c" + "def": each piece has a padding of its own.
    _, reply = streamed(event(sound("YWI="), sound("Yw==")), event(sound("ZGVm")), event(image))
    message = reply.choices[0].message
    assert message.audio == {"mimeType": "audio/pcm", "data": "YWJjZGVm"}
    assert message.images is not None
    assert len(message.images) == 1


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("YWI=", "Yw==", "YWJj"),
        ("YWJj", "ZA==", "YWJjZA=="),
        ("", "Yw==", "Yw=="),
        ("=", "é", "=é"),
    ],
)
def test_joined_base64(first: str, second: str, whole: str) -> None:
    assert joined_base64(first, second) == whole


# --- what is seen ---------------------------------------------------------------------------------


def test_two_answers_are_complete_when_both_have_finished() -> None:
    def part(index: int, reason: str | None) -> dict[str, Any]:
        return {"candidates": [{"index": index, "finishReason": reason}]}

    both = {"candidates": [{"index": 0}, {"index": 1}]}
    assert not seen_of(both, part(1, "STOP")).complete
    assert seen_of(both, part(1, "STOP"), part(0, "MAX_TOKENS")).complete


def test_output_text_for_counting() -> None:
    seen = seen_of(
        body({"text": "Hm", "thought": True}, {"text": "ok"}, call("now", args={"a": "ß"}))
    )
    assert seen.output_text == ["Hm", "ok", "now", '{"a": "ß"}']


def grounded(*queries: str, chunks: Any = ()) -> dict[str, Any]:
    metadata = {"webSearchQueries": list(queries), "groundingChunks": chunks}
    return body({"text": "x"}, candidate={"groundingMetadata": metadata})


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_searches_are_counted_once_over_the_events_and_their_text_is_not_kept(
    provider: str,
) -> None:
    seen = seen_of(grounded("my secret", "2024", ""), grounded("my secret", "weather"))
    usage = seen.usage_of(provider)
    assert usage is not None
    assert usage.fees == {"fee.grounding_query": 3}
    assert usage.served.model == "gemini-x-001"
    assert not [word for word in ("secret", "2024", "weather") if word in repr(seen.response)]


def test_a_place_is_counted_once() -> None:
    chunks = [{"maps": {"title": "Home"}}, {"maps": {}}, {"web": {}}]
    seen = seen_of(grounded(chunks=chunks), grounded(chunks=chunks))
    usage = seen.usage_of("google")
    assert usage is not None
    assert usage.fees == {"fee.maps_grounding": 1}
    assert "Home" not in repr(seen.response)
    web_only = seen_of(grounded(chunks=[{"web": {}}])).usage_of("google")
    assert web_only is not None
    assert web_only.fees == {}


def metered(provider: str = "google", **counts: Any) -> Usage:
    usage = read({**body({"text": "x"}), "usageMetadata": counts}, provider).meters
    assert usage is not None
    return usage


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "ON_DEMAND"}, "standard"),
        ({"serviceTier": "flex"}, "flex"),
        ({}, None),
    ],
)
def test_how_it_was_served(said: dict[str, Any], tier: str | None) -> None:
    assert metered("vertex", promptTokenCount=1, candidatesTokenCount=1, **said).served.tier == tier


def modality(kind: str, count: int) -> dict[str, Any]:
    return {"modality": kind, "tokenCount": count}


def test_litellm_23731_tool_use_and_thoughts_stand_outside() -> None:
    """Row 29: prompt 199, tool use 248, candidates 29, thoughts 140, total 616."""
    reply = read(
        {
            **body({"text": "x"}),
            "usageMetadata": {
                "promptTokenCount": 199,
                "toolUsePromptTokenCount": 248,
                "candidatesTokenCount": 29,
                "thoughtsTokenCount": 140,
                "totalTokenCount": 616,
            },
        }
    )
    usage = reply.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (447, 169, 616)
    assert usage.completion_tokens_details.reasoning_tokens == 140


def test_litellm_33530_the_total_tells_tokens_that_no_field_lists() -> None:
    """Row 30: 100 and 40 with a total of 165; tool use is given where it was reported."""
    told = metered(
        promptTokenCount=100,
        candidatesTokenCount=40,
        toolUsePromptTokenCount=25,
        totalTokenCount=165,
    )
    assert (told.input_tokens, told.output_tokens, told.total_tokens) == (125, 40, 165)
    hidden = metered(promptTokenCount=100, candidatesTokenCount=40, totalTokenCount=165)
    assert (hidden.input_tokens or 0) + (hidden.output_tokens or 0) == 165
    assert hidden.flags == ("identity:reasoning_hidden",)


def test_new_api_2935_tool_tokens_are_input() -> None:
    """Row 31: prompt 151, tool 18329, candidates 1089, thoughts 1120, total 20689."""
    usage = metered(
        promptTokenCount=151,
        toolUsePromptTokenCount=18329,
        candidatesTokenCount=1089,
        thoughtsTokenCount=1120,
        totalTokenCount=20689,
    )
    assert (usage.input_tokens, usage.output_tokens) == (18480, 2209)
    assert usage.flags == ()


def test_any_llm_1290_thoughts_are_output() -> None:
    """Row 32: prompt 20, candidates 198, thoughts 405, total 623."""
    usage = metered(
        promptTokenCount=20, candidatesTokenCount=198, thoughtsTokenCount=405, totalTokenCount=623
    )
    assert (usage.output_tokens, usage.reasoning_tokens) == (603, 405)


def test_litellm_18182_an_image_in_the_prompt_and_in_the_answer() -> None:
    """Row 34: prompt 533 of which text 6; completion 1337 = image 1120 + reasoning 217."""
    usage = metered(
        promptTokenCount=533,
        promptTokensDetails=[modality("TEXT", 6), modality("IMAGE", 527)],
        candidatesTokenCount=1120,
        candidatesTokensDetails=[modality("IMAGE", 1120)],
        thoughtsTokenCount=217,
        totalTokenCount=1870,
    )
    assert usage.buckets == {
        "tokens.in.text": 6,
        "tokens.in.image": 527,
        "tokens.out.text": 0,
        "tokens.out.image": 1120,
        "tokens.out.reasoning": 217,
    }


def test_litellm_11156_implicit_caching_is_seen() -> None:
    usage = metered(
        promptTokenCount=262960,
        cachedContentTokenCount=257955,
        candidatesTokenCount=1744,
        totalTokenCount=264704,
    )
    assert usage.buckets["tokens.in.text"] == 5005
    assert usage.cache_read_tokens == 257955


def test_litellm_38_no_usage_is_unknown_and_not_zero() -> None:
    found = body({"text": "x"})
    del found["usageMetadata"]
    reply = read(found)
    assert reply.usage is None
    assert reply.meters is None


# --- anything at all ------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def known(*fields: str, **inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with fields that Gemini has, each of them of any type."""
    values = dict.fromkeys(fields, JUNK) | {k: v | JUNK for k, v in inner.items()}
    return st.fixed_dictionaries({}, optional=values)


PARTS = known(
    "text",
    "thought",
    "thoughtSignature",
    functionCall=known("name", "args", "id"),
    inlineData=known("mimeType", "data"),
)
CANDIDATES = known(
    "index",
    "finishReason",
    "citationMetadata",
    content=known(parts=st.lists(PARTS, max_size=3)),
    groundingMetadata=known("webSearchQueries", groundingChunks=st.lists(known("maps"))),
    logprobsResult=known(
        chosenCandidates=st.lists(known("token", "logProbability"), max_size=2),
        topCandidates=st.lists(known(candidates=st.lists(known("token")))),
    ),
)
EVENTS = known(
    "modelVersion",
    "responseId",
    candidates=st.lists(CANDIDATES | JUNK, max_size=3),
    promptFeedback=known("blockReason", "blockReasonMessage"),
    usageMetadata=known("promptTokenCount", "candidatesTokenCount", "trafficType"),
    error=known("code", "status", "message"),
)


@given(st.lists(EVENTS, max_size=4))
def test_garbage_never_raises(events: list[dict[str, Any]]) -> None:
    seen = Observation(api="generateContent")
    reader = gemini.chunks()
    for each in events:
        gemini.observe(each, seen)
        gemini.choices(each)
        reader.read(each)
    seen.usage_of("google")


def test_arguments_nested_too_deep_to_be_written_are_not_counted() -> None:
    arguments: dict[str, Any] = {}
    for _ in range(5000):
        arguments = {"a": arguments}
    assert seen_of(body(call("now", args=arguments))).output_text == ["now"]
