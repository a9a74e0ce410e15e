"""A real model behind llama.cpp's Responses, which leaves out more of the format than OpenAI."""

from __future__ import annotations

from typing import Any

from costspan import local_model
from costspan.core.completion import completion


def test_llama_cpp_takes_our_requests_and_we_its_answers() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Say hello."}]},
    ]
    with local_model.serve() as url:
        where: dict[str, Any] = {"api": "responses", "base_url": f"{url}/v1", "api_key": "k"}
        model = f"openai/{local_model.MODEL}"
        reply = completion(model, messages, max_tokens=16, temperature=0, **where)
        messages += [reply.choices[0].message, {"role": "user", "content": "Again."}]
        stream = completion(model, messages, max_tokens=16, temperature=0, stream=True, **where)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    said = stream.reply.choices[0].message.content
    assert reply.choices[0].message.content
    assert "".join(pieces) == said
    assert len(pieces) > 2
    for each in (reply, stream.reply):
        assert each.choices[0].finish_reason == "stop"
        assert each.id
        assert each.usage is not None
        assert each.usage.prompt_tokens
        assert each.usage.completion_tokens
