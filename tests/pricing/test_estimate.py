"""What is said before a call runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.pricing import vocabulary
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.estimate import count_answer, estimate_request
from costspan.pricing.families import family_of
from costspan.pricing.tokens import HEURISTIC, counter_for
from costspan.pricing.types import Estimate

AT = datetime(2026, 10, 1, tzinfo=UTC)
CATALOGUE = Catalogue()


def estimate(
    body: Any, provider: str = "openai", model: str = "gpt-4o", api: str = "chat", **more: Any
) -> Estimate:
    return estimate_request(
        body,
        provider=provider,
        model=model,
        api=api,
        catalogue=CATALOGUE,
        at=AT,
        **{"wait": True, **more},
    )


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **more}


HI = user("hi", max_tokens=100)


def test_hi_is_eight_tokens() -> None:
    said = estimate(HI)
    # 3 around the message, 1 for its role, 1 for "hi", 3 that prime the answer
    assert said.input_tokens.likely == said.input_tokens.low == said.input_tokens.high == 8
    assert (said.basis, said.confidence) == ("o200k", "high")
    assert (said.output_tokens.low, said.output_tokens.high) == (1, 100)
    assert said.cost_usd is not None
    assert said.cost_usd.low == Decimal("0.00003")  # 8 * 2.50 + 1 * 10 per million
    assert said.cost_usd.high == Decimal("0.00102")  # 8 * 2.50 + 100 * 10 per million


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o-mini", 8),
        ("gpt-4.1", 8),
        ("gpt-3.5-turbo", 8),
        ("gpt-4", 8),
        ("o3", 7),
        ("gpt-5", 7),
        ("gpt-5.4-mini", 7),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 8),
        ("openai/gpt-4o", 8),
    ],
)
def test_priming_by_family(model: str, tokens: int) -> None:
    assert estimate(HI, model=model).input_tokens.likely == tokens


def test_the_cookbooks_example() -> None:
    """OpenAI's cookbook counts 124 prompt tokens on gpt-4o, as the API reported them."""
    said = [
        ("system", None, "You are a helpful, pattern-following assistant that translates "
                         "corporate jargon into plain English."),
        ("system", "example_user", "New synergies will help drive top-line growth."),
        ("system", "example_assistant", "Things working well together will increase revenue."),
        ("system", "example_user", "Let's circle back when we have more bandwidth to touch base "
                                   "on opportunities for increased leverage."),
        ("system", "example_assistant", "Let's talk later when we're less busy about how to do "
                                        "better."),
        ("user", None, "This late pivot means we don't have time to boil the ocean for the client "
                       "deliverable."),
    ]  # fmt: skip
    messages = [
        {"role": role, "content": text} | ({"name": name} if name else {})
        for role, name, text in said
    ]
    body = {"messages": messages, "max_tokens": 1}
    assert estimate(body, model="gpt-4o").input_tokens.likely == 124
    assert estimate(body, model="gpt-4-0613").input_tokens.likely == 129
    assert estimate(body, model="gpt-3.5-turbo-0125").input_tokens.likely == 129


def test_responses_instructions_are_a_message() -> None:
    alone = estimate({"input": "hi"}, api="responses").input_tokens.likely
    led = estimate({"input": "hi", "instructions": "hi"}, api="responses").input_tokens.likely
    assert (alone, led) == (8, 13)
    listed = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}
    assert estimate(listed, api="responses").input_tokens.likely == 8


def test_embeddings_add_nothing() -> None:
    body = {"input": ["hello world", "hello world"]}
    said = estimate(body, model="text-embedding-3-small", api="embeddings")
    assert said.input_tokens.likely == 4
    assert said.output_tokens.high == 0
    ids = {"input": [[15339, 1917], [15339]]}
    assert estimate(ids, model="text-embedding-3-small", api="embeddings").input_tokens.likely == 3
    flat = {"input": [15339, 1917]}
    assert estimate(flat, model="text-embedding-3-small", api="embeddings").input_tokens.likely == 2


def test_claude_by_its_own_factor() -> None:
    body = user("hello world " * 50, max_tokens=10)
    said = estimate(body, "anthropic", "claude-sonnet-4-5", "messages")
    exact = estimate(user("hello world " * 50), model="gpt-4o").input_tokens.likely - 7
    assert said.input_tokens.likely == -(-exact * 11 // 10) + 7
    assert (said.basis, said.confidence) == ("o200k*1.10", "medium")
    assert said.input_tokens.low < said.input_tokens.likely < said.input_tokens.high


def test_claude_turns_and_system() -> None:
    one = estimate(user("hi"), "anthropic", "claude-sonnet-4-5", "messages").input_tokens.likely
    turns = {"messages": [{"role": "user", "content": "hi"},
                          {"role": "assistant", "content": "hi"},
                          {"role": "user", "content": "hi"}]}  # fmt: skip
    three = estimate(turns, "anthropic", "claude-sonnet-4-5", "messages").input_tokens.likely
    assert three - one in (8, 9)  # two more turns of 3, two more words
    thinking = user("hi", thinking={"type": "enabled", "budget_tokens": 1024})
    thought = estimate(thinking, "anthropic", "claude-sonnet-4-5", "messages").input_tokens.likely
    assert thought == one + 28


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-08-06", "openai-o200k"),
        ("gpt-4-turbo", "openai-cl100k"),
        ("o4-mini", "openai-reasoning"),
        ("gpt-5.4-2026-03-05", "openai-reasoning"),
        ("claude-3-5-sonnet-20241022", "claude-3"),
        ("claude-3-opus-20240229", "claude-3"),
        ("claude-sonnet-4-20250514", "claude-4"),
        ("claude-3-7-sonnet-20250219", "claude-4"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-4.5"),
        ("claude-opus-4-6", "claude-4.5"),
        ("claude-opus-4-7", "claude-4.7"),
        ("claude-opus-4-8", "claude-5"),
        ("claude-sonnet-5-5", "claude-5"),
        ("claude-fable-5-1", "claude-5"),
        ("gemini-2.5-flash", "gemini-2.5"),
        ("models/gemini-3-pro-preview", "gemini-3"),
        ("gemini-1.5-pro", "gemini"),
        ("mistral-large-latest", "mistral"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama-3"),
        ("deepseek-chat", "deepseek"),
        ("a-model-of-tomorrow", "other"),
        ("", "other"),
    ],
)
def test_litellm_8140_each_model_is_counted_as_its_own_family(model: str, family: str) -> None:
    assert family_of(model).name == family


BASE64 = "iVBORw0KGgoAAAANSUhEUgAA" * 4000
IMAGES = [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + BASE64}},
    {"type": "input_image", "image_url": "data:image/png;base64," + BASE64},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
    {"inlineData": {"mimeType": "image/png", "data": BASE64}},
    {"inline_data": {"mime_type": "image/png", "data": BASE64}},
    {"image": {"format": "png", "source": {"bytes": BASE64}}},
    {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}},
    {"type": "file", "file": {"file_data": BASE64}},
    {"type": "document", "source": {"type": "base64", "data": BASE64}},
    {"type": "tool_result", "content": [{"type": "image", "source": {"data": BASE64}}]},
    {"type": "redacted_thinking", "data": BASE64},
    {"type": "reasoning", "encrypted_content": BASE64},
]


@pytest.mark.parametrize("part", IMAGES)
@pytest.mark.parametrize("report", ["langchain-google-879", "litellm-36604", "client-python-502"])
def test_base64_is_never_text(part: dict[str, Any], report: str) -> None:
    said = estimate(user([part, {"type": "text", "text": "hi"}]))
    assert said.input_tokens.likely < 4000


@pytest.mark.parametrize("report", ["openai-cookbook-1467", "langchainjs-8310", "litellm-31741"])
def test_parts_tool_calls_and_legacy_calls_are_counted(report: str) -> None:
    text = "the quick brown fox jumps over the lazy dog " * 20
    plain = estimate(user(text)).input_tokens.likely
    parts = estimate(user([{"type": "text", "text": text}])).input_tokens.likely
    assert parts == plain
    call = {"name": "search", "arguments": '{"q": "' + text + '"}'}
    for message in (
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": call}]},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "s", "input": {"q": text}}]},
        {"role": "tool", "tool_call_id": "1", "content": text},
        {"role": "user", "content": [{"type": "tool_result", "content": text}]},
        {"role": "model", "parts": [{"functionCall": {"name": "s", "args": {"q": text}}}]},
        {"role": "user", "content": [{"toolResult": {"content": [{"text": text}]}}]},
        {"type": "function_call_output", "output": text},
    ):
        assert estimate({"messages": [message]}).input_tokens.likely >= plain - 10, message


def test_tools_and_schemas_lower_the_confidence() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "does it",
                                             "parameters": {"type": "object"}}}  # fmt: skip
    with_tools = estimate(user("hi", tools=[tool]))
    assert with_tools.confidence == "medium"
    assert with_tools.input_tokens.likely > 8
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    assert estimate(user("hi", response_format=schema)).confidence == "medium"
    assert estimate(user("hi", response_format={"type": "json_object"})).confidence == "high"
    assert estimate(user([{"type": "image_url", "image_url": {"url": "x"}}])).confidence == "low"


def test_other_shapes_of_a_request() -> None:
    gemini = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
              "systemInstruction": {"parts": [{"text": "be brief"}]},
              "generationConfig": {"maxOutputTokens": 50}}  # fmt: skip
    said = estimate(gemini, "google", "gemini-2.0-flash", "generateContent")
    assert (said.input_tokens.likely, said.output_tokens.high) == (4, 50)
    sdk = {"contents": "hi", "config": {"max_output_tokens": 50, "system_instruction": "be brief"}}
    same = estimate(sdk, "google", "gemini-2.0-flash", "generateContent")
    assert (same.input_tokens.likely, same.output_tokens.high) == (4, 50)
    converse = {"messages": [{"role": "user", "content": [{"text": "hi"}]}],
                "system": [{"text": "be brief"}], "inferenceConfig": {"maxTokens": 50}}  # fmt: skip
    said = estimate(converse, "aws", "amazon.nova-pro-v1:0", "converse")
    assert (said.input_tokens.likely, said.output_tokens.high) == (3, 50)
    message = SimpleNamespace(role="user", content="hi", tool_calls=None)
    assert estimate({"messages": [message]}).input_tokens.likely == 8


def test_the_answer_is_bounded_by_the_request_or_else_by_the_model() -> None:
    assert estimate(user("hi", max_completion_tokens=7)).output_tokens.high == 7
    assert (
        estimate({"input": "hi", "max_output_tokens": 9}, api="responses").output_tokens.high == 9
    )
    unbounded = estimate(user("hi"))
    assert unbounded.output_tokens.high == 16384
    assert unbounded.assumptions["output"] == "model limit"
    assert estimate(user("hi", max_tokens=10, n=3)).output_tokens.high == 30
    assert estimate(user("hi"), model="gpt-9").assumptions["output"] == "unknown limit"


def test_the_high_cost_misses_the_cache_and_the_low_one_hits_it() -> None:
    body = user("hello world " * 1000, max_tokens=1)
    said = estimate(body, model="gpt-4o")
    tokens = said.input_tokens.likely
    assert said.cost_usd is not None
    assert said.cost_usd.low == tokens * Decimal("1.25e-6") + Decimal("1e-5")
    assert said.cost_usd.high == tokens * Decimal("2.50e-6") + Decimal("1e-5")
    assert said.assumptions["cache"] == "all-hit low, all-miss high"


def test_a_request_that_writes_to_the_cache_reserves_the_price_of_it() -> None:
    marked = [{"type": "text", "text": "word " * 2000, "cache_control": {"type": "ephemeral"}}]
    plain = [{"type": "text", "text": "word " * 2000}]
    costs = [
        estimate(user(content, max_tokens=1), "anthropic", "claude-sonnet-4-5", "messages").cost_usd
        for content in (plain, marked)
    ]
    assert costs[0] is not None
    assert costs[1] is not None
    answer = Decimal("0.000015")
    assert (costs[1].high - answer) == (costs[0].high - answer) * Decimal("1.25")
    assert costs[1].likely == costs[0].likely


def test_a_model_that_writes_its_cache_unasked_reserves_the_price_of_it() -> None:
    said = estimate(user("word " * 2000, max_tokens=1), model="gpt-5.6-luna")
    assert said.cost_usd is not None
    answer = Decimal("1.2e-6")
    assert said.cost_usd.high - answer == (said.cost_usd.likely - answer) * Decimal("1.25")


def test_tiers_asked_for_are_priced() -> None:
    said = estimate(user("hi", max_tokens=100, service_tier="priority"), model="gpt-4.1")
    plain = estimate(user("hi", max_tokens=100), model="gpt-4.1")
    assert said.cost_usd is not None
    assert plain.cost_usd is not None
    assert said.cost_usd.high == plain.cost_usd.high * Decimal("1.75")
    assert said.assumptions["tier"] == "priority"


def test_an_unknown_model_has_tokens_but_no_cost() -> None:
    said = estimate(HI, model="gpt-9")
    assert said.cost_usd is None
    assert said.input_tokens.likely > 0


def test_a_counter_of_ones_own() -> None:
    said = estimate(HI, counter=HEURISTIC)
    assert (said.basis, said.confidence) == ("heuristic", "low")
    assert said.input_tokens.low <= 8 <= said.input_tokens.high


FIRST = """
import sys, time
from datetime import UTC, datetime
from costspan.pricing import Catalogue, vocabulary
from costspan.pricing.estimate import estimate_request
def ask():
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    return estimate_request(body, provider="openai", model="gpt-4o", api="chat",
                            catalogue=Catalogue.default(), at=datetime(2026, 10, 1, tzinfo=UTC))
assert ask().basis == "heuristic"
vocabulary.load_in_background("o200k_base")
deadline = time.monotonic() + 30
while ask().basis != "o200k":
    assert time.monotonic() < deadline, "the vocabulary was never loaded"
    time.sleep(0.01)
"""


def test_the_first_estimate_does_not_wait_for_the_vocabulary() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST], timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
ROUND: dict[str, Any] = {}
ROUND["a"] = ROUND


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": 7},
        {"messages": [None, 3, b"x", [], {}, object()]},
        user(None),
        user([]),
        user(ITSELF),
        user([{"type": "tool_use", "name": 3, "input": ROUND}]),
        user([{"type": 3}, {"type": "text", "text": 7}, {"type": "text"}]),
        user("a\ud800b <|endoftext|>"),
        user("hi", tools=7),
        user("hi", tools=[None, 3, {}, {"function": ROUND}, {"a": {1, 2}}]),
        user("hi", max_tokens="many"),
        user("hi", max_tokens=-1),
        user("hi", max_tokens=True),
        user("hi", n=10**30),
        user("hi", response_format="json"),
        user("hi", service_tier=3),
    ],
)
def test_odd_requests_are_estimated_all_the_same(body: dict[str, Any]) -> None:
    said = estimate(body)
    assert said.input_tokens.likely >= 0
    assert said.cost_usd is not None


NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "parts", "tool_calls", "function",
                         "name", "arguments", "input", "source", "image", "toolUse", "json"]),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip
KEYS = st.sampled_from(
    ["messages", "input", "contents", "prompt", "system", "instructions", "tools", "max_tokens",
     "response_format", "config", "generationConfig", "toolConfig", "thinking", "text", "n"]
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, NODES, max_size=5))
def test_no_request_raises(body: dict[str, Any]) -> None:
    said = estimate(body)
    assert said.input_tokens.low <= said.input_tokens.likely <= said.input_tokens.high
    assert said.output_tokens.low <= said.output_tokens.high


@pytest.mark.parametrize("text", ["word " * 1_000_000, "\n" * 5_000_000, "a" * 5_000_000])
def test_a_huge_text_is_counted_by_samples(text: str) -> None:
    said = estimate({"messages": [{"role": "user", "content": text}]})
    exact = counter_for("o200k_base", wait=True)
    one_tenth = exact.count(text[: len(text) // 10])

    assert said.basis == "o200k~sampled"
    assert said.confidence == "medium"
    assert said.input_tokens.likely == pytest.approx(10 * one_tenth, rel=0.1)


def test_no_answer_is_longer_than_the_model_can() -> None:
    capped = estimate(user("hi", max_tokens=10**6))
    assert capped.output_tokens.high == 16384
    assert capped.assumptions["output"] == "model limit"
    assert "output" not in estimate(user("hi", max_tokens=16384)).assumptions


def test_an_embedding_model_has_no_answer_whatever_it_is_sent() -> None:
    said = estimate(user("hi"), model="text-embedding-3-small")
    assert said.output_tokens == (0, 0, 0)
    assert said.cost_usd is not None


def test_huge_tools_are_counted_by_samples_too() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "word " * 1_000_000}}
    said = estimate(user("hi", tools=[tool]), wait=False)
    assert said.basis == "o200k~sampled"
    assert said.confidence == "medium"


def test_a_family_factor_stays_in_the_basis_of_a_sampled_count() -> None:
    said = estimate(user("word " * 300_000), "anthropic", "claude-sonnet-4-5", "messages")
    assert said.basis == "o200k~sampled*1.10"


def test_a_long_answer_is_counted_by_samples() -> None:
    vocabulary.load("o200k_base")
    # "word " is one token; the last blank is one more
    assert count_answer("word " * 1_000_000, model="gpt-4o") == pytest.approx(10**6, rel=0.01)
