"""Sources of an answer: ``message.annotations``, as the provider gave them."""

from __future__ import annotations

from typing import Any

from costspan.core.protocols import anthropic_messages, openai_chat

CITED = {"type": "web_search_result_location", "url": "https://h/a", "title": "A"}
OTHER = {"type": "char_location", "document_index": 0, "cited_text": "x"}


def test_anthropics_citations_of_a_whole_message() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
        {"type": "text", "text": "It is ", "citations": None},
        {"type": "text", "text": "noon", "citations": [CITED, OTHER]},
        {"type": "text", "text": "."},
    ]
    (choice,) = anthropic_messages.choices({"content": blocks}) or []
    assert choice.message.content == "It is noon."
    assert choice.message.annotations == [CITED, OTHER]
    assert choice.message.tool_calls is None
    (plain,) = anthropic_messages.choices({"content": blocks[-1:]}) or []
    assert plain.message.annotations is None


def test_anthropics_citations_of_a_stream() -> None:
    reader = anthropic_messages.chunks()
    delta = {"type": "citations_delta", "citation": CITED}
    chunk = reader.read({"type": "content_block_delta", "index": 0, "delta": delta})
    assert chunk is not None
    assert chunk.choices[0].delta.annotations == [CITED]
    assert chunk.choices[0].delta.content is None


def test_perplexitys_sources_stand_beside_the_answers() -> None:
    results = [{"title": "A", "url": "https://h/a"}]
    message = {"role": "assistant", "content": "Noon [1]."}
    body = {"choices": [{"message": message}], "citations": ["https://h/a"]}
    (choice,) = openai_chat.choices(body) or []
    assert choice.message.annotations == ["https://h/a"]
    (choice,) = openai_chat.choices({**body, "search_results": results}) or []
    assert choice.message.annotations == results


def test_sources_that_every_event_repeats_are_told_once() -> None:
    reader = openai_chat.chunks()
    found: list[Any] = []
    for reason in (None, None, "stop"):
        choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": reason}
        chunk = reader.read({"choices": [choice], "citations": ["https://h/a"]})
        assert chunk is not None
        found += chunk.choices[0].delta.annotations or []
    assert found == ["https://h/a"]
